/* The expiries as a table that can be sorted. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const f = () => gex.format;
  const percent = (share, decimals) => f().percent(share, decimals, false);
  const COLUMNS = [
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
  const sort = { by: "expiry", down: false };
  let rows = [];

  const box = () => document.getElementById("table-box");

  /** Fill the table from an answer; an answer without expiries hides it. */
  function update(answer) {
    const listed = Boolean(answer.expiries);
    box().hidden = !listed;
    document.getElementById("chart-box").hidden = listed;
    document.querySelector("#panels .tools").hidden = listed;
    if (!listed) return;
    rows = answer.expiries;
    render();
  }

  function render() {
    if (!box().querySelector("table")) build();
    for (const head of box().querySelectorAll("th")) {
      const on = head.dataset.id === sort.by;
      head.setAttribute("aria-sort", on ? (sort.down ? "descending" : "ascending") : "none");
    }
    const largest = Math.max(...rows.map((row) => Math.abs(row.net_gex || 0)), 1e-9);
    box().querySelector("tbody").replaceChildren(...ordered().map((row) => line(row, largest)));
  }

  function ordered() {
    const side = sort.down ? -1 : 1;
    const value = (row) => row[sort.by];
    return [...rows].sort((a, b) => {
      // what is unknown stands last, whichever way
      if (value(a) === null || value(b) === null) return (value(a) === null) - (value(b) === null);
      return side * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) || a.settles - b.settles;
    });
  }

  function line(row, largest) {
    const tr = document.createElement("tr");
    for (const column of COLUMNS) {
      const td = document.createElement("td");
      td.textContent = column.text(row);
      if (column.left) td.className = "left";
      if (column.signed) td.dataset.sign = row[column.id] > 0 ? "positive" : row[column.id] < 0 ? "negative" : "";
      if (column.bar) td.style.setProperty("--share", `${(100 * Math.abs(row[column.id] || 0)) / largest}%`);
      tr.append(td);
    }
    return tr;
  }

  function build() {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const column of COLUMNS) {
      const th = document.createElement("th");
      th.dataset.id = column.id;
      th.scope = "col";
      if (column.left) th.className = "left";
      const button = document.createElement("button");
      button.textContent = column.name;
      button.addEventListener("click", () => {
        Object.assign(sort, { down: sort.by === column.id && !sort.down, by: column.id });
        render();
      });
      th.append(button);
      head.append(th);
    }
    table.createTBody();
    box().replaceChildren(table);
  }

  gex.table = { update };
})();
