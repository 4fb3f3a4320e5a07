/* The table twin of what is drawn: strikes, or the rows of a view that is a table. It can be sorted, and saved as CSV. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const table = { columns: [], rows: [], by: "", down: false, wanted: null, view: "", saving: false, answer: null };
  const box = () => document.getElementById("table-box");

  /** Fill the table from an answer; it is shown where it is asked for, and always where there is no picture. */
  function update(answer) {
    table.answer = answer;
    const alone = Boolean(answer.rows) && !answer.plain && !answer.stage && !answer.panels;
    const columns = gex.columns.of(answer);
    // strikes are read from the highest down, as on the ladder; all else from the first on
    if (columns !== table.columns) Object.assign(table, { columns, by: (answer.plain && !alone) || Array.isArray(answer.columns) ? "" : columns[0].id, down: !answer.rows });
    const shown = alone || (table.wanted ?? answer.prefer === "table");
    const button = document.querySelector("[data-export=table]");
    if (button) button.textContent = shown ? "Chart" : "Table";
    box().hidden = !shown;
    document.getElementById("chart-box").hidden = shown || Boolean(answer.stage);
    document.getElementById("stage").hidden = shown || !answer.stage;
    document.getElementById("panels").dataset.shows = alone ? "rows" : shown ? "table" : answer.stage ? "stage" : answer.plain ? "plain" : "chart";
    if (answer.tabled === false) return empty();
    if (shown) render();
    return table.saving ? save() : undefined;
  }

  /** Until its rows come, the table shows none rather than another view's. */
  function empty() {
    box().dataset.columns = "";
    box().replaceChildren();
  }

  /** Whether the table is shown by choice: it is sent only then. Null where nobody chose in this view. */
  function wanted() {
    const { view } = document.getElementById("page").dataset;
    if (table.view !== view) Object.assign(table, { view, wanted: null, saving: false });
    return table.saving || table.wanted;
  }

  /** The table in place of the picture, or the picture again. */
  function toggle() {
    table.wanted = !(table.wanted ?? table.answer?.prefer === "table");
    if (table.answer?.columns) update(table.answer);
    if (table.answer?.tabled === false) gex.live.again();
    if (!table.wanted) gex.chart.render();
  }

  function listed() {
    const { answer, columns } = table;
    if (answer.rows) return answer.rows;
    if (answer.columns === "grid") return cells(answer);
    if (answer.listed) return unpacked(answer.listed);
    const data = gex.hover.table(answer);
    const { spot } = answer.levels;
    return Array.from(data.strike, (strike, i) => ({
      ...Object.fromEntries(columns.filter(({ id }) => data[id]).map(({ id }) => [id, data[id][i]])),
      away: gex.format.known(spot) ? (strike - spot) / spot : null,
      net_gex: data.call_gex[i] + data.put_gex[i],
    }));
  }

  /** Rows out of columns of typed arrays. */
  function unpacked(listed) {
    const data = Object.fromEntries(Object.entries(listed).map(([id, spec]) => [id, gex.decode.words(spec)]));
    const first = Object.values(data)[0];
    return Array.from(first, (_, i) => Object.fromEntries(Object.keys(data).map((id) => [id, data[id][i]])));
  }

  /** Exposures of the map are sent rounded for drawing (0.025 %): no more digits than are known. */
  const rounded = (value) => Number(value.toPrecision(4));

  /** The heatmaps' cells as rows: every strike once, c0, c1, ... from the first panel to the last. */
  function cells({ panels, traces }) {
    const rows = new Map();
    let column = 0;
    for (const panel of panels) {
      const trace = gex.decode.trace(traces.find((one) => one.xaxis === panel.axis));
      trace.y.forEach((strike, i) => {
        const row = rows.get(strike) || rows.set(strike, { strike }).get(strike);
        trace.z[i].forEach((value, k) => (row[`c${column + k}`] = panel.contracts ? value : rounded(value * panel.divisor)));
      });
      column += panel.labels.length;
    }
    return [...rows.values()];
  }

  function render() {
    table.rows = listed();
    const names = table.columns.map((column) => column.id).join();
    if (box().dataset.columns !== names) build(names);
    for (const head of box().querySelectorAll("th")) {
      const on = head.dataset.id === table.by;
      head.setAttribute("aria-sort", on ? (table.down ? "descending" : "ascending") : "none");
    }
    const barred = table.columns.filter((column) => column.bar);
    const largest = Object.fromEntries(barred.map(({ id }) => [id, Math.max(...table.rows.map((row) => Math.abs(row[id] || 0)), 1e-9)]));
    box().querySelector("tbody").replaceChildren(...ordered().map((row) => line(row, largest)));
  }

  const unknown = (value) => value === null || value === undefined || Number.isNaN(value);

  function ordered() {
    if (!table.by) return table.rows;
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
      if (column.bar) td.style.setProperty("--share", `${(100 * Math.abs(row[column.id] || 0)) / largest[column.id]}%`);
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

  /** A cell of a CSV. Text that a spreadsheet would take for a formula, or that holds a comma, is quoted as text. */
  function cell(value) {
    if (unknown(value)) return "";
    if (typeof value !== "string") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  /** The rows as CSV, numbers bare, unknown empty. */
  function csv() {
    table.rows = listed();
    const described = Array.isArray(table.answer.columns) || table.answer.columns === "grid";
    const lines = [table.columns.map((column) => cell(described ? column.saved || column.name : column.id)), ...ordered().map((row) => table.columns.map(({ id }) => cell(row[id])))];
    return lines.map((cells) => cells.join(",")).join("\r\n") + "\r\n";
  }

  function save() {
    if (!table.answer?.columns) return;
    table.saving = table.answer.tabled === false;
    if (table.saving) return gex.live.again();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = `${fileName(table.answer)}.csv`;
    link.click();
    return URL.revokeObjectURL(link.href);
  }

  const CHOICES = ["expiries", "weight", "side", "unit", "walls", "show", "measure", "by", "with", "join"];

  /** What is shown and under which choice, in the address's words: the view, and all that it says besides. */
  function chosen({ key = "" }) {
    const query = new URLSearchParams(key.split("?")[1] || "");
    const said = CHOICES.map((name) => query.get(name)).filter((words) => /^[\w,.-]+$/.test(words || ""));
    return [query.get("view")?.replace(/\W/g, "") || "overview", ...said.map((words) => (words.length > 32 ? `${words.split(",").length} dates` : words))];
  }

  /** What the page says beside the numbers, and a file that outlives the page must say itself. */
  function caveats({ source, delayed, missing, past, beside = [] }) {
    const told = { simulated: source === "simulator", recorded: past, delayed, in_part: missing || beside.some((member) => member.missing) };
    return Object.keys(told).filter((word) => told[word]);
  }

  /** A file's name: symbol, caveats, view, choice and the instant of its data. */
  function fileName(answer) {
    const words = [answer.symbol || "", ...caveats(answer), ...chosen(answer)].filter(Boolean).join("-").replace(/[^\w.-]+/g, "_");
    return `gex-${words}-${new Date(answer.as_of).toISOString().slice(0, 19).replaceAll(":", "")}Z`;
  }

  gex.table = { chosen, update, toggle, wanted, csv, save, fileName };
})();
