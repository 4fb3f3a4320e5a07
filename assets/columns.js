/* What the tables list: a column's id is its key in the rows and its name in the CSV. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const f = () => gex.format;
  const percent = (share, decimals) => f().percent(share, decimals, false);

  const EXPIRIES = [
    { id: "expiry", name: "Expiry", text: (row) => (row.today ? `${row.expiry} (0DTE)` : row.expiry), left: true },
    { id: "root", name: "Root", text: (row) => row.root, left: true },
    { id: "settlement", name: "Settles", text: (row) => `${row.settlement} ${f().minute(row.settles)}`, left: true },
    { id: "forward", name: "Forward", text: (row) => f().price(row.forward) },
    { id: "forward_source", name: "From", text: (row) => row.forward_source || f().UNKNOWN, left: true },
    { id: "atm_vol", name: "ATM vol", text: (row) => percent(row.atm_vol, 1) },
    { id: "skew", name: "25Δ skew", text: (row) => f().percent(row.skew, 1) },
    { id: "move", name: "Expected move", text: (row) => f().move(row.move) },
    { id: "net_gex", name: "Net GEX", text: (row) => f().dollars(row.net_gex, true), signed: true, bar: true },
    { id: "gross_gex", name: "Gross GEX", text: (row) => f().dollars(row.gross_gex) },
    { id: "open_interest", name: "Open interest", text: (row) => f().integer(row.open_interest) },
    { id: "coverage", name: "Used", text: (row) => percent(row.coverage, 1) },
  ];
  const barred = (id, name) => ({ id, name, bar: true, signed: true, text: (row) => (row[id] === undefined ? "" : f().dollars(row[id], true)) });
  const dollars = (id, name, bar) => ({ id, name, bar, text: (row) => f().dollars(row[id], true), signed: true });
  const count = (id, name) => ({ id, name, text: (row) => f().integer(row[id]) });
  const STRIKES = [
    { id: "strike", name: "Strike", text: (row) => f().strike(row.strike), left: true },
    { id: "away", name: "From spot", text: (row) => f().percent(row.away) },
    dollars("net_gex", "Net GEX", true),
    dollars("call_gex", "Call GEX"),
    dollars("put_gex", "Put GEX"),
    count("call_oi", "Call OI"),
    count("put_oi", "Put OI"),
    count("call_volume", "Call volume"),
    count("put_volume", "Put volume"),
  ];
  const GREEKS = [
    barred("dex", "DEX, $"),
    barred("vex", "VEX, $ / vol pt"),
    barred("chex_hour", "CHEX 0DTE, $ / h"),
    barred("chex_day", "CHEX, $ / day"),
  ];
  const KINDS = {
    strikes: STRIKES,
    expiries: EXPIRIES,
    greeks: [...STRIKES.slice(0, 2), ...GREEKS],
    greeks_by_expiry: [EXPIRIES[0], ...GREEKS],
  };

  const unknownOr = (value, text) => (f().known(value) ? text(value) : f().UNKNOWN);
  // how a value of a column that the server describes is written
  const AS = {
    text: (value) => value ?? f().UNKNOWN,
    price: (value) => f().price(value),
    strike: (value) => f().strike(value ?? NaN),
    days: (value) => unknownOr(value, () => f().price(value, value < 10 ? 1 : 0)),
    points: (value) => f().points(value),
    percent: (value) => percent(value, 1),
    move: (value) => f().move(value),
    share: (value) => f().percent(value),
    dollars: (value) => f().dollars(value, true),
    gross: (value) => f().dollars(value),
    integer: (value) => f().integer(value),
    number: (value) => unknownOr(value, () => f().price(value, 3)),
    span: (value) => f().span(value),
    clock: (value) => f().clock(value),
    instant: (value) => unknownOr(value, () => `${f().date(value)} ${f().clock(value)}`),
  };

  /** Of a heatmap: a column for each of its own. The ids are c0, c1, ..., as gex.table lists the cells; a CSV has whole dates. */
  function grid({ panels }) {
    const heads = panels.flatMap(({ labels, dates, per }) => labels.map((name, i) => ({ name, saved: per ? `${dates[i]} ${per}` : dates[i] })));
    const contracts = panels.some((panel) => panel.contracts);
    return own([
      { id: "strike", name: "Strike", as: "strike", left: true },
      ...heads.map((head, i) => ({ ...head, id: `c${i}`, as: contracts ? "integer" : "dollars", signed: !contracts })),
    ]);
  }

  let described = { key: "", columns: [] };
  /** Columns that an answer describes itself: [{id, name, as, left, bar, signed}]. */
  function own(said) {
    const key = JSON.stringify(said);
    if (described.key !== key) {
      described = { key, columns: said.map((column) => ({ ...column, text: (row) => AS[column.as || "text"](row[column.id]) })) };
    }
    return described.columns;
  }

  /** The columns of an answer's table. */
  const of = (answer) => (answer.columns === "grid" ? grid(answer) : Array.isArray(answer.columns) ? own(answer.columns) : KINDS[answer.columns] || STRIKES);

  gex.columns = { of, GREEKS };
})();
