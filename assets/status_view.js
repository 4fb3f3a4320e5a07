/* The Status view's cards and its list of chains: an answer's `cards` and `chains`. Ages grow in the browser. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const byId = (id) => document.getElementById(id);
  const CHAINS = [
    ["Symbol", ({ symbol }) => symbol],
    ["Published", ({ published }, now) => ago(published, now)],
    ["Version", ({ version }) => gex.format.integer(version)],
    ["Contracts", ({ contracts }) => gex.format.integer(contracts)],
    ["Streaming", ({ streaming }) => gex.format.integer(streaming)],
    ["Of gamma", ({ share }) => gex.format.percent(share, 0, false)],
    ["Oldest swept", ({ swept }, now) => ago(swept, now)],
  ];

  const ago = (at, now) => (gex.format.known(at) ? `${gex.format.span(Math.max(0, now - at))} ago` : gex.format.UNKNOWN);

  function words({ value, ago: since, until, plain }, now) {
    const { known, span, UNKNOWN } = gex.format;
    if (known(since)) return plain ? span(now - since) : ago(since, now);
    if (known(until)) return until > now ? span(until - now) : "Ended";
    return value ?? UNKNOWN;
  }

  /** Fill the cards; called every second and with each answer. */
  function show(now) {
    const answer = gex.live.tab.answer;
    const place = byId("status-cards");
    if (!place || !answer?.cards || !gex.format.known(now)) return;
    const shape = JSON.stringify([answer.cards.map(({ title, facts }) => [title, facts.map(({ name, link }) => [name, link])]), answer.chains.map(({ symbol }) => symbol)]);
    if (place.dataset.shape !== shape) build(place, answer, shape);
    answer.cards.forEach(({ facts }, i) => facts.forEach((fact, k) => fill(place.querySelector(`[data-fact="${i}-${k}"]`), fact, now)));
    here().facts.forEach((fact, k) => fill(place.querySelector(`[data-fact="here-${k}"]`), fact, now));
    const cells = place.querySelectorAll("tbody td, tbody th");
    answer.chains.forEach((chain, row) => CHAINS.forEach(([, text], k) => set(cells[row * CHAINS.length + k], text(chain, now))));
  }

  /** What only this tab knows: how its questions fare. */
  function here() {
    const { tab } = gex.live;
    const { span, integer, known, UNKNOWN } = gex.format;
    const took = known(tab.took) ? `${integer(tab.took)}\u00a0ms` : UNKNOWN;
    return {
      title: "This browser",
      facts: [
        { name: "Last answer", value: `${span(performance.now() - tab.heardAt)} ago` },
        { name: "Took", value: took, why: "From the question to its answer, the network included" },
        { name: "Questions", value: integer(tab.seq), why: "Since this page was opened" },
        { name: "Clock differs by", value: tab.ack ? span(Math.abs(Date.now() - tab.ack.now - (performance.now() - tab.heardAt))) : UNKNOWN, why: "This computer’s clock and the server’s; ages use the server’s" },
      ],
    };
  }

  function set(node, text) {
    if (node && node.textContent !== text) node.textContent = text;
  }

  function fill(node, fact, now) {
    if (!node) return;
    const text = words(fact, now);
    set(node.querySelector("a") || node, text);
    const state = fact.state || "";
    if (node.dataset.state !== state) node.dataset.state = state;
    const at = fact.ago ?? fact.until;
    const title = gex.format.known(at) ? `${gex.format.date(at)} ${gex.format.clock(at)}` : fact.why || "";
    if (node.title !== title) node.title = title;
  }

  function build(place, answer, shape) {
    place.dataset.shape = shape;
    place.replaceChildren(chains(answer.chains), ...answer.cards.map(card), card(here(), "here"));
  }

  const element = (tag, ...children) => {
    const node = document.createElement(tag);
    node.append(...children);
    return node;
  };

  function card({ title, facts }, i) {
    const list = element("dl", ...facts.map((fact, k) => line(fact, `${i}-${k}`)));
    const node = element("section", element("h2", title), list);
    node.className = "card";
    return node;
  }

  function line({ name, link }, id) {
    const value = element("dd");
    value.dataset.fact = id;
    if (link) {
      const to = element("a");
      to.href = link;
      value.append(to);
    }
    return element("div", element("dt", name), value);
  }

  function chains(rows) {
    const head = element("tr", ...CHAINS.map(([name]) => scoped(element("th", name), "col")));
    const body = rows.map(() => element("tr", ...CHAINS.map((_, k) => (k ? element("td") : scoped(element("th"), "row")))));
    const table = element("table", element("thead", head), element("tbody", ...body));
    const box = element("div", table);
    box.className = "wide";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Chains");
    const node = element("section", element("h2", "Chains"), rows.length ? box : element("p", "No symbol is known while the cache is away."));
    node.className = "card chains";
    return node;
  }

  function scoped(node, scope) {
    node.scope = scope;
    return node;
  }

  if (typeof document !== "undefined") document.addEventListener("gex:second", ({ detail }) => show(detail.now));
  gex.statusView = { words };
})();
