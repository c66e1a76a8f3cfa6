/**
 * Search texts for regular expressions of the recipe; the page does not see it.
 *
 * @param {Array<[string, string]>} pairs  each regex with a text
 * @returns {Array<?string>} for each pair the first group, or all of the match if the regex has none;
 *   null without a match
 */
(pairs) =>
  pairs.map(([regex, text]) => {
    const match = new RegExp(regex, "su").exec(text);
    const found = match?.length > 1 ? match[1] : match?.[0];
    return found?.toWellFormed() ?? null;
  });
