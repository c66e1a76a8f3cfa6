/**
 * The state of the page right now, in one call; reads only.
 *
 * @param {{counts: Object<string, string>, elements: Object<string, string>,
 *   expectedValues: Object<string, string>}} arguments[0]
 *   selectors by name: `counts` to be counted, `elements` of which the first visible one matters;
 *   `expectedValues` are the values that some of these should have
 * @returns {{
 *   timeOrigin: number,   when this document began (ms): tells one document from the next
 *   readyState: string,   document.readyState
 *   url: string,
 *   status: number,       HTTP status of the document; 0 where there is none
 *   error: string,        Chrome's own words on its error page (`ERR_CONNECTION_RESET`), else ""
 *   counts: Object<string, number>,
 *   elements: Object<string, ?{element: Element, enabled: boolean, hasValue: boolean,
 *     hasExpectedValue: boolean, validationMessage: string, text: string}>
 * }} `validationMessage` is why the browser would not submit the value; `text` is the first text that
 *   any visible element of the selector shows. No value leaves the page.
 */
const { counts, elements, expectedValues } = arguments[0];
const [navigation] = performance.getEntriesByType("navigation");

const isVisible = (element) => element.checkVisibility({ visibilityProperty: true });
const shownText = (element) => element.innerText.replace(/\s+/g, " ").trim();

const describe = (selector, name) => {
  const visible = [...document.querySelectorAll(selector)].filter(isVisible);
  if (visible.length === 0) return null;
  const [element] = visible;
  return {
    element,
    enabled: !element.disabled,
    hasValue: Boolean(element.value),
    hasExpectedValue: name in expectedValues && element.value === expectedValues[name],
    validationMessage: element.validationMessage ?? "",
    text: visible.map(shownText).find(Boolean) ?? "",
  };
};
const mapValues = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value, name)]));

const isErrorPage = location.protocol === "chrome-error:";
const errorCode = document.querySelector(".error-code") ?? document.body;

return {
  timeOrigin: performance.timeOrigin,
  readyState: document.readyState,
  url: location.href,
  status: navigation?.responseStatus ?? 0,
  error: isErrorPage ? errorCode?.textContent.trim() || "ERR_FAILED" : "",
  counts: mapValues(counts, (selector) => document.querySelectorAll(selector).length),
  elements: mapValues(elements, describe),
};
