/*
 * Listens to the page's own questions on their way out and back. Dash says nothing when one fails, and the page must know
 * at once: a refused connection is tried again with the next tick, and a signed-out reader is sent to sign in.
 */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const link = { status: 0 }; // HTTP status of the last question, 0 where there was no answer

  function settle(status) {
    link.status = status;
    if (status < 200 || status >= 300) document.dispatchEvent(new Event("gex:refused"));
  }

  if (typeof window !== "undefined") {
    const original = window.fetch;
    window.fetch = function fetch(...asked) {
      const answered = original.apply(this, asked);
      const url = String(asked[0]?.url || asked[0]);
      if (url.includes("_dash-update-component")) {
        answered.then(
          (response) => settle(response.status),
          () => settle(0),
        );
      }
      return answered;
    };
  }

  gex.net = { link };
})();
