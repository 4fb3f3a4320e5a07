/* Colours of the charts, read from the tokens in tokens.css so that they are written down once. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const NAMES = ["card", "raised", "line", "muted", "text", "positive", "negative", "spot", "flip", "grid", "live", "delayed", "stale", "down", "closed", "first", "second", "third", "fourth", "colours", "font"];
  const KEY = "gex-theme";
  const COLOURS_KEY = "gex-colours";
  let cached = null;

  function tokens() {
    if (!cached) {
      const style = getComputedStyle(document.documentElement);
      cached = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    }
    return cached;
  }

  function apply(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    cached = null;
  }

  /** Dark to light and back; remembered in this browser. */
  function toggle() {
    const light = getComputedStyle(document.documentElement).getPropertyValue("--name").trim() === "light";
    apply(light ? "dark" : "light");
    try {
      localStorage.setItem(KEY, light ? "dark" : "light");
    } catch {
      // a browser that keeps nothing still changes its theme
    }
    tell(light ? "dark" : "light");
    document.dispatchEvent(new Event("gex:theme"));
  }

  /** Blue and orange, or green and red with a pattern on what is negative; remembered in this browser. */
  function recolour(colours) {
    document.documentElement.dataset.colours = colours;
    cached = null;
    try {
      localStorage.setItem(COLOURS_KEY, colours);
    } catch {
      // a browser that keeps nothing still changes its colours
    }
    document.dispatchEvent(new Event("gex:theme"));
  }

  /** Tell the account's pages, which have no scripts: they read the cookie. */
  function tell(theme) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `gex_theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  }

  if (typeof document !== "undefined") {
    try {
      apply(localStorage.getItem(KEY));
      if (localStorage.getItem(COLOURS_KEY) === "green") document.documentElement.dataset.colours = "green";
      if (localStorage.getItem(KEY)) tell(localStorage.getItem(KEY));
    } catch {
      apply(null);
    }
  }

  gex.theme = { tokens, toggle, recolour };
})();
