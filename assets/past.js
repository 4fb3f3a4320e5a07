/* Standing in the past: the slider over a day's recorded minutes, the keys that step through them, and the way back. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const MINUTE = 60000;
  const byId = (id) => document.getElementById(id);
  const bar = { past: null, minutes: [] };

  const query = () => new URLSearchParams(location.search);
  /** The instant that a word of the address names, in ms; null where it names none. */
  function instant(name) {
    const at = Date.parse(query().get(name) || "");
    return Number.isFinite(at) ? Math.floor(at / MINUTE) * MINUTE : null;
  }

  const text = (ms) => `${new Date(ms).toISOString().slice(0, 16)}Z`;

  /** Another address of the same page: {name: word, or null to leave it out}. */
  function go(changes) {
    const next = query();
    for (const [name, word] of Object.entries(changes)) word === null ? next.delete(name) : next.set(name, word);
    const said = next.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    globalThis.dash_clientside.set_props("url", { search: said ? `?${said}` : "" });
  }

  const live = () => go({ at: null, against: null, day: null });
  const stand = (ms) => go({ at: text(ms), day: null });

  /** The recorded minute before (-1) or after (+1) the one shown; after the last one of all comes the present. */
  function step(by) {
    const { past, minutes } = bar;
    if (!past) return by < 0 ? lookBack() : undefined;
    const at = (instant("at") ?? past.at) / MINUTE;
    const next = by < 0 ? minutes.findLast((minute) => minute < at) : minutes.find((minute) => minute > at);
    if (next !== undefined) return stand(next * MINUTE);
    const beyond = by < 0 ? past.before : past.after;
    if (beyond !== null) return stand(beyond);
    return by > 0 ? live() : undefined;
  }

  /** From the present to the last recorded minute. */
  function lookBack() {
    const { answer } = gex.live.tab;
    const now = gex.live.now();
    if (!now) return;
    const shown = answer && (gex.timeView.newest(answer) ?? answer.as_of);
    stand(Math.floor(Math.min(shown || now, now) / MINUTE) * MINUTE);
  }

  /** "13:42 ET, Nov 24": when what is shown was recorded. */
  function when(past) {
    const day = gex.format.isoDay(past.day);
    return past.whole_day ? day : `${gex.format.clock(past.at).replace(/:\d\d(?=\s*ET)/, "")}, ${day}`;
  }

  /** Fill the bar from an answer; it is there while the past is shown. */
  function show(answer) {
    const node = byId("past");
    if (!node) return;
    bar.past = answer.past || null;
    bar.minutes = (answer.past?.runs || []).flatMap(([first, count]) => Array.from({ length: count }, (_, i) => first + i));
    node.hidden = !bar.past;
    if (!bar.past) return;
    if (!node.childElementCount) build(node);
    const slider = byId("past-slider");
    slider.max = String(Math.max(0, bar.minutes.length - 1));
    slider.disabled = bar.minutes.length < 2;
    slider.value = String(Math.max(0, bar.minutes.findLastIndex((minute) => minute * MINUTE <= bar.past.at)));
    say(when(bar.past));
    byId("past-against").hidden = byId("page").dataset.view !== "time";
    byId("past-against").textContent = instant("against") === null ? "Compare from here" : "End comparison";
    byId("past-live").hidden = !["at", "against", "day"].some((name) => query().has(name)); // the last day, before today's first row
    if (answer.levels) {
      document.title = `${answer.symbol} recorded ${when(bar.past)}`;
      const summary = byId("summary");
      summary.textContent = `Recorded ${when(bar.past)}, not live. ${summary.textContent}`;
    }
  }

  function say(words) {
    byId("past-when").textContent = words;
    byId("past-slider").setAttribute("aria-valuetext", words);
  }

  function build(node) {
    node.innerHTML =
      '<button class="chip" data-past="back" title="The recorded minute before (,)" aria-label="The recorded minute before">\u25c2</button>' +
      '<input type="range" id="past-slider" min="0" step="1" aria-label="Recorded minute">' +
      '<button class="chip" data-past="on" title="The recorded minute after (.)" aria-label="The recorded minute after">\u25b8</button>' +
      '<output id="past-when" for="past-slider"></output>' +
      '<button class="chip" id="past-against" data-past="against" title="Compare other minutes with this one"></button>' +
      '<button class="chip on" id="past-live" data-past="live" title="Back to the present (L)">Back to live</button>';
    const slider = byId("past-slider");
    const chosen = () => bar.minutes[Number(slider.value)] * MINUTE;
    slider.addEventListener("input", () => say(when({ ...bar.past, at: chosen(), whole_day: false })));
    slider.addEventListener("change", () => stand(chosen()));
  }

  function against() {
    go(instant("against") === null ? { against: text(instant("at") ?? bar.past.at) } : { against: null });
  }

  const ACTIONS = { back: () => step(-1), on: () => step(1), live, look: lookBack, against };

  if (typeof document !== "undefined") {
    document.addEventListener("click", ({ target }) => ACTIONS[target.closest?.("[data-past]")?.dataset.past]?.());
  }

  gex.past = { go, instant, live, show, step, text, when };
})();
