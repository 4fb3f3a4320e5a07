/*
 * The live loop in the browser. The interval ticks; the gate asks only when the last answer is in (or is overdue), so a
 * server slower than the tick is never overrun and a refused connection never stops the page.
 */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const OVERDUE_MS = 3000;
  const MOST_PATIENCE_MS = 9000;

  const tab = {
    seq: 0,
    firstSeq: 0,
    key: "", // what the address asks for
    pending: null, // {seq, at, key}
    patience: OVERDUE_MS,
    etag: "", // of what is drawn
    drawnKey: "",
    crop: null,
    ack: null,
    answer: null,
    newest: null, // seq of the last picture that came, drawn or not
    heardAt: 0,
    resumedAt: performance.now(), // when the page was opened, or came back into sight
    frozen: false,
    painted: null, // what is on the screen: of a page held still not the newest answer
    once: false, // whether the next answer is painted all the same
  };

  const nothing = () => globalThis.dash_clientside.no_update;
  const pagePath = (path) => /^\/gex\/[^/]+\/?$/.test(path || "");

  /** Interval and address -> the next question, or nothing while one is under way. */
  function gate(_ticks, pathname, search) {
    gex.still.place();
    const problem = document.getElementById("problem")?.childElementCount > 0;
    document.getElementById("page").toggleAttribute("data-problem", problem);
    if (!pagePath(pathname) || problem) return nothing();
    const now = performance.now();
    const key = `${decodeURIComponent(pathname).slice("/gex/".length)}${search || ""}`;
    const moved = key !== tab.key;
    if (moved) changeTo(key, pathname, search);
    if (!moved && (document.hidden || waiting(now))) return nothing();
    tab.pending = { seq: ++tab.seq, at: now, key };
    return {
      seq: tab.seq,
      symbol: key.split("?")[0],
      search: search || "",
      have: tab.drawnKey === key ? tab.etag : "",
      feed: tab.ack?.feed?.id || "",
      cache: tab.ack?.cache?.id || "",
      alerts: tab.ack?.alerts?.id || "",
      table: gex.table.wanted(),
      crop: tab.crop,
    };
  }

  function waiting(now) {
    if (!tab.pending) return false;
    if (tab.pending.failed) return false;
    if (now - tab.pending.at < tab.patience) return true;
    // an answer slower than our patience would be thrown away for ever: wait longer each time, up to a limit
    tab.patience = Math.min(tab.patience * 1.5, MOST_PATIENCE_MS);
    return false;
  }

  function changeTo(key, pathname, search) {
    const symbolChanged = key.split("?")[0] !== tab.key.split("?")[0];
    tab.key = key;
    document.getElementById("page").dataset.view = new URLSearchParams(search || "").get("view") || "overview";
    tab.firstSeq = tab.seq + 1; // answers to earlier questions are another page's
    tab.crop = gex.zoom.read(search);
    if (tab.crop) {
      const pad = 0.3 * (tab.crop[1] - tab.crop[0]);
      tab.crop = [Math.max(0, tab.crop[0] - pad), tab.crop[1] + pad];
    }
    gex.tiles.forget();
    tab.once = true; // a page held still shows what was just chosen, and stays still
    if (symbolChanged) blank();
    document.getElementById("page").dataset.pending = "true";
    document.dispatchEvent(new CustomEvent("gex:address"));
  }

  /** Another symbol: not one number of the one before may stay. */
  function blank() {
    Object.assign(tab, { answer: null, painted: null });
    document.getElementById("page").removeAttribute("data-drawn");
    gex.status.notice("");
    gex.tiles.blank();
    gex.cards.changed(null);
    gex.tiles.untitle(tab.key.split("?")[0]);
  }

  /**
   * What came of a question: always an acknowledgement, and a picture when there is news. One callback for both: each costs
   * the browser a walk through every component. Returns the expiry dates when they changed: the chips list them.
   */
  function hear(ack, answer) {
    const isNews = answer && answer.seq !== tab.newest;
    tab.newest = answer?.seq;
    heard(ack);
    return isNews ? draw(answer) : nothing();
  }

  function heard(ack) {
    if (!ack || ack.seq < (tab.pending || tab.ack || ack).seq) return;
    if (tab.pending) tab.took = performance.now() - tab.pending.at;
    tab.pending = null;
    tab.patience = OVERDUE_MS;
    tab.ack = whole(ack);
    tab.heardAt = performance.now();
    gex.alerts.update(tab.ack.alerts, ack.now);
    if (ack.waiting) gex.status.notice(awaited(tab.ack));
    show();
  }

  /** An acknowledgement with the parts that it left out because this tab has them: feed, cache and alerts. */
  function whole({ beat, ...ack }) {
    const { feed, cache, alerts } = { ...tab.ack, ...ack };
    const [frame, heartbeat] = beat || [null, null];
    return { ...ack, cache, alerts, feed: beat && feed ? { ...feed, frame, heartbeat } : feed };
  }

  function awaited(ack) {
    const state = ack.feed?.state;
    if (state === "signed_out") return "Sign in with Schwab to see live data.";
    if (state === "live" || state === "connecting") return `Reading the option chain of ${ack.symbol}\u2026`;
    return `No option chain of ${ack.symbol} has been read yet.`;
  }

  /** A picture -> the screen. */
  function draw(answer) {
    if (!answer || answer.seq < tab.firstSeq) return nothing();
    const joined = gex.timeView.received(answer, tab.answer);
    if (!joined) return again() ?? nothing();
    const fresh = { ...joined, key: tab.key };
    tab.answer = fresh;
    tab.etag = answer.etag;
    tab.drawnKey = tab.key;
    delete document.getElementById("page").dataset.pending;
    if (!tab.frozen || tab.once) paint(fresh);
    tab.once = false;
    show();
    return dates(answer);
  }

  function paint(answer) {
    tab.painted = answer;
    if (answer.status === "empty") {
      gex.status.notice(`The option chain of ${answer.symbol} holds nothing to show under this choice. Choose other expiries.`);
      gex.tiles.blank();
      gex.tiles.untitle(answer.symbol);
      gex.cards.changed(null);
      return;
    }
    gex.status.notice(answer.words || "");
    document.getElementById("page").dataset.drawn = "true";
    document.getElementById("page").toggleAttribute("data-words", Boolean(answer.words));
    const query = answer.key.split("?")[1] || "";
    if (answer.levels) gex.tiles.update(answer, query);
    else gex.tiles.untitle(answer.symbol || answer.key.split("?")[0]);
    if (answer.summary) document.getElementById("summary").textContent = answer.missing ? `${answer.summary} Read in part: ${answer.missing} expiry dates are missing.` : answer.summary;
    if (answer.words && !answer.levels) gex.tiles.blank();
    gex.past.show(answer);
    gex.timeCards.update(answer);
    gex.cards.changed(answer.changed);
    gex.beside.update(answer);
    if (answer.words) return;
    gex.table.update(answer);
    if (answer.stage) gex.stages[answer.stage]?.(document.getElementById("stage"), answer);
    else gex.chart.draw(answer, answer.key, gex.zoom.read(`?${query}`));
  }

  let lastDates = "";
  function dates(answer) {
    const text = (answer.dates || []).join(",");
    if (!text || text === lastDates) return nothing();
    lastDates = text;
    return answer.dates;
  }

  /** The server's clock now, carried forward by this browser's monotonic one. */
  const serverNow = () => (tab.ack ? tab.ack.now + (performance.now() - tab.heardAt) : null);

  /** How far an answer can be trusted now; this tab's own, or another symbol's that came with it. */
  function judge(answer) {
    const silent = performance.now() - Math.max(tab.heardAt, tab.resumedAt);
    const refreshing = tab.heardAt < tab.resumedAt;
    return gex.fresh.judge({ ack: tab.ack, answer, now: serverNow(), silent, status: refusal(), refreshing });
  }

  /** Everything whose words change as time passes. */
  function show() {
    if (!document.getElementById("state")) return;
    const now = serverNow();
    const held = tab.frozen && tab.painted;
    const verdict = held ? gex.fresh.frozen(judge(tab.answer), held) : judge(tab.answer);
    gex.status.update(verdict, { ack: tab.ack, answer: tab.answer, now, silent: performance.now() - tab.heardAt });
    if (tab.ack?.cache) gex.cards.update(tab.ack, now, verdict.cut ? verdict.why : "");
    const shown = held || tab.answer;
    if (shown?.levels) gex.tiles.age(verdict, shown, now);
    gex.tiles.entitle(verdict);
  }

  /** Ask at once for the whole picture, as when the table is wanted too. */
  function again() {
    Object.assign(tab, { etag: "", pending: null, once: true });
    globalThis.dash_clientside?.set_props?.("tick", { n_intervals: 0 });
  }

  /** The HTTP status of the last question when it failed, else null. */
  const refusal = () => (tab.pending?.failed ? gex.net.link.status : null);

  /** Hold the picture still, or go on. */
  function freeze() {
    tab.frozen = !tab.frozen;
    if (!tab.frozen && tab.answer) paint(tab.answer);
    show();
  }

  const clocks = { wall: Date.now(), steady: performance.now() };

  function tick() {
    const [wall, steady] = [Date.now(), performance.now()];
    // the steady clock stands still while a computer sleeps: only the wall clock tells
    if (wall - clocks.wall - (steady - clocks.steady) > 4000) resume();
    Object.assign(clocks, { wall, steady });
    forget();
    if (document.hidden) return;
    show();
    document.dispatchEvent(new CustomEvent("gex:second", { detail: { now: serverNow() } }));
  }

  /** Dash notes every tick for an undo that this page doesn't have: 90,000 a day, copied at each one. */
  function forget() {
    for (const store of globalThis.dash_stores || []) {
      const { history } = store.getState();
      if (history?.past) history.past.length = 0;
    }
  }

  /** Back in sight, or awake: nothing that is shown counts as live until the next answer, which is asked for at once. */
  function resume() {
    tab.pending = null;
    tab.resumedAt = performance.now();
    globalThis.dash_clientside?.set_props?.("tick", { n_intervals: 0 });
    show();
  }

  if (typeof document !== "undefined") {
    document.addEventListener("gex:refused", () => {
      if (tab.pending) tab.pending.failed = true;
      show();
    });
    setInterval(tick, 1000);
    document.addEventListener("visibilitychange", () => (document.hidden ? show() : resume()));
  }

  globalThis.dash_clientside = Object.assign(globalThis.dash_clientside || {}, { live: { gate, hear } });
  gex.live = { again, freeze, judge, now: serverNow, tab };
  // views that draw themselves, by the name in an answer's `stage`: (element, answer) -> nothing
  gex.stages ||= {};
})();
