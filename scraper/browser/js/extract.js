/**
 * Extract all items of a page with all their fields, in one call and without changing the page.
 *
 * @param {Object} list  what items.js describes
 * @returns {string} what `encodeItems` returns
 */
(list) => {
  const items = readItems(list);
  return encodeItems(list, items, items.map((item) => JSON.stringify(item)));
};
