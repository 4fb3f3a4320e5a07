/* The table twin of what is drawn: strikes, or expiries in their own view. It can be sorted, and saved as CSV. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const f = () => gex.format;
  const percent = (share, decimals) => f().percent(share, decimals, false);

  const EXPIRIES = [
    { id: "expiry", name: "Expiry", text: (row) => (row.today ? `${row.expiry} (0DTE)` : row.expiry), left: true },
    { id: "root", name: "Root", text: (row) => row.root, left: true },
    { id: "settlement", name: "Settles", text: (row) => `${row.settlement} ${f().clock(row.settles)}`, left: true },
    { id: "forward", name: "Forward", text: (row) => f().price(row.forward) },
    { id: "forward_source", name: "From", text: (row) => row.forward_source || f().UNKNOWN, left: true },
    { id: "atm_vol", name: "ATM vol", text: (row) => percent(row.atm_vol, 1) },
    { id: "move", name: "Expected move", text: (row) => (f().known(row.move) ? `\u00b1${f().price(row.move, 1)}` : f().UNKNOWN) },
    { id: "net_gex", name: "Net GEX", text: (row) => f().dollars(row.net_gex, true), signed: true, bar: true },
    { id: "gross_gex", name: "Gross GEX", text: (row) => f().dollars(row.gross_gex) },
    { id: "open_interest", name: "Open interest", text: (row) => f().integer(row.open_interest) },
    { id: "coverage", name: "Used", text: (row) => percent(row.coverage, 1) },
  ];
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

  const table = { columns: [], rows: [], by: "", down: false, wanted: false, answer: null };
  const box = () => document.getElementById("table-box");

  /** Fill the table from an answer; it is shown where it is asked for, and always where there is no picture. */
  function update(answer) {
    table.answer = answer;
    const expiries = Boolean(answer.expiries);
    const columns = expiries ? EXPIRIES : STRIKES;
    if (columns !== table.columns) Object.assign(table, { columns, by: columns[0].id, down: !expiries });
    const shown = expiries || table.wanted;
    box().hidden = !shown;
    document.getElementById("chart-box").hidden = shown;
    document.getElementById("panels").dataset.shows = expiries ? "expiries" : shown ? "table" : "chart";
    if (shown) render();
  }

  /** The table in place of the picture, or the picture again. */
  function toggle() {
    table.wanted = !table.wanted;
    if (table.answer?.strikes) update(table.answer);
    if (!table.wanted) gex.chart.render();
  }

  function listed() {
    const { answer } = table;
    if (answer.expiries) return answer.expiries;
    const data = gex.hover.table(answer);
    const spot = answer.levels.spot;
    return Array.from(data.strike, (strike, i) => ({
      strike,
      away: f().known(spot) ? (strike - spot) / spot : null,
      net_gex: data.call_gex[i] + data.put_gex[i],
      ...Object.fromEntries(STRIKES.slice(3).map(({ id }) => [id, data[id][i]])),
    }));
  }

  function render() {
    table.rows = listed();
    const names = table.columns.map((column) => column.id).join();
    if (box().dataset.columns !== names) build(names);
    for (const head of box().querySelectorAll("th")) {
      const on = head.dataset.id === table.by;
      head.setAttribute("aria-sort", on ? (table.down ? "descending" : "ascending") : "none");
    }
    const largest = Math.max(...table.rows.map((row) => Math.abs(row.net_gex || 0)), 1e-9);
    box().querySelector("tbody").replaceChildren(...ordered().map((row) => line(row, largest)));
  }

  const unknown = (value) => value === null || Number.isNaN(value);

  function ordered() {
    const side = table.down ? -1 : 1;
    return [...table.rows].sort((one, other) => {
      const [a, b] = [one[table.by], other[table.by]];
      // what is unknown stands last, whichever way
      if (unknown(a) || unknown(b)) return unknown(a) - unknown(b);
      return side * (a < b ? -1 : a > b ? 1 : 0) || (one.settles || 0) - (other.settles || 0);
    });
  }

  function line(row, largest) {
    const tr = document.createElement("tr");
    for (const column of table.columns) {
      const td = document.createElement("td");
      td.textContent = column.text(row);
      if (column.left) td.className = "left";
      if (column.signed) td.dataset.sign = row[column.id] > 0 ? "positive" : row[column.id] < 0 ? "negative" : "";
      if (column.bar) td.style.setProperty("--share", `${(100 * Math.abs(row[column.id] || 0)) / largest}%`);
      tr.append(td);
    }
    return tr;
  }

  function build(names) {
    const built = document.createElement("table");
    const head = built.createTHead().insertRow();
    for (const column of table.columns) {
      const th = document.createElement("th");
      th.dataset.id = column.id;
      th.scope = "col";
      if (column.left) th.className = "left";
      const button = document.createElement("button");
      button.textContent = column.name;
      button.addEventListener("click", () => {
        Object.assign(table, { down: table.by === column.id && !table.down, by: column.id });
        render();
      });
      th.append(button);
      head.append(th);
    }
    built.createTBody();
    box().dataset.columns = names;
    box().replaceChildren(built);
  }

  /** The rows as CSV, numbers bare, unknown empty. */
  function csv() {
    table.rows = listed();
    const cell = (value) => (value === null || value === undefined || Number.isNaN(value) ? "" : String(value));
    const lines = [table.columns.map((column) => column.id), ...ordered().map((row) => table.columns.map(({ id }) => cell(row[id])))];
    return lines.map((cells) => cells.join(",")).join("\r\n") + "\r\n";
  }

  function save() {
    if (!table.answer?.levels) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = `${fileName(table.answer)}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  /** A file's name: symbol and the instant of its data. */
  const fileName = (answer) => `gex-${answer.symbol.replace("/", ".")}-${new Date(answer.as_of).toISOString().slice(0, 19).replaceAll(":", "")}Z`;

  gex.table = { update, toggle, csv, save, fileName };
})();
