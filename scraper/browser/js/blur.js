/**
 * Leave the field that has the focus: some pages look at a value only then.
 *
 * @returns {boolean} true
 */
() => {
  activeElement()?.blur();
  return true;
};
