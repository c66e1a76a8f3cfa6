/**
 * Return the text that is visible on the page, without changing it.
 *
 * @returns {string[]} the non-empty lines, each trimmed; values of form fields are not included
 */
() => shownLines();
