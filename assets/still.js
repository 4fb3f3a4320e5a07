/* Puts the page's unchanging parts, which come as templates with the first document, into their places. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  let waiting = null;

  /** Fill every place that is there and still empty. Cheap once all are filled. */
  function place() {
    waiting ??= [...document.querySelectorAll("template[data-for]")];
    waiting = waiting.filter((template) => {
      const at = document.getElementById(template.dataset.for);
      at?.append(template.content.cloneNode(true));
      return !at;
    });
  }

  gex.still = { place };
})();
