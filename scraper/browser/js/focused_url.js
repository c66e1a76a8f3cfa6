/**
 * Return the page's URL if a form field has the focus.
 *
 * @param {string} selector  of the field
 * @returns {?string} null if the focus is elsewhere, also in a frame
 */
(selector) => {
  const focused = activeElement();
  return focused && matches(focused, selector) ? location.href : null;
};
