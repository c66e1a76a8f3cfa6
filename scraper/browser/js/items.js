/**
 * Definitions for reading the items of a page; they run after dom.js.
 *
 * The argument `list` of the functions is {items, fields, require, key, maxItems, maxText, maxItem,
 * maxPage}: the selector of an item; the recipe's fields by name as JSON, which keeps their order; the
 * names of the required fields; the name of the field that identifies an item, if there is one; how
 * many items there may be, and how many bytes of UTF-8 a text, an item, and all together may have as
 * JSON. The keys of a field are css (a selector or an XPath), nth, of, then, all, attr, match, split,
 * lines, path, type, exists, value, fields, limit and alternatives, each optional, as documented for
 * recipes. Only the types `url` and `count` are applied here; a path, and other types, are by those
 * who receive the text. A field with alternatives has the list of their values.
 *
 * A text is trimmed, and each run of whitespace becomes one space; an attribute, and JSON, is only
 * trimmed. A missing or empty value is null; for a list it is []. Half a surrogate pair becomes
 * U+FFFD, so that the text can be encoded.
 */
const find = (root, { css, nth = 1, of, then }) => {
  if (css === undefined) return root;
  if (of !== undefined && findAll(root, css).length !== of) return null;
  const element = nth === 1 ? findFirst(root, css) : findAll(root, css)[nth - 1];
  return then === undefined || !element ? element : findFirst(element, then);
};

const encoder = new TextEncoder();
const byteLength = (text) => encoder.encode(text).length;

/** Count what was read of an item, in bytes. */
const charge = (size) => {
  bounds.item -= size;
  bounds.page -= size;
  if (bounds.item < 0) throw new SizeFault("item_bytes");
  if (bounds.page < 0) throw new SizeFault("page_bytes");
};

const rawText = (element, { attr, lines, path, split }) => {
  if (attr !== undefined) return (getAttribute(element, attr) ?? "").trim();
  if (path !== undefined) return textContentOf(element).trim();
  return textOf(element, lines || split?.includes("\n"));
};

/** Return what a field reads of an element; an empty text is null. */
const readElement = (element, field) => {
  const raw = rawText(element, field);
  checkRaw(raw.length);
  let text = raw.toWellFormed();
  if (field.match !== undefined) {
    const match = new RegExp(field.match, "su").exec(text);
    text = ((match?.length > 1 ? match[1] : match?.[0]) ?? "").trim();
  }
  if (field.type === "url" && text) text = URL.parse(text, baseUrl())?.href ?? "";
  const size = byteLength(text);
  if (size > bounds.text) throw new SizeFault("text_bytes");
  charge(size);
  return text || null;
};

const readText = (root, field) => {
  const element = find(root, field);
  return element ? readElement(element, field) : null;
};

const readParts = (root, field) => {
  const text = readText(root, field) ?? "";
  const parts = text.split(field.split).map((part) => part.trim()).filter(Boolean);
  charge(parts.length * '"",'.length);
  return parts;
};

const readTexts = (root, field) => {
  const { css, then, limit } = field;
  const texts = [];
  for (const match of css === undefined ? [root] : findAll(root, css)) {
    if (texts.length === limit) break;
    const element = then === undefined ? match : findFirst(match, then);
    const text = element && readElement(element, field);
    charge('"",'.length);
    if (text) texts.push(text);
  }
  return texts;
};

const readObjects = (root, { css, fields, limit }) =>
  [...findAll(root, css)].slice(0, limit).map((element) => readFields(element, fields));

const read = (root, field) => {
  if (field.alternatives !== undefined) {
    return field.alternatives.map((alternative) => read(root, alternative));
  }
  if (field.value !== undefined) return field.value;
  if (field.exists !== undefined) return findFirst(root, field.exists) !== null;
  if (field.fields !== undefined) return readObjects(root, field);
  if (field.type === "count") return findAll(root, field.css).length;
  if (field.all) return readTexts(root, field);
  return field.split === undefined ? readText(root, field) : readParts(root, field);
};

const readFields = (root, fields) =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      charge(name.length + '"":"",'.length);
      return [name, read(root, field)];
    }),
  );

/** Check the selectors and regular expressions of a field, also those that this page does not use. */
const checkField = (field) => {
  for (const key of ["css", "then", "exists"]) {
    if (field[key] !== undefined) blame([key], () => compile(field[key]));
  }
  if (field.match !== undefined) blame(["match"], () => new RegExp(field.match, "su"));
  if (field.fields !== undefined) blame(["fields"], () => checkFields(field.fields));
  field.alternatives?.forEach((alternative, index) => {
    blame([String(index)], () => checkField(alternative));
  });
};

const checkFields = (fields) => {
  for (const [name, field] of Object.entries(fields)) blame([name], () => checkField(field));
};

const readItems = (list) => {
  const fields = JSON.parse(list.fields);
  const elements = blame(["items"], () => queryPage(list.items));
  blame(["fields"], () => checkFields(fields));
  if (elements.length > list.maxItems) throw new SizeFault("too_many_items");
  bounds = { text: list.maxText, item: 0, page: list.maxPage };
  return [...elements].map((element) => {
    bounds.item = list.maxItem;
    return readFields(element, fields);
  });
};

/**
 * Return the JSON of a page as texts, with what relative URLs refer to.
 *
 * @param {Object} query  `selector` of the elements, or null: then the JSON is elsewhere; how many
 *   texts there may be (`maxTexts`), and how many bytes of UTF-8 together (`maxPage`)
 */
const readJson = ({ selector, maxTexts, maxPage }) => {
  const base = cut(baseUrl(), MAX_URL);
  if (selector === null) return { texts: [], base };
  const nodes = blame(["items", "json"], () => queryNodes(selector));
  if (nodes.length > maxTexts) throw new SizeFault("too_many_items");
  let left = maxPage;
  const texts = Array.from(nodes, (node) => {
    const text = textContentOf(node);
    // A text has at least as many bytes as characters.
    left -= text.length > left ? text.length : byteLength(text);
    if (left < 0) throw new SizeFault("page_bytes");
    return text.toWellFormed();
  });
  return { texts, base };
};

/**
 * Return the item counts since the previous call, and watch them from now on: a page that draws its
 * items again and again may show the same ones in every snapshot.
 */
const takeCounts = (selector, count) => {
  // `<a id=garimpoCounts>` is a property of the window too, but not one of its own.
  let watch = Object.hasOwn(globalThis, "garimpoCounts") ? globalThis.garimpoCounts : undefined;
  if (watch?.selector !== selector) {
    watch?.observer.disconnect();
    watch = { selector, count, maxCount: count, countChanges: 0 };
    const observe = () => {
      const current = queryPage(selector).length;
      if (current === watch.count) return;
      watch.count = current;
      watch.countChanges += 1;
      watch.maxCount = Math.max(watch.maxCount, current);
    };
    watch.observer = new MutationObserver(observe);
    watch.observer.observe(document, { childList: true, subtree: true });
    globalThis.garimpoCounts = watch;
  }
  const { maxCount, countChanges } = watch;
  watch.maxCount = count;
  return { maxCount: Math.max(maxCount, count), countChanges };
};

const isEmpty = (value) =>
  value === null || value === false || value === 0 || (Array.isArray(value) && value.every(isEmptyValue));
const isEmptyValue = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.values(value).every(isEmpty)
    : isEmpty(value);
const isMissing = (value) => value === null || (Array.isArray(value) && value.every(isMissing));

/** Return a short text that differs (almost always) between different texts. */
const digestOf = (text) => {
  let [low, high] = [0x811c9dc5, 0x1b873593];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b) + (low >>> 13);
  }
  return `${text.length}-${(low >>> 0).toString(36)}-${(high >>> 0).toString(36)}`;
};

/** Return what identifies an item: a text, or the absolute form of a URL (HTML, 2.4.2). */
const keyOf = (values, isUrl) => {
  // With alternatives, the first that there is.
  const value = Array.isArray(values) ? values.find((one) => one !== null) ?? null : values;
  if (!isUrl || value === null) return value;
  return URL.parse(value, baseUrl())?.href ?? value;
};

/**
 * Return items as JSON: {origin, base, digest, items, keys}. `origin` is the document's
 * performance.timeOrigin; `base` is what relative URLs refer to; `digest` is that of the texts;
 * `items` is an array of objects in document order, with their keys in the order of the fields;
 * `keys` identifies each of them (null where its field is), and is null without `list.key`.
 *
 * @param {Object} list     what this file begins with; `keyIsUrl` says that the key is a URL
 * @param {Object[]} items  what was read
 * @param {string[]} texts  each of them as JSON
 */
const encodeItems = (list, items, texts) => {
  const keys =
    list.key === null ? null : items.map((item) => keyOf(item[list.key], list.keyIsUrl));
  const parts = {
    origin: performance.timeOrigin,
    base: cut(baseUrl(), MAX_URL),
    digest: digestOf(texts.join("\n")),
    keys,
  };
  return `${JSON.stringify(parts).slice(0, -1)},"items":[${texts.join(",")}]}`;
};
