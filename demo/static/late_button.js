/**
 * Enable each button that comes disabled with `data-enable-after-ms`, so many milliseconds after
 * the page has loaded: before that, a click does nothing.
 */
addEventListener("load", () => {
  for (const button of document.querySelectorAll("button[data-enable-after-ms]")) {
    setTimeout(() => { button.disabled = false; }, Number(button.dataset.enableAfterMs));
  }
});
