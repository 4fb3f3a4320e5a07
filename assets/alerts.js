/* Alerts that fired: the bell's count, toasts, marks on the tiles, and the list. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const KEY = "gex-alerts-acked";
  const MOST_KEPT = 200;
  const mostToasts = () => (window.innerWidth < 900 ? 1 : 3);
  const TOAST_MS = 30000;
  const FRESH_MS = 60000; // what fired so long before the page was opened is news still
  const TILES = { flip: "flip", call_wall: "call_wall", put_wall: "put_wall", spot: "spot", max_pain: "max_pain", net_gex: "net_gex" };

  const byId = (id) => document.getElementById(id);
  const held = { fired: [], id: "", seen: new Set(), first: true, acked: new Set(stored()) };

  function stored() {
    try {
      return JSON.parse(localStorage.getItem(KEY)) || [];
    } catch {
      return []; // a browser that keeps nothing
    }
  }

  function keep() {
    try {
      localStorage.setItem(KEY, JSON.stringify([...held.acked].slice(-MOST_KEPT)));
    } catch {
      // acknowledged until the page is left, then
    }
  }

  const manages = () => byId("alerts")?.dataset.manages === "yes";
  const open = (alert) => !alert.acked && !held.acked.has(alert.id);
  const unacknowledged = () => held.fired.filter(open);

  /** Take what the server tells of alerts; now: the server's clock. */
  function update(told, now) {
    if (!told || told.id === held.id) return;
    const news = told.fired.filter((alert) => !held.seen.has(alert.id) && open(alert) && (!held.first || now - alert.at < FRESH_MS));
    Object.assign(held, { fired: told.fired, id: told.id, first: false });
    told.fired.forEach((alert) => held.seen.add(alert.id));
    news.slice(0, mostToasts()).reverse().forEach((alert) => toast(alert, alert === news[0] ? news.length - mostToasts() : 0));
    gex.notices?.say(news);
    show();
  }

  function show() {
    const waiting = unacknowledged();
    const count = byId("alerts-count");
    if (!count) return;
    count.hidden = !waiting.length;
    count.textContent = waiting.length;
    byId("alerts-open").setAttribute("aria-label", waiting.length ? `Alerts, ${waiting.length} not acknowledged` : "Alerts");
    for (const node of byId("toasts").children) node.hidden = !waiting.some(({ id }) => id === node.dataset.id);
    mark();
    if (byId("alerts").open) list();
  }

  /** A mark on each tile whose level an alert of this symbol is about. */
  function mark() {
    const symbol = gex.live?.tab.key.split("?")[0];
    const mine = unacknowledged().filter((alert) => alert.symbol === symbol);
    for (const name of Object.values(TILES)) {
      const node = document.querySelector(`#tile-${name} .alerted`);
      if (!node) continue;
      const about = mine.filter(({ level, kind }) => TILES[level] === name || (kind === "crossing" && name === "spot"));
      node.hidden = !about.length;
      node.title = about.map(({ text, at }) => `${gex.format.clock(at)}: ${text}`).join("\n");
    }
  }

  function toast(alert, more) {
    const node = document.createElement("div");
    node.className = "toast";
    Object.assign(node.dataset, { id: alert.id, kind: alert.kind, answer: alert.answer });
    const seen = button("Acknowledge", () => acknowledge([alert.id]));
    const all = more > 0 ? [button(`${more} more`, () => dialog(true))] : [];
    node.append(when(alert), part("p", alert.text), row(seen, ...all));
    byId("toasts").append(node);
    while (byId("toasts").childElementCount > mostToasts()) byId("toasts").firstChild.remove();
    const leave = () => (node.matches(":hover, :focus-within") ? setTimeout(leave, 5000) : node.remove());
    setTimeout(leave, TOAST_MS);
  }

  function list() {
    const waiting = unacknowledged();
    const all = waiting.length > 1 ? [button(`Acknowledge all ${waiting.length}`, () => acknowledge(waiting.map(({ id }) => id)))] : [];
    const none = held.fired.length ? [] : [part("p", "Nothing has fired yet.", "hint")];
    byId("alerts-fired").replaceChildren(...all, ...none, ...held.fired.map(line));
  }

  function line(alert) {
    const node = document.createElement("div");
    node.className = "fired";
    Object.assign(node.dataset, { kind: alert.kind, answer: alert.answer, open: open(alert) });
    const sent = gex.alertEditor?.sent(alert.id) || "";
    node.append(when(alert), part("p", alert.text), ...(sent ? [part("p", sent, "hint")] : []));
    if (open(alert)) node.append(button("Acknowledge", () => acknowledge([alert.id])));
    return node;
  }

  function when({ at }) {
    const node = part("time", gex.format.clock(at));
    node.title = gex.format.local(at);
    return node;
  }

  /** Acknowledge in this browser, and for the owner on the server, so in all of theirs. */
  function acknowledge(ids) {
    ids.forEach((id) => held.acked.add(id));
    keep();
    show();
    if (manages()) gex.rest.send("POST", "/api/v1/alerts/acknowledged", { ids }).catch(() => {});
  }

  function dialog(wanted) {
    const node = byId("alerts");
    if (!node || node.open === wanted) return;
    if (!wanted) return node.close();
    node.showModal();
    list();
    gex.notices.offer(byId("alerts-notify"));
    gex.alertEditor.load();
  }

  // --- small parts, for the editor as well -----------------------------------------------------------

  function part(tag, words, css = "") {
    const node = document.createElement(tag);
    node.textContent = words;
    if (css) node.className = css;
    return node;
  }

  function button(words, action, title = "") {
    const node = part("button", words, "chip");
    node.type = "button";
    if (title) node.title = title;
    node.addEventListener("click", action);
    return node;
  }

  function row(...children) {
    const node = document.createElement("div");
    node.className = "row";
    node.append(...children);
    return node;
  }

  /** A request to our own REST; resolves to its document, rejects with words of what went wrong and what helps. */
  async function send(method, path, body) {
    let answer;
    try {
      answer = await fetch(path, { method, headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body) });
    } catch {
      throw new Error("The server can’t be reached. Nothing was changed.");
    }
    const said = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
    if (answer.ok) return said;
    throw new Error([said.detail || said.title || `The server answers ${answer.status}.`, said.cure].filter(Boolean).join(" "));
  }

  if (typeof document !== "undefined") {
    document.addEventListener("click", ({ target }) => {
      if (target.closest?.("#alerts-open")) dialog(true);
      if (target.closest?.("#alerts-close") || target.id === "alerts") dialog(false);
    });
    document.addEventListener("keydown", (event) => {
      const busy = event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]");
      if (busy || event.key.toLowerCase() !== "a" || event.target.closest?.("input, textarea, select")) return;
      event.preventDefault();
      dialog(true);
    });
    document.addEventListener("gex:address", mark);
    window.addEventListener("storage", ({ key }) => {
      if (key !== KEY) return; // another tab acknowledged
      held.acked = new Set(stored());
      show();
    });
  }

  gex.rest = { send };
  gex.alerts = { update, unacknowledged, list, parts: { part, button, row }, manages };
})();
