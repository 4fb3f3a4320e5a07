/* Under the Time view: two minutes compared, and the recorded days with their closing levels. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const write = {
    price: (value) => gex.format.price(value),
    strike: (value) => gex.format.strike(value ?? NaN),
    dollars: (value) => gex.format.dollars(value, true),
    gross: (value) => gex.format.dollars(value),
  };
  const DAYS = [
    ["Spot", ({ spot }) => gex.format.price(spot)],
    ["Flip", ({ flip }) => gex.format.level(flip)],
    ["Call wall", ({ call_wall }) => gex.format.strike(call_wall ?? NaN)],
    ["Put wall", ({ put_wall }) => gex.format.strike(put_wall ?? NaN)],
    ["Net GEX", ({ net_gex }) => gex.format.dollars(net_gex, true), ({ net_gex }) => net_gex],
    ["Max pain", ({ max_pain }) => gex.format.strike(max_pain ?? NaN)],
    ["Minutes", ({ minutes }) => gex.format.integer(minutes)],
  ];

  function made(tag, words = "", attributes = {}) {
    const node = document.createElement(tag);
    node.textContent = words;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  const sign = (value) => (value > 0 ? "positive" : value < 0 ? "negative" : "");

  function update(answer) {
    const place = document.getElementById("time-cards");
    if (!place) return;
    if (!answer.days) return place.replaceChildren();
    place.replaceChildren(...(answer.change ? [comparison(answer.change)] : []), calendar(answer));
  }

  function table(heads, rows) {
    const node = made("table");
    const head = node.createTHead().insertRow();
    for (const word of heads) head.append(made("th", word, { scope: "col" }));
    node.createTBody().append(...rows);
    const box = made("div", "", { class: "scrolls", tabindex: "0", role: "region", "aria-label": heads[0] });
    box.append(node);
    return box;
  }

  function row(name, cells) {
    const tr = made("tr");
    const head = made("th", "", { scope: "row" });
    head.append(name);
    tr.append(head, ...cells.map(([words, value]) => made("td", words, { "data-sign": sign(value) })));
    return tr;
  }

  /** Then and now, and where the change of net GEX comes from. */
  function comparison({ names, then, now, parts }) {
    const card = made("section", "", { class: "card" });
    card.append(made("h2", "Then and now"));
    const moment = (side) => (side ? gex.format.clock(side.at).replace(/:\d\d(?=\s*ET)/, "") : gex.format.UNKNOWN);
    const sameDay = then && now && gex.format.date(then.at) === gex.format.date(now.at);
    const heads = [then, now].map((side) => (side && !sameDay ? `${gex.format.date(side.at).split(", ")[1]} ${moment(side)}` : moment(side)));
    const rows = names.map(({ id, name, as }) => {
      const [before, after] = [then?.[id] ?? null, now?.[id] ?? null];
      const moved = before === null || after === null ? null : after - before;
      const difference = as === "dollars" || as === "gross" ? gex.format.dollars(moved, true) : gex.format.points(moved, as === "price" ? 2 : 0);
      return row(name, [[write[as](before)], [write[as](after)], [difference, moved]]);
    });
    card.append(table(["Level", ...heads, "Change"], rows), made("h2", "Where the change of net GEX comes from"));
    if (parts) card.append(table(["Cause", "Change"], parts.map(({ name, value }) => row(name, [[gex.format.dollars(value, true), value]]))));
    else card.append(made("p", then && now ? "Unknown: the recording was interrupted between the two." : "Unknown: one of the two minutes isn\u2019t recorded."));
    card.append(made("p", "All expiries under the default convention, added up minute by minute.", { class: "small" }));
    return card;
  }

  function address(day, newest) {
    const query = new URLSearchParams(location.search);
    for (const name of ["at", "day"]) query.delete(name);
    if (!newest) query.set("day", day);
    return `?${query}`;
  }

  function calendar({ symbol, days, grid }) {
    const card = made("section", "", { class: "card", id: "days" });
    card.append(made("h2", "Recorded days, closing levels"));
    const shown = grid?.time.day;
    const rows = days.map((one, i) => {
      const link = made("a", gex.format.date(one.last), { href: address(one.day, i === 0), class: one.day === shown ? "on" : "" });
      if (one.day === shown) link.setAttribute("aria-current", "page");
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        gex.past.go({ at: null, day: i === 0 ? null : one.day });
      });
      return row(link, DAYS.map(([, words, signed]) => [words(one), signed?.(one)]));
    });
    card.append(table(["Day", ...DAYS.map(([name]) => name)], rows), files(symbol, shown));
    card.append(made("p", "All expiries under the default convention.", { class: "small" }));
    return card;
  }

  /** The levels as files for other platforms. */
  function files(symbol, day) {
    const box = made("p", "", { class: "group" });
    const base = `/api/v1/gex/${encodeURIComponent(symbol.replace("/", "."))}/levels/file`;
    const links = [
      ["CSV, every day", `${base}?format=csv`, "Closing levels of each recorded day"],
      ["TradingView", `${base}?format=pine${day ? `&day=${day}` : ""}`, "A Pine script with this day\u2019s levels, to paste into TradingView\u2019s editor"],
      ["Line of levels", `${base}?format=line${day ? `&day=${day}` : ""}`, "This day\u2019s levels as one line of text"],
    ];
    for (const [words, href, title] of links) box.append(made("a", words, { href, title, class: "chip", download: "" }));
    return box;
  }

  gex.timeCards = { update };
})();
