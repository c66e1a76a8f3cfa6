/**
 * Enable each button with `data-enable-after-ms` that many milliseconds after page load; until then
 * it is disabled.
 */
addEventListener("load", () => {
  for (const button of document.querySelectorAll("button[data-enable-after-ms]")) {
    setTimeout(() => { button.disabled = false; }, Number(button.dataset.enableAfterMs));
  }
});
