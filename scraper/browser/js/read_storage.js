/**
 * Return what the page's origin has stored, or null if it may not store anything.
 *
 * @returns {?{origin: string, local: Object<string, string>, session: Object<string, string>}}
 */
() => {
  const read = (storage) => {
    const values = Object.create(null);
    for (let index = 0; index < storage.length; index++) {
      const key = storage.key(index);
      values[key] = storage.getItem(key);
    }
    return values;
  };
  try {
    return { origin: location.origin, local: read(localStorage), session: read(sessionStorage) };
  } catch {
    return null; // a document without an origin, or one that blocks storage
  }
};
