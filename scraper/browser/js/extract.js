/**
 * Extract all items of a page with all their fields, in one call and without changing the page.
 *
 * @param {string} arguments[0]  selector of an item
 * @param {string} arguments[1]  the recipe's fields by name as JSON, which keeps their order
 *   (chromedriver sorts the keys of objects); the keys of a field are css, nth, of, then, attr,
 *   match, split, exists, fields and limit, each optional, as documented for recipes
 * @returns {string} JSON: {origin, items}. `origin` is the document's performance.timeOrigin;
 *   `items` is an array of objects in document order, with their keys in the order of the fields.
 *   A text is trimmed, and each run of whitespace (including no-break spaces) becomes one space; an
 *   attribute is trimmed. A missing or empty value is null; for a split or nested field it is [].
 *   A field's selector is relative to its item: no part of it matches the item or its ancestors.
 *   Half a surrogate pair becomes U+FFFD, so that the text can be encoded.
 */
const itemsSelector = arguments[0];
const itemFields = JSON.parse(arguments[1]);

const textOf = (element, { attr }) =>
  attr === undefined
    ? element.textContent.replace(/\s+/g, " ").trim()
    : (element.getAttribute(attr) ?? "").trim();

const QUOTED_OR_CHARACTER = /\\.|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|./gsu;
const scoped = (selector) =>
  selector.trim() === "" || selector.includes(":scope") ? selector : `:scope ${selector}`;

/** Return a selector list whose selectors match descendants of the searched element only. */
const makeRelative = (css) => {
  const selectors = [""];
  let depth = 0;
  for (const [piece] of css.matchAll(QUOTED_OR_CHARACTER)) {
    if (piece === "(" || piece === "[") depth += 1;
    if (piece === ")" || piece === "]") depth -= 1;
    if (piece === "," && depth === 0) selectors.push("");
    else selectors[selectors.length - 1] += piece;
  }
  return selectors.map(scoped).join(",");
};
const relativeSelectors = new Map();
const toRelative = (css) => {
  if (!relativeSelectors.has(css)) relativeSelectors.set(css, makeRelative(css));
  return relativeSelectors.get(css);
};
const findFirst = (root, css) => root.querySelector(toRelative(css));
const findAll = (root, css) => root.querySelectorAll(toRelative(css));

const find = (root, { css, nth = 1, of, then }) => {
  if (of !== undefined && findAll(root, css).length !== of) return null;
  const element = nth === 1 ? findFirst(root, css) : findAll(root, css)[nth - 1];
  return then === undefined || !element ? element : findFirst(element, then);
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
  [...findAll(root, css)].slice(0, limit).map((element) => readFields(element, fields));

const read = (root, field) => {
  if (field.exists !== undefined) return findFirst(root, field.exists) !== null;
  if (field.fields !== undefined) return readObjects(root, field);
  return field.split === undefined ? readText(root, field) : readTexts(root, field);
};

const readFields = (root, fields) =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, read(root, field)]));

const items = [...document.querySelectorAll(itemsSelector)];
return JSON.stringify({
  origin: performance.timeOrigin,
  items: items.map((item) => readFields(item, itemFields)),
});
