/* Keys, menus and the help: everything the page does without the server. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const byId = (id) => document.getElementById(id);
  const typing = (target) => /^(input|textarea|select)$/i.test(target?.tagName || "") || target?.isContentEditable;

  function help(open) {
    const dialog = byId("help");
    if (!dialog || dialog.open === open) return;
    if (open) dialog.showModal();
    else dialog.close();
  }

  /** Go to the expiry before (-1) or after (+1) the one chosen. */
  function step(by) {
    const links = [...document.querySelectorAll("#dates-menu .menu a")];
    const dates = links.map((link) => new URLSearchParams(link.search).get("expiries") || "");
    const chosen = (new URLSearchParams(location.search).get("expiries") || "").split(",")[0];
    const all = gex.live.tab.answer?.dates || [];
    if (!all.length || !dates.length) return;
    const at = all.indexOf(chosen);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
    const query = new URLSearchParams(location.search);
    query.set("expiries", all[next]);
    globalThis.dash_clientside.set_props("url", { search: `?${query}` });
  }

  const openSymbols = () => {
    const menu = byId("symbol-menu");
    if (!menu) return;
    menu.open = true;
    menu.querySelector(".menu a")?.focus();
  };

  const KEYS = {
    " ": () => gex.live.freeze(),
    "/": openSymbols,
    "[": () => step(-1),
    "]": () => step(1),
    ",": () => gex.past.step(-1),
    ".": () => gex.past.step(1),
    l: () => gex.past.live(),
    L: () => gex.past.live(),
    0: () => gex.zoom.set(null),
    "+": () => gex.zoom.scale(0.7),
    "-": () => gex.zoom.scale(1 / 0.7),
    t: () => gex.theme.toggle(),
    T: () => gex.theme.toggle(),
    "?": () => help(true),
  };

  /** The link of the view whose key this is: its title ends with the key. */
  const view = (key) => [...document.querySelectorAll("#views a")].find(({ title }) => title.endsWith(`(${key.toUpperCase()})`));

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "Escape") return closeMenus(null);
    if (document.querySelector("dialog[open]")) return;
    // space on a button or link is that button's own key
    if (event.key === " " && event.target.closest?.("a, button, summary")) return;
    const tab = view(event.key);
    const action = tab ? () => tab.click() : KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details.dropdown[open]")) if (menu !== except) menu.open = false;
  }

  function click(event) {
    const target = event.target;
    const menu = target.closest?.("details.dropdown");
    // the list of dates stays open: several are often chosen
    closeMenus(target.closest?.(".menu a") && !["dates-menu", "others-menu"].includes(menu?.id) ? null : menu);
    if (target.closest?.("#help-open")) help(true);
    if (target.closest?.("#help-close") || target.id === "help") help(false);
    const zoom = target.closest?.("[data-zoom]")?.dataset.zoom;
    if (zoom === "in") gex.zoom.scale(0.7);
    if (zoom === "out") gex.zoom.scale(1 / 0.7);
    if (zoom === "follow") gex.zoom.set(null);
    if (zoom === "fix") gex.zoom.set(gex.chart.current().shown || null);
    const wanted = target.closest?.("[data-export]")?.dataset.export;
    if (wanted === "table") gex.table.toggle();
    if (wanted === "csv") gex.table.save();
    if (wanted === "png") gex.chart.save();
    if (target.closest?.("#theme")) gex.theme.toggle();
    const colours = target.closest?.("[data-set-colours]")?.dataset.setColours;
    if (colours) gex.theme.recolour(colours);
  }

  /** On a phone the views are a row that scrolls: bring the one that is open into sight. */
  function reveal() {
    const [row, on] = [byId("views"), document.querySelector("#views a.on")];
    if (row && on && row.scrollWidth > row.clientWidth) row.scrollLeft = on.offsetLeft - row.offsetLeft - (row.clientWidth - on.offsetWidth) / 2;
  }

  let watched = null;
  function watchViews() {
    const row = byId("views");
    if (!row || watched === row) return;
    watched = row;
    new MutationObserver(reveal).observe(row, { childList: true });
    reveal();
  }

  /** A list that would stick out on the right opens to the left. */
  function opened({ target }) {
    const menu = target.matches?.("details.dropdown[open]") && target.querySelector(".menu");
    if (!menu) return;
    delete menu.dataset.side;
    if (menu.getBoundingClientRect().right > document.documentElement.clientWidth - 4) menu.dataset.side = "right";
  }

  if (typeof document !== "undefined") {
    document.addEventListener("toggle", opened, true);
    // the links are the server's answer to the new address
    document.addEventListener("gex:address", watchViews);
    document.addEventListener("keydown", press);
    document.addEventListener("click", click);
  }
})();
