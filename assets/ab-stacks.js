/*
 * plotly.js and Dash throw and catch a dozen errors while they start. For the stack of each, Chromium reads the file again
 * that it came from, to number its lines: 0.9 s of a first visit for plotly's 4.8 MB. Until plotly is there, errors go without.
 */
"use strict";
(() => {
  const limit = Error.stackTraceLimit;
  if (typeof limit !== "number" || typeof document === "undefined") return;
  delete Error.stackTraceLimit;
  const restore = () => {
    Error.stackTraceLimit = limit;
    document.removeEventListener("load", restoreAfter, true);
    clearTimeout(timer);
  };
  const restoreAfter = (event) => /plotly[^/]*\.js/.test(event.target.src || "") && restore();
  document.addEventListener("load", restoreAfter, true);
  const timer = setTimeout(restore, 30_000); // pages without a chart
})();
