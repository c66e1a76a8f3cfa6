/**
 * Return the current state of the page, in one call and without changing it.
 *
 * @param {{counts: Object<string, string>, elements: Object<string, string>,
 *   expectedValues: Object<string, string>, list: ?Object, json: ?Object}} query
 *   selectors by name: the matches of `counts` are counted, the first visible match of each of `elements` is
 *   described; `expectedValues` are the values that some of these should have; `list` is
 *   what items.js describes; `json` is what `readJson` describes
 * @returns {{
 *   timeOrigin: number,   performance.timeOrigin (ms): differs between documents
 *   readyState: string,   document.readyState
 *   url: string,
 *   documentUrl: string,  the URL that the document was loaded from, after redirects
 *   status: number,       HTTP status of the document; 0 without one
 *   error: string,        the code on Chrome's error page (`ERR_CONNECTION_RESET`), else ""
 *   isStatic: boolean,    no script, and no refresh, can change the document
 *   isBusy: boolean,      a visible part of the page says so (WAI-ARIA, aria-busy)
 *   hasRefresh: boolean,  the document says that another one will replace it
 *   isSparse: boolean,    the page shows little and leads nowhere, as a stop between two others
 *                         does; only looked at without `list` and `json`
 *   counts: Object<string, number>,
 *   elements: Object<string, ?{enabled: boolean, hasValue: boolean, hasExpectedValue: boolean,
 *     validationMessage: string, url: string, text: string}>,
 *   list: ?{count: number, maxCount: number, countChanges: number, digest: string, blank: number,
 *     incomplete: number, isUniform: boolean, text: string},
 *   json: ?{texts: string[], base: string}
 * }} `validationMessage` is why the browser would not submit the value; `url` is where a link leads,
 *   outside this document, else ""; `text` is the first text that
 *   any visible match shows. No value of a field leaves the page. Of the items, `blank` have no value
 *   at all, `incomplete` lack a required one; `isUniform`: there are several, and all are equal;
 *   `maxCount` is the highest count since the previous snapshot, and `countChanges` says how often the
 *   count has changed since the first; `text` is what extract.js would return, of a loaded page with
 *   `list.fullCount` items, else "".
 */
(query) => {
  const [navigation] = performance.getEntriesByType("navigation");
  const status = navigation?.responseStatus ?? 0;
  // Chrome has one for answers without a body too.
  const isErrorPage = location.protocol === "chrome-error:";

  const isDisabled = (element) =>
    matches(element, ":disabled, [aria-disabled=true], .disabled, .disabled > *");
  // What changes a document without a script of its own.
  const ACTIVE = "meta[http-equiv=refresh i], iframe, frame, object, embed, [onload], [onerror]";
  const linkOf = (element) => {
    const href = localNameOf(element) === "a" ? getAttribute(element, "href") : null;
    const url = href === null ? null : URL.parse(href, baseUrl());
    if (!/^https?:$/.test(url?.protocol)) return "";
    const isHere = url.href.split("#")[0] === location.href.split("#")[0];
    return isHere ? "" : cut(url.href, MAX_URL);
  };
  const describe = (selector, name) => {
    const visible = findVisible(selector);
    if (visible.length === 0) return null;
    const [element] = visible;
    return {
      enabled: !isDisabled(element),
      hasValue: Boolean(element.value),
      hasExpectedValue: element.value === query.expectedValues[name],
      validationMessage: cut(element.validationMessage, MAX_QUOTE),
      url: linkOf(element),
      text: cut(visible.map((shown) => collapse(shownTextOf(shown))).find(Boolean), MAX_QUOTE),
    };
  };
  const mapValues = (object, change) =>
    Object.fromEntries(
      Object.entries(object).map(([name, value]) => [
        name,
        blame([name], () => change(value, name)),
      ]),
    );
  const readyState = property(Document, "readyState")(document);
  const isFull = ({ fullCount }, count) =>
    fullCount !== null && count >= fullCount && readyState === "complete";
  const summarize = (list) => {
    const items = readItems(list);
    const { maxCount, countChanges } = takeCounts(list.items, items.length);
    const texts = items.map((item) => JSON.stringify(item));
    return {
      count: items.length,
      maxCount,
      countChanges,
      digest: digestOf(texts.join("\n")),
      blank: items.filter((item) => Object.values(item).every(isEmpty)).length,
      incomplete: items.filter((item) => list.require.some((name) => isMissing(item[name]))).length,
      isUniform: texts.length > 1 && new Set(texts).size === 1,
      text: isFull(list, items.length) ? encodeItems(list, items, texts) : "",
    };
  };
  const refresh = queryDocument("meta[http-equiv=refresh i]");
  const errorOf = () => {
    const code = queryDocument(".error-code") ?? body();
    return cut(code?.textContent.trim().replace(/^net::/, ""), MAX_QUOTE) || "ERR_FAILED";
  };
  const links = () => queryAllOfDocument("a[href], area[href]");
  const isSparse = () => links().length < 2 && shownTextOf(body()).length < 200;
  const scripts = () => queryAllOfDocument("script");

  return {
    timeOrigin: performance.timeOrigin,
    readyState,
    url: cut(location.href, MAX_URL),
    documentUrl: cut(navigation?.name ?? location.href, MAX_URL),
    status,
    error: isErrorPage && status < 400 ? errorOf() : "",
    isStatic: isErrorPage || (scripts().length === 0 && queryDocument(ACTIVE) === null),
    isBusy: findVisible("[aria-busy=true]").length > 0,
    hasRefresh: refresh !== null,
    isSparse: query.list === null && query.json === null && isSparse(),
    counts: mapValues(query.counts, (selector) => queryPage(selector).length),
    elements: mapValues(query.elements, describe),
    list: query.list && summarize(query.list),
    json: query.json && readJson(query.json),
  };
};
