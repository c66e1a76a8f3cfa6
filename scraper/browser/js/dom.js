/**
 * Definitions that the other scripts share; they run before each of them, in a world of their own:
 * nothing that the page's scripts redefine is redefined here.
 */

/** A mistake in the recipe: a selector or regular expression that the browser rejects. */
class RecipeFault extends Error {
  /**
   * @param {string[]} keys   the path of the key at fault, below the argument it came in
   * @param {string} message  the browser's own words
   */
  constructor(keys, message) {
    super(message);
    this.keys = keys;
  }

  below(...keys) {
    return new RecipeFault([...keys, ...this.keys], this.message);
  }
}

/** A page has more than is read of one. */
class SizeFault extends Error {
  /** @param {string} bound  what it exceeds: a PageTooLarge.Reason */
  constructor(bound) {
    super(bound);
    this.bound = bound;
  }
}

// How many characters of a page's words leave it, where they are quoted; and of a URL.
const MAX_QUOTE = 500;
const MAX_URL = 8000;
// How much is searched for words to quote, and how many elements for a visible one.
const MAX_SEARCHED = 1_000_000;
const MAX_LINES = 2000;
const MAX_MATCHES = 1000;

/** Return the beginning of a text, without half a character; no text for anything else. */
const cut = (text, length) =>
  typeof text === "string" ? text.slice(0, length).toWellFormed() : "";

/** How much may be read, in bytes; readItems sets it. */
let bounds = { text: Infinity, item: Infinity, page: Infinity };
// A text may shrink: by its whitespace, or to what a regular expression finds in it.
const RAW_PER_TEXT = 8;

/** Run a function; a syntax error in it is a fault of the recipe's key. */
const blame = (keys, run) => {
  try {
    return run();
  } catch (error) {
    if (error instanceof RecipeFault) throw error.below(...keys);
    if (error.name !== "SyntaxError") throw error;
    throw new RecipeFault(keys, error.message.replace(/^Failed to execute [^:]*: /, ""));
  }
};

// A form's controls are its properties: `<input name=children>` hides `form.children`. Forms and
// images are the document's: `<img name=querySelector>`.
const method = (owner, name) => {
  const call = owner.prototype[name];
  return (target, ...values) => call.apply(target, values);
};
const property = (owner, name) => {
  const { get } = Object.getOwnPropertyDescriptor(owner.prototype, name);
  return (target) => get.call(target);
};
const getAttribute = method(Element, "getAttribute");
const removeAttribute = method(Element, "removeAttribute");
const setAttribute = method(Element, "setAttribute");
const checkVisibility = method(Element, "checkVisibility");
const matches = method(Element, "matches");
const queryElement = method(Element, "querySelector");
const queryElements = method(Element, "querySelectorAll");
const queryFragment = method(DocumentFragment, "querySelectorAll");
const shadowRootOf = property(Element, "shadowRoot");
const contentDocumentOf = property(HTMLIFrameElement, "contentDocument");
const hostOf = (node) => {
  const root = method(Node, "getRootNode")(node);
  return nodeTypeOf(root) === Node.DOCUMENT_FRAGMENT_NODE ? property(ShadowRoot, "host")(root) : null;
};
const scrollTopOf = property(Element, "scrollTop");
const scrollHeightOf = property(Element, "scrollHeight");
const clientHeightOf = property(Element, "clientHeight");
const clientWidthOf = property(Element, "clientWidth");
const getRect = method(Element, "getBoundingClientRect");
const nodeTypeOf = property(Node, "nodeType");
const nodeValueOf = property(Node, "nodeValue");
const childrenOf = property(Element, "children");
const childCountOf = property(Element, "childElementCount");
const localNameOf = property(Element, "localName");
const namespaceOf = property(Element, "namespaceURI");
const childNodesOf = property(Node, "childNodes");
const parentOf = property(Node, "parentNode");
const parentElementOf = property(Node, "parentElement");
const textContentOf = property(Node, "textContent");
const contains = method(Node, "contains");
const classListOf = property(Element, "classList");
const innerTextOf = property(HTMLElement, "innerText");
const createElement = (name) => method(Document, "createElement")(document, name);
const createFragment = () => method(Document, "createDocumentFragment")(document);
/** Return the element at a point of the viewport, also one in a shadow root. */
const elementFromPoint = (x, y) => {
  let hit = method(Document, "elementFromPoint")(document, x, y);
  for (let root = hit && shadowRootOf(hit); root; root = shadowRootOf(hit)) {
    const inner = method(ShadowRoot, "elementFromPoint")(root, x, y);
    if (!inner || inner === hit || hostOf(inner) !== hit) break;
    hit = inner;
  }
  return hit;
};
/** Return the element that an element is in: its parent, or the host of its shadow root. */
const outerOf = (element) => parentElementOf(element) ?? hostOf(element);
/** Return whether an element is another one, or somewhere in it. */
const isWithin = (element, outer) => {
  let current = element;
  while (current && current !== outer) current = outerOf(current);
  return current === outer;
};
const queryDocument = (selector) => method(Document, "querySelector")(document, selector);
const queryAllOfDocument = (selector) => method(Document, "querySelectorAll")(document, selector);
const activeElement = () => property(Document, "activeElement")(document);
const body = () => property(Document, "body")(document);
const documentElement = () => property(Document, "documentElement")(document);
const scrollingElement = () =>
  property(Document, "scrollingElement")(document) ?? documentElement();
const baseUrl = () => property(Node, "baseURI")(document);

// Not `instanceof`: an element in a frame is of other classes.
const isElement = (node) => nodeTypeOf(node) === Node.ELEMENT_NODE;
const isVisible = (element) => checkVisibility(element, { visibilityProperty: true });
/** Return whether an element, or at least its parent if it has no box of its own, is rendered. */
const isRendered = (element) => {
  const isBoxless = getComputedStyle(element).display === "contents";
  const parent = parentOf(element);
  return isBoxless && parent && isElement(parent) ? isRendered(parent) : checkVisibility(element);
};
/** Return the visible elements among the first that match a selector. */
const findVisible = (selector) =>
  [...queryPage(selector)].slice(0, MAX_MATCHES).filter(isVisible);

/** Return an element's name, id and classes, such as `div#cookies.banner`. */
const describeElement = (element) => {
  const id = getAttribute(element, "id");
  const classes = [...classListOf(element)].map((name) => `.${name}`);
  return cut([localNameOf(element), id && `#${id}`, ...classes].join(""), MAX_QUOTE);
};

/** Let a form's answer replace the page, instead of opening another window. */
const keepInWindow = (control) => {
  removeAttribute(control, "formtarget");
  if (control.form) setAttribute(control.form, "target", "_self");
};

/** Return the URLs of the page, and of the one that a control's form is sent to, if it has one. */
const urlsOf = (control) => {
  const { form } = control;
  const action = getAttribute(control, "formaction") ?? (form && getAttribute(form, "action"));
  const target = action && URL.parse(action, document.baseURI);
  return [location.href, ...(/^https?:$/.test(target?.protocol) ? [target.href] : [])];
};

const HTML = "http://www.w3.org/1999/xhtml";
const SVG = "http://www.w3.org/2000/svg";
/** Collapse whitespace, and remove characters that have no width and no meaning. */
const collapse = (text) =>
  text.replace(/[\u00ad\u200b\u2060\ufeff]/g, "").replace(/\s+/g, " ").trim();
/** Return the text that an element shows, as far as it is searched for words. */
const shownTextOf = (element) =>
  element && namespaceOf(element) === HTML ? innerTextOf(element).slice(0, MAX_SEARCHED) : "";

/** Return the lines of text that the page shows; values of form fields are not among them. */
const shownLines = () => {
  const lines = shownTextOf(body()).split("\n").map(collapse).filter(Boolean);
  return lines.slice(0, MAX_LINES).map((line) => cut(line, MAX_QUOTE));
};

// Elements whose content is no text of the page, or is only shown where they do not work.
const NO_TEXT = new Set([
  "script", "style", "noscript", "template", "canvas", "audio", "video", "iframe", "object",
]);
const NO_SVG_TEXT = new Set(["title", "desc", "metadata"]);
const isNoText = (element) =>
  NO_TEXT.has(localNameOf(element)) ||
  (namespaceOf(element) === SVG && NO_SVG_TEXT.has(localNameOf(element)));
const INLINE = /^(inline|contents|none|ruby)/;
const KEEPS_LINES = /^(pre|break)/;
// No page's text has this character: a parser replaces it.
const BREAK = "\0";

// The content of an element that is closed is not rendered, although its style does not say so.
const shownNodesOf = (element) => {
  if (getComputedStyle(element).contentVisibility === "hidden") return [];
  const nodes = [...childNodesOf(element)];
  return localNameOf(element) === "details" && getAttribute(element, "open") === null
    ? nodes.filter((node) => isElement(node) && localNameOf(node) === "summary")
    : nodes;
};

/** Check the number of characters that a text is made of. */
const checkRaw = (length) => {
  if (length > RAW_PER_TEXT * bounds.text) throw new SizeFault("text_bytes");
};

/** Add a text to the parts of a longer one. */
const addPart = (parts, text) => {
  parts.size = (parts.size ?? 0) + text.length;
  checkRaw(parts.size);
  parts.push(text);
};

/**
 * Collect the texts below an element, with BREAK between what stands apart.
 *
 * @param {boolean} isRootShown  whether what is hidden otherwise than by `display` is left out
 * @param {boolean} isShown      whether the texts of this element itself are taken
 */
const appendText = (parts, parent, isRootShown, isShown) => {
  const keepsLines = KEEPS_LINES.test(getComputedStyle(parent).whiteSpace);
  for (const node of isRootShown ? shownNodesOf(parent) : childNodesOf(parent)) {
    if (nodeTypeOf(node) === Node.TEXT_NODE || nodeTypeOf(node) === Node.CDATA_SECTION_NODE) {
      const text = nodeValueOf(node);
      if (isShown) addPart(parts, keepsLines ? text.replaceAll("\n", BREAK) : text);
      continue;
    }
    if (!isElement(node) || isNoText(node)) continue;
    if (localNameOf(node) === "br") {
      parts.push(BREAK);
      continue;
    }
    const { display, visibility } = getComputedStyle(node);
    if (display === "none") continue;
    const isBlock = !INLINE.test(display);
    if (isBlock) parts.push(BREAK);
    appendText(parts, node, isRootShown, !isRootShown || visibility === "visible");
    if (isBlock) parts.push(BREAK);
  }
};

/**
 * Return an element's text as a person reads it.
 *
 * Line breaks, blocks, list items and cells are separated. What is hidden within the element is no
 * part of its text; of an element that is hidden itself, that is only what is hidden on its own.
 *
 * @param {boolean} lines  whether the result keeps line breaks; else a blank stands for each
 */
const textOf = (element, lines = false) => {
  if (!isElement(element)) return collapse(nodeValueOf(element) ?? "");  // of an XPath
  if (childCountOf(element) === 0 && !lines) {
    const text = textContentOf(element);
    checkRaw(text.length);
    return collapse(text);
  }
  const parts = [];
  const isRootShown = getComputedStyle(element).visibility === "visible" && isRendered(element);
  appendText(parts, element, isRootShown, true);
  const texts = parts.join("").split(BREAK).map(collapse).filter(Boolean);
  return texts.join(lines ? "\n" : " ");
};

const QUOTED_OR_CHARACTER = /\\.|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|./gsu;

/** Split a selector list at its top level. */
const splitSelectors = (css) => {
  const selectors = [""];
  let depth = 0;
  for (const [piece] of css.matchAll(QUOTED_OR_CHARACTER)) {
    if (piece === "(" || piece === "[") depth += 1;
    if (piece === ")" || piece === "]") depth -= 1;
    if (piece === "," && depth === 0) selectors.push("");
    else selectors[selectors.length - 1] += piece;
  }
  return selectors.map((selector) => selector.trim());
};

// A selector whose last part is the element itself, and one that leads to elements beside it.
const IS_SELF = /:scope[^\s>+~]*$/;
const LEAVES_ROOT = /:scope(?!\s*>|\s+[^\s+~])/;
const scoped = (selector) => {
  if (selector === ".") return ":scope";
  return selector.includes(":scope") ? selector : `:scope ${selector}`;
};

// No CSS selector begins like an XPath.
const IS_XPATH = /^(?:\.?\/|\.\.|\()/;
const xpaths = new XPathEvaluator();

/** Split a selector at each `>>>`, which leads into a shadow root or a frame. */
const splitRoots = (selector) => {
  const parts = [""];
  const pieces = [...selector.matchAll(QUOTED_OR_CHARACTER)].map(([piece]) => piece);
  for (let index = 0; index < pieces.length; index += 1) {
    if (pieces.slice(index, index + 3).join("") === ">>>") {
      parts.push("");
      index += 2;
    } else {
      parts[parts.length - 1] += pieces[index];
    }
  }
  return parts.map((part) => part.trim());
};

const compileCss = (css) => {
  const parts = splitSelectors(css);
  for (const part of parts) {
    // Throws if it is malformed, and quotes it as the recipe has it.
    if (part !== ".") createFragment().querySelector(part.replace(/^[>+~]/, "a$&"));
  }
  const selectors = parts.map(scoped);
  return {
    selector: selectors.join(","),
    self: selectors.every((part) => IS_SELF.test(part)) &&
      selectors.join(",").replaceAll(":scope", "*"),
    leavesRoot: selectors.some((part) => LEAVES_ROOT.test(part)),
  };
};

const compileStep = (part) => {
  if (part === "") return { isRoot: true };
  if (!IS_XPATH.test(part)) return compileCss(part);
  const xpath = xpaths.createExpression(part);
  try {
    findXPath(createElement("i"), xpath);
  } catch (error) {
    throw new RecipeFault([], `'${part}' finds no elements, but a value: ${error.message}`);
  }
  return { xpath };
};

const compiledSelectors = new Map();
/** Check and prepare a selector: CSS, or `paths` of several steps, of which some may be XPaths. */
const compile = (selector) => {
  if (!compiledSelectors.has(selector)) {
    const parts = splitSelectors(selector);
    const isCss = !parts.some((part) => IS_XPATH.test(part) || part.includes(">>>"));
    compiledSelectors.set(
      selector,
      isCss
        ? compileCss(selector)
        : { paths: parts.map((part) => splitRoots(part).map(compileStep)) },
    );
  }
  return compiledSelectors.get(selector);
};

// The document does not change while a script runs.
const indexesBelow = new Map();
const indexOfChild = (element, parent) => {
  if (!indexesBelow.has(parent)) {
    const children = [...childrenOf(parent)];
    indexesBelow.set(parent, new Map(children.map((child, index) => [child, index + 1])));
  }
  return indexesBelow.get(parent).get(element);
};

/** Return the elements that match CSS relative to an element, as `findAll` says. */
const findCss = (root, { selector, self, leavesRoot }) => {
  if (self) return matches(root, self) ? [root] : [];
  const parent = parentOf(root);
  if (!leavesRoot || !parent) return queryElements(root, selector);
  if (!isElement(parent)) {
    return parent === document
      ? queryAllOfDocument(selector.replaceAll(":scope", ":root"))
      : queryRoot(parent, selector.replaceAll(":scope", ":scope > *"));
  }
  const item = `:scope > :nth-child(${indexOfChild(root, parent)})`;
  return queryElements(parent, selector.replaceAll(":scope", item));
};

/** Return the elements that match CSS in a document, or in a shadow root. */
const queryRoot = (root, selector) =>
  nodeTypeOf(root) === Node.DOCUMENT_NODE
    ? method(Document, "querySelectorAll")(root, selector)
    : queryFragment(root, selector);

const findXPath = (root, expression) => {
  const result = expression.evaluate(root, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE);
  return Array.from({ length: result.snapshotLength }, (_, index) => result.snapshotItem(index));
};

const findStep = (root, step) => {
  if (step.isRoot) return [root];
  if (step.xpath) return findXPath(root, step.xpath);
  if (isElement(root)) return findCss(root, step);
  // In a document or a shadow root nothing is beside or above.
  return queryRoot(root, step.selector.replaceAll(/:scope\s(?!\s*[>+~])/g, ""));
};

/** Return the shadow root of an element, or the document in a frame of the same origin. */
const innerRootOf = (element) => {
  if (!isElement(element)) return null;
  if (localNameOf(element) === "iframe") return contentDocumentOf(element);
  return shadowRootOf(element);
};

const findPaths = (root, paths) => {
  const found = new Set();
  for (const steps of paths) {
    let roots = [root];
    steps.forEach((step, index) => {
      if (index > 0) roots = roots.map(innerRootOf).filter(Boolean);
      roots = roots.flatMap((inner) => [...findStep(inner, step)]);
    });
    roots.forEach((element) => found.add(element));
  }
  return [...found];
};

/**
 * Return the elements that match a selector relative to an element, in document order: `:scope` (or
 * `.`) is the element itself, `+ x` and `~ x` are siblings, anything else is below it. `a >>> b` is
 * below the shadow root, or the document of the frame, that an `a` has. An XPath may lead anywhere;
 * the nodes that it finds may be attributes and texts too.
 */
const findAll = (root, selector) => {
  const compiled = compile(selector);
  return compiled.paths ? findPaths(root, compiled.paths) : findCss(root, compiled);
};
const findFirst = (root, selector) => {
  const compiled = compile(selector);
  return compiled.paths || compiled.leavesRoot
    ? findAll(root, selector)[0] ?? null
    : queryElement(root, compiled.selector);
};
/** Return the nodes of the page that match a selector: those of an XPath may be attributes. */
const queryNodes = (selector) => {
  const { paths } = compile(selector);
  return paths ? findPaths(document, paths) : queryAllOfDocument(selector);
};
/** Return the elements of the page that match a selector. */
const queryPage = (selector) => {
  const nodes = queryNodes(selector);
  return compile(selector).paths ? nodes.filter(isElement) : nodes;
};
