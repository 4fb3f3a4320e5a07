/*
 * The Time view: an answer's `time` (a whole day) or `more` (its new minutes), laid onto one column for every minute of the
 * axis. A minute without a row keeps an empty column.
 */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const MINUTE = 60000;
  const MOST_ROWS = 600;
  const LINES = ["spot", "flip", "flip_low", "flip_high", "call_wall", "put_wall", "net"];
  const EMPTY = -32768;
  const WORDS = { "long gamma": "dealers damp moves", "short gamma": "dealers amplify moves" };
  const regimeOf = (net, { sided }) => (!sided ? null : net > 0 ? "long gamma" : net < 0 ? "short gamma" : null);

  /** An answer with what the tab holds of the same question added; null where the two don't belong together. */
  function received(answer, held) {
    if (answer.time) return drawable({ ...answer, grid: lay(answer.time) });
    if (!answer.more) return answer;
    if (!held?.grid || question(held) !== question(answer)) return null;
    add(held.grid, answer.more);
    const days = [...(answer.days || []), ...held.days.filter(({ day }) => !answer.days?.some((other) => other.day === day))];
    return drawable({ ...held, ...answer, days, more: undefined });
  }

  const question = ({ etag }) => etag.split("-")[0];

  /** Empty columns for the whole axis, and the rows in them. */
  function lay(time) {
    const strike = gex.decode.array(time.strike);
    const count = Math.round((time.end - time.begin) / MINUTE);
    const step = evenStep(strike);
    const rows = strike.length ? Math.round((strike.at(-1) - strike[0]) / step) + 1 : 0;
    const blank = () => new Float32Array(count).fill(NaN);
    const grid = {
      time, strike, step, count, rows,
      first: time.begin / MINUTE,
      // plotly.js draws bricks of one size much faster: strikes further apart take several rows, up to halfway to the next
      of: Array.from({ length: rows }, (_, row) => nearest(strike, strike[0] + row * step)),
      z: Array.from({ length: rows }, blank),
      lines: Object.fromEntries(LINES.map((name) => [name, blank()])),
      known: new Uint8Array(count),
    };
    add(grid, time);
    return grid;
  }

  function evenStep(strike) {
    let least = Infinity;
    for (let i = 1; i < strike.length; i++) least = Math.min(least, strike[i] - strike[i - 1]);
    return Number.isFinite(least) ? Math.max(least, (strike.at(-1) - strike[0]) / MOST_ROWS) : 1;
  }

  function nearest(sorted, value) {
    let at = 0;
    while (at + 1 < sorted.length && Math.abs(sorted[at + 1] - value) <= Math.abs(sorted[at] - value)) at++;
    return at;
  }

  /** Write minutes into their columns. */
  function add(grid, part) {
    const cells = whole16(part.cells.bdata);
    const lines = LINES.map((name) => [name, gex.decode.array(part[name])]);
    const unit = part.unit / grid.time.cell;
    part.minutes.forEach((minute, i) => {
      const column = minute - grid.first;
      if (column < 0 || column >= grid.count) return;
      grid.known[column] = 1;
      for (const [name, values] of lines) grid.lines[name][column] = values[i];
      const from = i * grid.strike.length;
      for (let row = 0; row < grid.rows; row++) {
        const value = cells[from + grid.of[row]];
        grid.z[row][column] = value === EMPTY ? NaN : value * unit;
      }
    });
  }

  function whole16(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Int16Array(bytes.buffer);
  }

  const instants = ({ time, count }) => Float64Array.from({ length: count }, (_, i) => time.begin + i * MINUTE);

  function drawable(answer) {
    const { grid } = answer;
    answer.plain = plain(answer, grid);
    const at = instants(grid);
    const { spot, flip, flip_low, flip_high, call_wall, put_wall, net } = grid.lines;
    const number = (value) => (Number.isFinite(value) ? value : null);
    answer.rows = [];
    for (let i = 0; i < grid.count; i++) {
      if (!grid.known[i]) continue;
      const [low, high] = [number(flip_low[i]), number(flip_high[i])];
      answer.rows.push({
        minute: at[i], spot: number(spot[i]), flip: number(flip[i]), flip_low: low, flip_high: high,
        call_wall: number(call_wall[i]), put_wall: number(put_wall[i]), net_gex: number(net[i]), regime: regimeOf(net[i], grid.time),
      });
    }
    return answer;
  }

  /** The picture: strikes over time, and net GEX below on the same axis. */
  function plain(answer, grid) {
    const { time } = grid;
    const x = instants(grid).map((at) => at + time.shift + MINUTE / 2);
    const axis = { type: "date", range: [time.begin + time.shift, time.end + time.shift], tickformat: "%H:%M", hoverformat: "%H:%M" };
    const [low, high] = [grid.strike[0] - grid.step / 2, grid.strike.at(-1) + grid.step / 2];
    const prices = grid.strike.length ? [low, high] : [0, 1];
    const sums = Float32Array.from(grid.lines.net, (value) => value / time.divisor);
    const seen = sums.filter(Number.isFinite);
    grid.range = gex.axis.hold(grid.range, Math.min(0, ...seen), Math.max(0, ...seen));
    const notes = labels(grid, prices);
    return {
      id: "time", grid: [1, 4], right: 108, gap: 48, base: question(answer), look: answer.etag,
      panels: [
        { id: "strikes", title: time.title, below: "", at: [0, 0, 1, 3], x: "x", y: "y", legend: false },
        { id: "net", title: time.sided ? `${time.below}: long gamma above 0, short gamma below` : time.below, below: "Time, ET", at: [0, 3, 1, 1], x: "x2", y: "y2", legend: false },
      ],
      data: [heat(grid, x), band(grid, x), ...levels(grid, x), ...net(x, sums, time)],
      layout: {
        xaxis: { ...axis, showticklabels: false }, yaxis: { range: prices, tickformat: ",~f" },
        xaxis2: { ...axis, matches: "x" }, yaxis2: { range: grid.range, zeroline: true, tickformat: ",~r" },
        shapes: [...mark("at", "$text", time), ...mark("against", "$muted", time)], annotations: notes,
      },
    };
  }

  const common = (panel, x, y) => ({ meta: { panel }, xaxis: x, yaxis: y, showlegend: false });

  function heat(grid, x) {
    const { time } = grid;
    const full = time.full / time.cell;
    const unit = time.title.split(", ").at(-1);
    const exact = grid.of.every((at, row) => Math.abs(grid.strike[at] - (grid.strike[0] + row * grid.step)) < 1e-3);
    return {
      ...common("strikes", "x", "y"), type: "heatmap",
      x0: x[0], dx: MINUTE, y0: grid.strike[0], dy: grid.step, z: grid.z,
      customdata: exact ? undefined : grid.of.map((at) => new Float32Array(grid.count).fill(grid.strike[at])),
      zmin: -full, zmax: full, showscale: false, hoverongaps: false,
      colorscale: [[0, "$negative"], [0.5, "$card"], [1, "$positive"]],
      hovertemplate: `<b>Strike ${exact ? "%{y:,~f}" : "%{customdata:,~f}"}</b>  %{x} ET<br>%{z:+.3~g} ${unit}<extra></extra>`,
    };
  }

  /** Where it is known, each of these values as a flat stretch of its minute, joined to its neighbours; null at every gap. */
  function stepped(x, values) {
    const [half, found] = [MINUTE / 2, { x: [], y: [] }];
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) return;
      if (i && !Number.isFinite(values[i - 1])) push(found, null, null);
      push(found, x[i] - half, value);
      push(found, x[i] + half, value);
    });
    return found;
  }

  function push({ x, y }, at, value) {
    x.push(at);
    y.push(value);
  }

  /** The area between two values of each minute, as one outline for every stretch without a gap. */
  function outline(x, low, high) {
    const [half, found] = [MINUTE / 2, { x: [], y: [] }];
    const known = (i) => Number.isFinite(low[i]) && Number.isFinite(high[i]);
    for (let first = 0; first < x.length; first++) {
      if (!known(first)) continue;
      let last = first;
      while (last + 1 < x.length && known(last + 1)) last++;
      if (found.x.length) push(found, null, null);
      for (let i = first; i <= last; i++) for (const side of [-half, half]) push(found, x[i] + side, high[i]);
      for (let i = last; i >= first; i--) for (const side of [half, -half]) push(found, x[i] + side, low[i]);
      first = last;
    }
    return found;
  }

  const area = (place, shape, color) => ({ ...place, ...shape, type: "scatter", mode: "lines", line: { width: 0 }, fill: "toself", fillcolor: color, hoverinfo: "skip" });

  const band = ({ lines }, x) => area(common("strikes", "x", "y"), outline(x, lines.flip_low, lines.flip_high), "$flip40");

  const MARKS = [["call_wall", "Call wall", "$positive"], ["put_wall", "Put wall", "$negative"], ["flip", "Flip", "$flip"], ["spot", "Spot", "$spot"]];
  const STROKES = { flip: { width: 1.6, dash: "9px,5px" }, spot: { width: 1.8, dash: "solid" } };

  /** Every line is one path: a mark for each minute would cost as much as all the rest. */
  function levels(grid, x) {
    return MARKS.flatMap(([name, word, color]) => (name in STROKES ? [path(grid, x, name, word, color)] : wall(grid, x, name, word, color)));
  }

  function path(grid, x, name, word, color) {
    const hovertemplate = `<b>${word}</b> %{y:,.2f}  %{x} ET<extra></extra>`;
    return { ...common("strikes", "x", "y"), ...joined(x, grid.lines[name]), type: "scatter", mode: "lines", name: word, connectgaps: false, line: { color, ...STROKES[name] }, hovertemplate };
  }

  /** Values joined from minute to minute; one that stands alone between gaps is as long as its minute. */
  function joined(x, values) {
    const found = { x: [], y: [] };
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) return;
      const [before, after] = [Number.isFinite(values[i - 1]), Number.isFinite(values[i + 1])];
      if (!before && found.x.length) push(found, null, null);
      if (!before && !after) push(found, x[i] - MINUTE / 2, value);
      push(found, x[i], value);
      if (!before && !after) push(found, x[i] + MINUTE / 2, value);
    });
    return found;
  }

  /**
   * A wall stands on one strike or another, never between them: a line from when it came to when it went, each time. Its
   * strike has its own colour, so the line is cased.
   */
  function wall(grid, x, name, word, color) {
    const found = runs(grid.lines[name]);
    const half = MINUTE / 2;
    const line = {
      ...common("strikes", "x", "y"), type: "scatter", mode: "lines", name: word, connectgaps: false,
      x: found.flatMap(({ first, last }) => [x[first] - half, x[last] + half, x[last] + half]),
      y: found.flatMap(({ value }) => [value, value, null]),
    };
    return [
      { ...line, line: { color: "$card", width: 4 }, hoverinfo: "skip" },
      { ...line, line: { color, width: 2, dash: "3px,3px" }, hovertemplate: `<b>${word} %{y:,~f}</b>  %{x} ET<extra></extra>` },
    ];
  }

  /** The stretches of one value: [{value, first, last}], as positions. Unknown is in none. */
  function runs(values) {
    const found = [];
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) return;
      const before = found.at(-1);
      if (before && before.last === i - 1 && before.value === value) before.last = i;
      else found.push({ value, first: i, last: i });
    });
    return found;
  }

  /** Net exposure: an area for each sign, and a line that answers the pointer. */
  function net(x, values, time) {
    const place = common("net", "x2", "y2");
    const zero = values.map(() => 0);
    const line = stepped(x, values);
    const words = line.y.map((value) => {
      const regime = regimeOf(value, time);
      return regime ? `, ${regime} (${WORDS[regime]})` : "";
    });
    return [
      area(place, outline(x, zero, values.map((value) => Math.max(0, value))), "$positive"),
      area(place, outline(x, zero, values.map((value) => Math.min(0, value))), "$negative"),
      { ...place, ...line, text: words, type: "scatter", mode: "lines", connectgaps: false, line: { color: "$text", width: 1 }, hovertemplate: "%{x} ET<br>%{y:+.3~g}%{text}<extra></extra>" },
    ];
  }

  /** The lines' names with their last values, at the right edge and apart from each other. */
  function labels({ lines }, [low, high]) {
    const last = MARKS.map(([name, word, color]) => ({ name, word, color, at: lines[name].findLast(Number.isFinite) }));
    const seen = last.filter(({ at }) => at >= low && at <= high);
    const gap = 0.048 * (high - low);
    const places = gex.axis.repel(seen.map(({ at }) => at), gap, low + gap / 2, high - gap / 2);
    return seen.map(({ name, word, color, at }, i) => ({
      beside: true, xref: "x domain", yref: "y", x: 1, y: places[i], yanchor: "middle", showarrow: false,
      text: `${word} ${name.endsWith("wall") ? gex.format.strike(at) : name === "spot" ? gex.format.price(at) : gex.format.level(at)}`, font: { size: 11, color },
    }));
  }

  /** The minute that the address names, as a line through both panels. */
  function mark(name, color, time) {
    const at = gex.past.instant(name);
    if (at === null || at < time.begin || at >= time.end) return [];
    const x = at + time.shift + MINUTE / 2;
    return ["y", "y2"].map((y) => ({ type: "line", xref: y === "y" ? "x" : "x2", yref: `${y} domain`, x0: x, x1: x, y0: 0, y1: 1, line: { color, width: 1.5, dash: name === "at" ? "solid" : "dot" } }));
  }

  /** A minute that is clicked is shown; with shift, it is what the shown one is compared with. */
  function clicked({ detail }) {
    const { grid } = gex.live.tab.answer || {};
    const x = detail.points?.[0]?.x;
    if (!grid || x === undefined) return;
    const shifted = typeof x === "number" ? x : Date.parse(`${String(x).replace(" ", "T")}Z`);
    const at = Math.floor((shifted - grid.time.shift) / MINUTE) * MINUTE;
    gex.past.go({ [detail.event?.shiftKey ? "against" : "at"]: gex.past.text(at), day: null });
  }

  if (typeof document !== "undefined") document.addEventListener("gex:point", clicked);

  /** The last recorded minute of what is drawn, null where there is none. */
  const newest = ({ grid }) => (grid && grid.known.lastIndexOf(1) >= 0 ? (grid.first + grid.known.lastIndexOf(1)) * MINUTE : null);

  gex.timeView = { received, newest, runs };
})();
