/* The cards of a comparison: each symbol's levels in short, each with its own freshness. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const byId = (id) => document.getElementById(id);
  const REGIME = { short: "Short gamma", long: "Long gamma" };
  const BY_TRUST = ["live", "closed", "past", "frozen", "delayed", "connecting", "stale", "down"];
  let shown = [];

  function part(tag, css, words) {
    const node = document.createElement(tag);
    node.className = css;
    node.textContent = words;
    return node;
  }

  /** Fill the cards, or hide them where an answer has none. */
  function update(answer) {
    shown = answer.beside || [];
    byId("beside").hidden = !shown.length;
    byId("beside").replaceChildren(...(answer.sum ? [summed(answer.sum)] : []), ...shown.map(card));
    byId("note").hidden = !answer.note;
    if (byId("note").textContent !== (answer.note || "")) byId("note").textContent = answer.note || "";
    age();
  }

  function card(member) {
    const node = part("article", "member", "");
    node.dataset.symbol = member.symbol;
    node.toggleAttribute("data-part", Boolean(member.missing));
    const head = part("h2", "", "");
    const link = part("a", "", member.symbol);
    const then = member.past ? `?at=${gex.past.text(member.past.at)}` : "";
    link.href = `/gex/${encodeURIComponent(member.symbol.replace("/", "."))}${then}`;
    head.append(link, part("span", "state", ""));
    node.append(head, ...(member.why ? [part("p", "why", member.why)] : figures(member)));
    return node;
  }

  /** All members together; as fresh as the one that can be trusted least. */
  function summed(sum) {
    const node = part("article", "member sum", "");
    const head = part("h2", "", "");
    head.append(part("span", "", sum.symbol), part("span", "state", ""));
    node.append(head, ...figures(sum));
    return node;
  }

  function figures({ levels, missing }) {
    const { price, level, percent, points, dollars, known } = gex.format;
    const away = known(levels.flip) && known(levels.spot) ? percent((levels.flip - levels.spot) / levels.spot) : "";
    const list = part("dl", "", "");
    const rows = [
      ["Spot", price(levels.spot), percent(levels.change_share), levels.change_share],
      ["Flip", level(levels.flip), away, 0],
      ["Net GEX", dollars(levels.net_gex, true), missing ? "Read in part" : REGIME[levels.regime] || "", levels.net_gex],
    ];
    for (const [name, value, small, sign] of rows) {
      const row = part("div", "", "");
      const figure = part("dd", "", value);
      if (name === "Net GEX") figure.dataset.sign = sign > 0 ? "positive" : sign < 0 ? "negative" : "";
      row.append(part("dt", "", name), figure, part("dd", "small", small));
      list.append(row);
    }
    return [list];
  }

  /** The state and age of each; they grow by themselves. */
  function age() {
    const told = shown.filter((member) => !member.why);
    const verdicts = told.map(gex.live.judge);
    told.forEach((member, i) => tell(byId("beside").querySelector(`[data-symbol="${CSS.escape(member.symbol)}"]`), verdicts[i]));
    tell(byId("beside")?.querySelector(".sum"), verdicts.reduce(worse, null));
  }

  const worse = (one, other) => (!one || BY_TRUST.indexOf(other.state) > BY_TRUST.indexOf(one.state) ? other : one);

  function tell(node, verdict) {
    const place = node?.querySelector(".state");
    if (!place || !verdict) return;
    node.dataset.state = verdict.state;
    const old = verdict.since && verdict.state !== "closed" ? ` ${gex.format.span(gex.live.now() - verdict.since)}` : "";
    const words = `${verdict.word}${old}`;
    if (place.textContent !== words) place.textContent = words;
    place.title = verdict.why;
  }

  if (typeof document !== "undefined") document.addEventListener("gex:second", age);

  gex.beside = { update };
})();
