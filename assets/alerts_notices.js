/*
 * Alerts as the browser's own notifications. Asked for on a click only. While the tab is out of sight its page asks nothing;
 * where notifications are on, the alerts alone are asked for, by the clock of a worker: the browser slows a hidden page's own.
 */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const KEY = "gex-notify";
  const EVERY_MS = 5000;
  const ADDRESS = "/api/v1/alerts";

  if (typeof WorkerGlobalScope !== "undefined") {
    setInterval(() => postMessage("tick"), EVERY_MS);
    return;
  }

  const state = { worker: null, etag: "" };

  const possible = () => typeof Notification !== "undefined" && window.isSecureContext;

  function wanted() {
    try {
      return localStorage.getItem(KEY) === "yes";
    } catch {
      return false;
    }
  }

  const on = () => possible() && wanted() && Notification.permission === "granted";

  /** Show news; one notification for each, whatever the number of tabs. */
  function say(news) {
    if (!on()) return;
    for (const alert of news) {
      const shown = new Notification(alert.symbol ? `${alert.symbol}: alert` : "GEX: alert", { body: alert.text, tag: alert.id });
      shown.onclick = () => {
        window.focus();
        shown.close();
      };
    }
  }

  /** The switch, or why there is none. */
  function offer(place) {
    const { part, button } = gex.alerts.parts;
    if (!possible()) return place.replaceChildren(part("p", "This browser gives notifications only to pages on https or on this machine.", "hint"));
    if (Notification.permission === "denied") {
      return place.replaceChildren(part("p", "Notifications of this page are blocked in the browser’s site settings.", "hint"));
    }
    const words = on() ? "Notifications are on in this browser" : "Notify me in this browser";
    const node = button(words, async () => {
      await turn(!on());
      offer(place);
    });
    node.setAttribute("aria-pressed", String(on()));
    node.classList.toggle("on", on());
    return place.replaceChildren(node, part("span", "as long as a tab of the dashboard is open", "hint"));
  }

  async function turn(wish) {
    if (wish && Notification.permission !== "granted" && (await Notification.requestPermission()) !== "granted") return;
    try {
      localStorage.setItem(KEY, wish ? "yes" : "no");
    } catch {
      return;
    }
    listen();
  }

  function listen() {
    if (on() && !state.worker) {
      state.worker = new Worker(document.querySelector('script[src*="/alerts_notices."]').src);
      state.worker.onmessage = ask;
    } else if (!on() && state.worker) {
      state.worker.terminate();
      state.worker = null;
    }
  }

  async function ask() {
    if (!document.hidden) return; // the page's own loop tells
    try {
      const answer = await fetch(ADDRESS, { headers: state.etag ? { "If-None-Match": state.etag } : {} });
      if (!answer.ok) return;
      state.etag = answer.headers.get("ETag") || "";
      const { alerts, acknowledged } = await answer.json();
      const fired = alerts.slice(0, 30).map((alert) => ({ ...alert, at: Date.parse(alert.at), acked: acknowledged.includes(alert.id) }));
      gex.alerts.update({ id: `rest ${state.etag}`, fired }, Date.parse(answer.headers.get("Date")));
    } catch {
      // asked again in a moment
    }
  }

  if (typeof document !== "undefined") listen();
  gex.notices = { say, offer };
})();
