/**
 * Find out how far a list can be scrolled on, and where the mouse wheel does so.
 *
 * @param {string} selector  of the list's items
 * @returns {?{x: number, y: number, step: number, position: number, extent: number, rest: number,
 *   cover: string}} CSS pixels: a point of the list in the viewport, and how much less than the
 *   visible part of the list may be scrolled at a time; `position` says where all that contains the
 *   list is scrolled to, and `extent` how long all of it is; `rest` is what the innermost of these
 *   has below its visible part; `cover` describes what would receive the wheel instead, or is
 *   empty; null without an item
 */
(selector) => {
  const items = [...queryPage(selector)].filter(isVisible);
  if (items.length === 0) return null;
  const root = scrollingElement();
  const page = documentElement();
  const overflowOf = (element) => getComputedStyle(element).overflowY;
  const isScroller = (element) => {
    if (element === root) return true;
    // The viewport takes the overflow of the body.
    if (element === body() && overflowOf(page) === "visible") return false;
    const isLonger = scrollHeightOf(element) > clientHeightOf(element);
    return element !== page && isLonger && /auto|scroll|overlay/.test(overflowOf(element));
  };
  const ancestors = [];
  for (let outer = outerOf(items[0]); outer; outer = outerOf(outer)) ancestors.push(outer);
  const scrollers = ancestors.filter(isScroller);
  if (!scrollers.includes(root)) scrollers.push(root);
  const [scroller] = scrollers;

  const visiblePart = () => {
    const box = scroller === root ? null : getRect(scroller);
    const part = {
      left: Math.max(0, box?.left ?? 0),
      top: Math.max(0, box?.top ?? 0),
      right: Math.min(clientWidthOf(page), box?.right ?? Infinity),
      bottom: Math.min(innerHeight, box?.bottom ?? Infinity),
    };
    return { ...part, height: part.bottom - part.top };
  };
  const centerOf = (element) => {
    const part = visiblePart();
    const box = getRect(element);
    const left = Math.max(part.left, box.left);
    const top = Math.max(part.top, box.top);
    const width = Math.min(part.right, box.right) - left;
    const height = Math.min(part.bottom, box.bottom) - top;
    return width > 1 && height > 1 ? { x: left + width / 2, y: top + height / 2 } : null;
  };
  let points = items.map(centerOf).filter(Boolean);
  if (points.length === 0) {
    items[0].scrollIntoView({ block: "start", behavior: "instant" });
    points = items.map(centerOf).filter(Boolean);
  }
  if (points.length === 0) return null;
  const hits = points.map(({ x, y }) => ({ x, y, hit: elementFromPoint(x, y) }));
  const reached = hits.find(({ hit }) => hit && isWithin(hit, scroller));
  // The page itself is scrolled by what covers it too.
  const [{ x, y, hit }] = reached || scroller === root ? [reached ?? hits[0]] : hits;
  const sum = (measure) => scrollers.map(measure).reduce((total, value) => total + value, 0);
  return {
    x,
    y,
    step: Math.max(1, 0.8 * visiblePart().height),
    position: sum(scrollTopOf),
    extent: sum(scrollHeightOf),
    rest: scrollHeightOf(scroller) - clientHeightOf(scroller) - scrollTopOf(scroller),
    cover: reached || scroller === root ? "" : describeElement(hit),
  };
};
