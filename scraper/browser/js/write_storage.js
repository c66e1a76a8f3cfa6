/**
 * Store what an origin had stored; before the scripts of the page run.
 *
 * @param {Object<string, {local: Object<string, string>, session: Object<string, string>}>} origins
 */
(origins) => {
  const stored = Object.hasOwn(origins, location.origin) && origins[location.origin];
  if (!stored || window !== window.top) return;
  for (const [storage, values] of [
    [localStorage, stored.local],
    [sessionStorage, stored.session],
  ]) {
    for (const [key, value] of Object.entries(values)) storage.setItem(key, value);
  }
};
