/**
 * What stands in the tab right now, in one call; reads only.
 *
 * @param {{counts: Object<string, string>, firsts: Object<string, string>,
 *   texts: Object<string, string>}} arguments[0]
 *   selectors by name: `counts` to be counted, `firsts` of which the first visible element matters;
 *   `texts` are what some of these should hold
 * @returns {{
 *   origin: number,   when this document began (ms): tells one document from the next
 *   state: string,    document.readyState
 *   url: string,
 *   status: number,   HTTP status of the document; 0 where there is none
 *   error: string,    Chrome's own words on its error page (`ERR_CONNECTION_RESET`), else ""
 *   counts: Object<string, number>,
 *   firsts: Object<string, ?{element: Element, enabled: boolean, filled: boolean, holds: boolean,
 *     objection: string, text: string}>
 * }} `holds` is whether the value is the text of `texts`, `objection` why the browser would not send
 *   it; `text` is the first text that any visible element of the selector shows. No value comes out.
 */
const { counts, firsts, texts } = arguments[0];
const [navigation] = performance.getEntriesByType("navigation");

const isVisible = (element) => element.checkVisibility({ visibilityProperty: true });
const shownText = (element) => element.innerText.replace(/\s+/g, " ").trim();

const first = (selector, name) => {
  const visible = [...document.querySelectorAll(selector)].filter(isVisible);
  if (visible.length === 0) return null;
  const [element] = visible;
  return {
    element,
    enabled: !element.disabled,
    filled: Boolean(element.value),
    holds: name in texts && element.value === texts[name],
    objection: element.validationMessage ?? "",
    text: visible.map(shownText).find(Boolean) ?? "",
  };
};
const mapValues = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value, name)]));

const isErrorPage = location.protocol === "chrome-error:";
const errorCode = document.querySelector(".error-code") ?? document.body;

return {
  origin: performance.timeOrigin,
  state: document.readyState,
  url: location.href,
  status: navigation?.responseStatus ?? 0,
  error: isErrorPage ? errorCode?.textContent.trim() || "ERR_FAILED" : "",
  counts: mapValues(counts, (selector) => document.querySelectorAll(selector).length),
  firsts: mapValues(firsts, first),
};
