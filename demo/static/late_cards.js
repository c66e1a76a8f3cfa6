/**
 * Draw the cards of `<template id="late-cards" data-first-after-ms="N" data-every-ms="M">` into
 * `#channels`, in four lots: the first N milliseconds after the page has loaded, the others M
 * milliseconds after the one before.
 */
addEventListener("load", () => {
  const template = document.querySelector("#late-cards");
  const cards = [...template.content.children];
  const lot = Math.ceil(cards.length / 4);
  const draw = () => {
    document.querySelector("#channels").append(...cards.splice(0, lot));
    if (cards.length > 0) {
      setTimeout(draw, Number(template.dataset.everyMs));
    }
  };
  setTimeout(draw, Number(template.dataset.firstAfterMs));
});
