/**
 * All items of a page with all their fields, in one call; reads only.
 *
 * @param {string} arguments[0]  selector of the items
 * @param {string} arguments[1]  JSON of the recipe's fields by name (chromedriver sorts the keys of
 *   an object, JSON keeps their order); a field has some of css, nth, then, attr, match, split,
 *   exists, fields, limit, in the recipe's meaning
 * @returns {string} JSON: an array of objects in document order, keys in the order of the fields.
 *   A text is trimmed, and each run of white space (no-break blanks too) becomes one blank; an
 *   attribute is trimmed. What is missing or empty is null; a split or nested field is then [].
 *   Half a surrogate pair becomes U+FFFD, so that the text can be encoded.
 */
const itemsSelector = arguments[0];
const itemFields = JSON.parse(arguments[1]);

const textOf = (element, { attr }) =>
  attr === undefined
    ? element.textContent.replace(/\s+/g, " ").trim()
    : (element.getAttribute(attr) ?? "").trim();

const find = (root, { css, nth = 1, then }) => {
  const found = nth === 1 ? root.querySelector(css) : root.querySelectorAll(css)[nth - 1];
  return then === undefined ? found : found?.querySelector(then);
};

const readText = (root, field) => {
  const element = find(root, field);
  if (!element) return null;
  let text = textOf(element, field).toWellFormed();
  if (field.match !== undefined) {
    text = (new RegExp(field.match, "su").exec(text)?.[1] ?? "").trim();
  }
  return text || null;
};

const readTexts = (root, field) =>
  (readText(root, field) ?? "").split(field.split).map((part) => part.trim()).filter(Boolean);

const readObjects = (root, { css, fields, limit }) =>
  [...root.querySelectorAll(css)].slice(0, limit).map((element) => readFields(element, fields));

const read = (root, field) => {
  if (field.exists !== undefined) return root.querySelector(field.exists) !== null;
  if (field.fields !== undefined) return readObjects(root, field);
  return field.split === undefined ? readText(root, field) : readTexts(root, field);
};

const readFields = (root, fields) =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, read(root, field)]));

const items = [...document.querySelectorAll(itemsSelector)];
return JSON.stringify(items.map((item) => readFields(item, itemFields)));
