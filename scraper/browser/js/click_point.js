/**
 * Find the point at which a click reaches an element, after scrolling to it.
 * Its form will answer in the same window, so that the answer can be followed.
 *
 * @param {string} selector  of the element; the first visible match is meant
 * @returns {?{x: number, y: number, cover: string, urls: string[]}} CSS pixels in the viewport; `cover` describes the
 *   element that would receive the click instead, such as `div#cookies.banner`, or is empty;
 *   `urls` are those of the page, and of the one that the element's form is sent to, if it has one;
 *   null if nothing matches or can be clicked
 */
(selector) => {
  const [element] = findVisible(selector);
  if (!element) return null;
  keepInWindow(element);
  element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  // A link of several lines has a rectangle for each.
  const box = [...element.getClientRects()].find(({ width, height }) => width && height);
  if (!box) return null;
  const x = box.left + box.width / 2;
  const y = box.top + box.height / 2;
  const hit = elementFromPoint(x, y);
  if (!hit) return null;
  const isReached = isWithin(hit, element) || hit.control === element;
  // The outermost element that covers it: not the paragraph of a banner, but the banner.
  let cover = hit;
  while (outerOf(cover) && !isWithin(element, outerOf(cover))) cover = outerOf(cover);
  return { x, y, cover: isReached ? "" : describeElement(cover), urls: urlsOf(element) };
};
