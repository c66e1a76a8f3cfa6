/**
 * Put the cursor into a form field, with its value selected, so that typing replaces it.
 * Its form will answer in the same window, so that the answer can be followed.
 *
 * @param {string} selector  of the field; the first visible match is meant
 * @returns {?string[]} the URLs of the page, and of the one that the field's form is sent to, if
 *   it has one; null if the field does not have the focus
 */
(selector) => {
  const [field] = findVisible(selector);
  if (!field) return null;
  keepInWindow(field);
  field.scrollIntoView({ block: "center", behavior: "instant" });
  field.focus();
  field.select?.();
  return activeElement() === field ? urlsOf(field) : null;
};
