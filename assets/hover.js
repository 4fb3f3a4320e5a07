/* One card with everything about the strike under the pointer. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const byId = (id) => document.getElementById(id);
  let strikes = { of: null, rows: null };

  /** The decoded table of strikes of what is drawn. */
  function table(answer) {
    if (strikes.of !== answer.strikes) {
      const rows = Object.fromEntries(Object.entries(answer.strikes).map(([name, spec]) => [name, gex.decode.array(spec)]));
      strikes = { of: answer.strikes, rows };
    }
    return strikes.rows;
  }

  /** What is at a point of the chart, in pixels of its box: {panel, price, column}, or null. */
  function locate(x, y) {
    const { frame, shown } = gex.chart.current();
    const panel = frame?.panels.find((p) => x >= p.x0 && x <= p.x1 && y >= p.y0 && y <= p.y1);
    if (!panel) return null;
    const price = shown[0] + ((panel.y1 - y) / (panel.y1 - panel.y0)) * (shown[1] - shown[0]);
    const share = (x - panel.x0) / (panel.x1 - panel.x0);
    const column = panel.labels ? Math.min(panel.labels.length - 1, Math.floor(share * panel.labels.length)) : -1;
    return { panel, price, column };
  }

  function nearest(values, at) {
    let best = -1;
    for (let i = 0; i < values.length; i++) {
      if (best < 0 || Math.abs(values[i] - at) < Math.abs(values[best] - at)) best = i;
    }
    return best;
  }

  function rows(answer, found) {
    const { dollars, integer, points, percent } = gex.format;
    const data = table(answer);
    const i = nearest(data.strike, found.price);
    if (i < 0) return null;
    const at = data.strike[i];
    const { spot } = answer.levels;
    const away = gex.format.known(spot) ? `${points(at - spot, gex.format.finely(spot))}  ${percent((at - spot) / spot)}` : "";
    const greeks = gex.columns.GREEKS.filter(({ id }) => data[id]).map(({ id, name }) => [name, dollars(data[id][i], true)]);
    const list = [
      ...greeks,
      ["Net GEX", dollars(data.call_gex[i] + data.put_gex[i], true)],
      ["Calls", dollars(data.call_gex[i], true)],
      ["Puts", dollars(data.put_gex[i], true)],
      ["OI C / P", `${integer(data.call_oi[i])} / ${integer(data.put_oi[i])}`],
      ["Volume C / P", `${integer(data.call_volume[i])} / ${integer(data.put_volume[i])}`],
    ];
    return { at, away, list: [...extra(found, at), ...list] };
  }

  /** What the panel under the pointer adds: the cell's expiry, or the profile's value. */
  function extra({ panel, price, column }, at) {
    const { traces } = gex.chart.current();
    if (column >= 0) {
      const trace = traces.find((one) => one.type === "heatmap" && one.xaxis === panel.axis);
      const row = trace ? trace.y.indexOf(at) : -1;
      const value = row < 0 ? NaN : trace.z[row][column] * panel.divisor;
      const rest = panel.rest && column === panel.labels.length - 1;
      const shown = panel.contracts ? gex.format.integer(value) : gex.format.dollars(value, true);
      const why = value > 0 ? panel.positive : value < 0 ? panel.negative : "";
      return [[`${panel.name} ${rest ? `${panel.rest} other expiries` : panel.labels[column]}`, shown, why]];
    }
    if (panel.id !== "profile") return [];
    const line = traces.find((one) => one.meta.part === "line");
    const k = line ? nearest(line.y, price) : -1;
    return k < 0 ? [] : [[`G at ${gex.format.price(line.y[k], 0)}`, gex.format.dollars(line.x[k] * panel.divisor, true)]];
  }

  function show(event) {
    const { answer, frame } = gex.chart.current();
    const bounds = byId("chart-box").getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
    const found = answer?.strikes && frame ? locate(x, y) : null;
    const content = found && rows(answer, found);
    if (!content) return hide();
    fill(content);
    place(x, y, bounds);
    return undefined;
  }

  function fill({ at, away, list }) {
    const card = byId("hover");
    const head = document.createElement("h3");
    head.textContent = `Strike ${gex.format.strike(at)}`;
    const small = document.createElement("span");
    small.textContent = away;
    head.append(small);
    const body = document.createElement("dl");
    for (const [name, value, why] of list) {
      const term = document.createElement("dt");
      const data = document.createElement("dd");
      term.textContent = name;
      data.textContent = value;
      data.dataset.sign = gex.format.sign(value);
      body.append(term, data);
      if (why) body.append(explanation(why));
    }
    card.replaceChildren(head, body);
    card.hidden = false;
  }

  function explanation(words) {
    const node = document.createElement("dd");
    node.className = "why";
    node.textContent = words;
    return node;
  }

  /** Beside the pointer, on the side that has room. */
  function place(x, y, bounds) {
    const card = byId("hover");
    const { offsetWidth: width, offsetHeight: height } = card;
    const left = x + 18 + width < bounds.width ? x + 18 : Math.max(4, x - 18 - width);
    const top = Math.min(Math.max(4, y - height / 2), Math.max(4, bounds.height - height - 4));
    card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  function hide() {
    const card = byId("hover");
    if (card) card.hidden = true;
  }

  if (typeof document !== "undefined") {
    let queued = null;
    document.addEventListener("pointermove", (event) => {
      if (!event.target.closest?.("#chart-box")) return hide();
      const first = !queued;
      queued = event;
      if (first) {
        requestAnimationFrame(() => {
          show(queued);
          queued = null;
        });
      }
      return undefined;
    });
    document.addEventListener("scroll", hide, { passive: true });
    document.addEventListener("pointerleave", hide);
  }

  gex.hover = { table, hide };
})();
