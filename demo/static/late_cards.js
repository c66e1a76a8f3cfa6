/**
 * Add the cards of `<template id="late-cards" data-first-after-ms="N" data-every-ms="M">` to
 * `#channels` in four batches: the first one N milliseconds after page load, each further one M
 * milliseconds after the previous one.
 */
addEventListener("load", () => {
  const template = document.querySelector("#late-cards");
  const cards = [...template.content.children];
  const batch = Math.ceil(cards.length / 4);
  const add = () => {
    document.querySelector("#channels").append(...cards.splice(0, batch));
    if (cards.length > 0) {
      setTimeout(add, Number(template.dataset.everyMs));
    }
  };
  setTimeout(add, Number(template.dataset.firstAfterMs));
});
