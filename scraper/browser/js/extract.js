/**
 * All items of a page with all their fields, in one call; reads only.
 *
 * @param {string} arguments[0]  selector of the items
 * @param {string} arguments[1]  JSON of the recipe's fields by name (chromedriver sorts the keys of
 *   an object, JSON keeps their order); a field has some of css, nth, of, then, attr, match, split,
 *   exists, fields, limit, in the recipe's meaning
 * @returns {string} JSON: {origin, items}. `origin` is when this document began, as a look has it;
 *   `items` an array of objects in document order, keys in the order of the fields.
 *   A text is trimmed, and each run of white space (no-break blanks too) becomes one blank; an
 *   attribute is trimmed. What is missing or empty is null; a split or nested field is then [].
 *   A field's whole selector is below its item: no part of it matches the item or what is above.
 *   Half a surrogate pair becomes U+FFFD, so that the text can be encoded.
 */
const itemsSelector = arguments[0];
const itemFields = JSON.parse(arguments[1]);

const textOf = (element, { attr }) =>
  attr === undefined
    ? element.textContent.replace(/\s+/g, " ").trim()
    : (element.getAttribute(attr) ?? "").trim();

const QUOTED_OR_ONE = /\\.|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|./gsu;
const scoped = (selector) =>
  selector.trim() === "" || selector.includes(":scope") ? selector : `:scope ${selector}`;

/** The selector list with each selector beginning below the element that is searched. */
const relative = (css) => {
  const selectors = [""];
  let depth = 0;
  for (const [piece] of css.matchAll(QUOTED_OR_ONE)) {
    if (piece === "(" || piece === "[") depth += 1;
    if (piece === ")" || piece === "]") depth -= 1;
    if (piece === "," && depth === 0) selectors.push("");
    else selectors[selectors.length - 1] += piece;
  }
  return selectors.map(scoped).join(",");
};
const relatives = new Map();
const below = (css) => {
  if (!relatives.has(css)) relatives.set(css, relative(css));
  return relatives.get(css);
};
const one = (root, css) => root.querySelector(below(css));
const all = (root, css) => root.querySelectorAll(below(css));

const find = (root, { css, nth = 1, of, then }) => {
  if (of !== undefined && all(root, css).length !== of) return null;
  const found = nth === 1 ? one(root, css) : all(root, css)[nth - 1];
  return then === undefined || !found ? found : one(found, then);
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
  [...all(root, css)].slice(0, limit).map((element) => readFields(element, fields));

const read = (root, field) => {
  if (field.exists !== undefined) return one(root, field.exists) !== null;
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
