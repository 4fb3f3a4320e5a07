/* The page's state in the header, the banner that says what is wrong and what helps, and the clock. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const LOGIN = "/login";
  const byId = (id) => document.getElementById(id);
  let source = ""; // whose data it is: the last that was said, for an answer may not and a feed may be out of hearing

  function text(id, value) {
    const node = byId(id);
    if (node && node.textContent !== value) node.textContent = value;
  }

  /** Show a verdict of gex.fresh.judge. */
  function update(state, { ack, answer, now, silent }) {
    byId("page").dataset.state = state.state;
    byId("page").toggleAttribute("data-cut", Boolean(state.cut));
    text("state-word", state.word);
    text("state-age", age(state, now));
    byId("state").title = [`${state.why}${state.since ? ` Since ${gex.format.clock(state.since)}.` : ""}`, ...ages(ack, now, silent)].join("\n");
    source = answer?.source || ack?.feed?.source || source;
    byId("simulated").hidden = source !== "simulator";
    clock(answer, now);
    banner(state, { ack, answer, now });
  }

  /** Feed, cache and the link to this browser: each has an age of its own. */
  function ages(ack, now, silent) {
    const { span, known } = gex.format;
    const ago = (at) => (known(at) ? `${span(Math.max(0, now - at))} ago` : "unknown");
    const asked = known(silent) ? `${span(silent)} ago` : "unknown";
    return ack ? [`Feed: last frame ${ago(ack.feed?.frame)}`, `Cache: chain published ${ago(ack.published)}`, `This browser: last answer ${asked}`] : [];
  }

  /** How old what is shown is; of a closed market, its day. */
  function age({ state, since }, now) {
    if (!since) return "";
    return state === "closed" ? gex.format.day(since, now) : gex.format.span(now - since);
  }

  const SESSION = { open: "Open", closed: "", unknown: "" };

  function clock(answer, now) {
    const session = SESSION[answer?.session] || "";
    text("clock", now ? `${session} ${gex.format.clock(now)}`.trim() : "");
    if (now) byId("clock").title = gex.format.local(now);
  }

  /** One line over the levels: the problem, since when, and the cure. */
  function banner(state, { ack, answer, now }) {
    const node = byId("banner");
    const found = problem(state, { ack, answer, now });
    node.hidden = !found;
    if (!found) return;
    node.dataset.state = found.state || state.state;
    const key = `${found.message}|${found.cure}|${found.link}`;
    if (node.dataset.key === key) return;
    node.dataset.key = key;
    node.replaceChildren(part("strong", found.message), part("span", found.cure || ""));
    if (found.link) {
      const link = part("a", "Sign in");
      link.href = found.link;
      node.append(link);
    }
  }

  function part(tag, words) {
    const node = document.createElement(tag);
    node.textContent = words;
    return node;
  }

  function problem(state, { ack, answer, now }) {
    if (state.why === "You are no longer signed in.") return { message: state.why, cure: "", link: LOGIN };
    if (state.state === "down" && state.word === "Disconnected" && !ack?.problem) return { message: state.why, cure: since(state) };
    if (ack?.problem) return { message: ack.problem.message, cure: ack.problem.cure };
    if (ack?.feed?.problem) return ofFeed(ack.feed, state);
    if (ack?.feed?.state === "signed_out") {
      return { message: "Signed out of Schwab.", cure: "Only a login in the browser brings the feed back.", link: LOGIN };
    }
    if (ending(ack?.feed, now)) {
      const left = gex.format.span(ack.feed.login_ends - now);
      return { state: "delayed", message: `The Schwab login ends in ${left}.`, cure: "Sign in again before then to keep the feed.", link: LOGIN };
    }
    if (state.state === "stale" || state.state === "down") return { message: state.why, cure: since(state) };
    if (answer?.error) return { message: answer.error, cure: "" };
    return answer?.missing ? notWhole(answer.missing) : null;
  }

  const notWhole = (missing) => ({
    state: "delayed",
    message: `${missing} expiry ${missing === 1 ? "date has" : "dates have"} not been read yet: no total or level is whole.`,
    cure: "The feed reads them in turn, the nearest first.",
  });

  function ofFeed(feed, state) {
    const { message, cure } = feed.problem;
    const calm = state.state === "live" || state.state === "closed";
    return { state: calm ? "delayed" : state.state, message, cure, link: /sign|log ?in/i.test(cure) || feed.state === "signed_out" ? LOGIN : "" };
  }

  const since = (state) => (state.since ? `Last data ${gex.format.clock(state.since)}.` : "");
  const ending = (feed, now) => feed?.source === "schwab" && feed.login_ends && feed.login_ends - now < 86400000;

  /** Words in place of the panels: what is awaited, or why there is nothing. "" shows the panels. */
  function notice(words) {
    const node = byId("notice");
    if (!node) return;
    node.hidden = !words;
    if (node.textContent !== words) node.textContent = words;
  }

  gex.status = { update, notice, problem };
})();
