/**
 * Return the current state of the page, in one call and without changing it.
 *
 * @param {{counts: Object<string, string>, elements: Object<string, string>,
 *   expectedValues: Object<string, string>}} arguments[0]
 *   selectors by name: the matches of `counts` are counted, the first visible match of each of
 *   `elements` is described; `expectedValues` are the values that some of these should have
 * @returns {{
 *   timeOrigin: number,   performance.timeOrigin (ms): differs between documents
 *   readyState: string,   document.readyState
 *   url: string,
 *   status: number,       HTTP status of the document; 0 without one
 *   error: string,        the code on Chrome's error page (`ERR_CONNECTION_RESET`), else ""
 *   counts: Object<string, number>,
 *   elements: Object<string, ?{element: Element, enabled: boolean, hasValue: boolean,
 *     hasExpectedValue: boolean, validationMessage: string, text: string}>
 * }} `validationMessage` is why the browser would not submit the value; `text` is the first text that
 *   any visible match shows. No value of a field leaves the page.
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
