/**
 * What a person can read on the page right now; reads only.
 *
 * @returns {string[]} the lines that are not empty, each trimmed; what fields hold is not among them
 */
return (document.body?.innerText ?? "")
  .split("\n")
  .map((line) => line.replace(/\s+/g, " ").trim())
  .filter(Boolean);
