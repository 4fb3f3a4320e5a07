/*
 * Charts that aren't on the price axis: an answer's `plain`, made by components/plain.py. It says what to draw and in which
 * cells of a grid the panels stand; here they get their place, the theme's colours and the usual look.
 */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const NARROW = 860;
  const MARGIN = { l: 60, r: 28, t: 36, b: 44 };
  const NARROW_MARGIN = { l: 48, r: 14, t: 32, b: 40 };
  const GAP = { x: 72, y: 78 };
  const STACK_HEIGHT = 250;
  const STACK_GAP = 72;
  const TOOLS = 150; // what the buttons take of a heading in the upper right corner

  /** The chart's size and panels in pixels: {width, height, narrow, margin, panels: [{...panel, x0, x1, y0, y1}]}. */
  function frame(plain, width, height) {
    return width < NARROW ? stacked(plain.panels, width) : placed(plain, width, height);
  }

  /** `right` is room for words beside the panels, `gap` what stands between two rows of them; in pixels. */
  function placed({ grid: [columns, rows], panels, right = MARGIN.r, gap = GAP.y }, width, height) {
    const m = { ...MARGIN, r: right };
    const cell = { x: (width - m.l - m.r - GAP.x * (columns - 1)) / columns, y: (height - m.t - m.b - gap * (rows - 1)) / rows };
    const box = (panel) => {
      const [column, row, wide, high] = panel.at;
      const [x0, y0] = [m.l + column * (cell.x + GAP.x), m.t + row * (cell.y + gap)];
      return { ...panel, x0, y0, x1: x0 + wide * cell.x + (wide - 1) * GAP.x, y1: y0 + high * cell.y + (high - 1) * gap };
    };
    return { width, height, narrow: false, margin: m, panels: panels.map(box) };
  }

  function stacked(panels, width) {
    const m = NARROW_MARGIN;
    const box = (panel, k) => {
      const y0 = m.t + k * (STACK_HEIGHT + STACK_GAP);
      return { ...panel, x0: m.l, x1: width - m.r, y0, y1: y0 + STACK_HEIGHT };
    };
    const height = m.t + panels.length * STACK_HEIGHT + (panels.length - 1) * STACK_GAP + m.b;
    return { width, height, narrow: true, margin: m, panels: panels.map(box) };
  }

  /** A copy in which "$positive" is the theme's colour of that name, "$positive40" the same with an opacity in hex. */
  function themed(value, colors) {
    if (typeof value === "string") return value[0] === "$" ? color(value.slice(1), colors) : value;
    if (Array.isArray(value)) return value.map((part) => themed(part, colors));
    if (!value || typeof value !== "object" || typeof value.bdata === "string" || ArrayBuffer.isView(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, themed(part, colors)]));
  }

  function color(name, colors) {
    if (colors[name]) return colors[name];
    const [token, alpha] = [name.slice(0, -2), name.slice(-2)];
    return colors[token] ? colors[token] + alpha : `$${name}`;
  }

  const axisName = (id) => id.replace(/^([xy])/, "$1axis");

  function layout(plain, box, colors) {
    const said = themed(plain.layout, colors);
    const result = {
      ...base(box, colors, plain.id),
      ...said,
      annotations: [...box.panels.flatMap((panel) => titles(panel, box, colors)), ...(said.annotations || []).map((note) => besides(note, box, colors))],
    };
    for (const panel of box.panels) {
      const [x, y] = [axisName(panel.x), axisName(panel.y)];
      const at = domain(panel, box);
      result[x] = { ...axis(panel.x1 - panel.x0, 70, colors), ...said[x], domain: at.x, anchor: panel.y, fixedrange: box.narrow };
      if (panel.legend) Object.assign(result, legend(at, colors));
      result[y] = { ...axis(panel.y1 - panel.y0, 40, colors), ...said[y], domain: at.y, anchor: panel.x, fixedrange: box.narrow };
    }
    return result;
  }

  /** A note marked `beside` stands to the right of its panel, in the room that the plain asked for; where all is narrow, in it. */
  function besides({ beside, ...note }, { narrow }, colors) {
    if (!beside) return note;
    return narrow ? { ...note, xanchor: "right", bgcolor: `${colors.card}cc` } : { ...note, xanchor: "left", xshift: 4 };
  }

  const base = (box, colors, id) => ({
    width: box.width,
    height: box.height,
    margin: { ...box.margin, pad: 0 },
    autosize: false,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: colors.font, size: 11, color: colors.muted },
    showlegend: false,
    barmode: "overlay",
    bargap: 0.2,
    hovermode: "closest",
    hoverdistance: 24,
    hoverlabel: { bgcolor: colors.raised, bordercolor: colors.line, font: { family: colors.font, size: 12, color: colors.text }, align: "left" },
    dragmode: box.narrow ? false : "zoom",
    uirevision: id,
  });

  const axis = (length, each, colors) => ({
    nticks: Math.max(3, Math.round(length / each)),
    gridcolor: colors.grid,
    zeroline: false,
    zerolinecolor: colors.muted,
    ticks: "outside",
    ticklen: 4,
    tickcolor: colors.line,
    tickfont: { size: 11, color: colors.muted },
    tickangle: 0,
    automargin: false,
  });

  function domain(panel, { width, height, margin }) {
    const [w, h] = [width - margin.l - margin.r, height - margin.t - margin.b];
    return {
      x: [(panel.x0 - margin.l) / w, (panel.x1 - margin.l) / w],
      y: [1 - (panel.y1 - margin.t) / h, 1 - (panel.y0 - margin.t) / h],
    };
  }

  /** Names of traces, in the upper right corner of a panel. */
  const legend = ({ x, y }, colors) => ({
    showlegend: true,
    legend: { x: x[1], y: y[1], xanchor: "right", yanchor: "top", bgcolor: `${colors.card}cc`, font: { size: 11, color: colors.text }, itemwidth: 30 },
  });

  /** What stands over a panel, and under it what its horizontal axis counts. */
  function titles(panel, box, colors) {
    const at = domain(panel, box);
    const note = (text, y, yanchor, yshift) => ({
      text, xref: "paper", yref: "paper", x: at.x[0], y, xanchor: "left", yanchor, yshift, showarrow: false,
      font: { size: 11.5, color: colors.muted },
    });
    const beside = !box.narrow && panel.y0 === box.margin.t && panel.x1 > box.width - box.margin.r - 1;
    const room = beside ? box.width - panel.x0 - TOOLS : panel.x1 - panel.x0 + 12;
    const under = panel.below ? [note(panel.below, at.y[0], "top", -22)] : [];
    return [note(gex.layout.fitted(panel.title, room), at.y[1], "bottom", 8), ...under];
  }

  /** Green and red need a second cue: a pattern on bars of what is negative. */
  function cued(trace, colors) {
    if (colors.colours !== "green" || trace.type !== "bar" || trace.marker?.color !== "$negative") return trace;
    return { ...trace, marker: { ...trace.marker, pattern: { shape: "/", size: 5, solidity: 0.35, fillmode: "overlay", fgcolor: "$card", fgopacity: 1 } } };
  }

  /** The figure that plotly.js draws, for a box of this size: {data, layout, frame}. */
  function figure(plain, width, height, colors) {
    const box = frame(plain, width, height);
    return { data: plain.data.map((trace) => themed(cued(trace, colors), colors)), layout: layout(plain, box, colors), frame: box };
  }

  const GROWING = ["x", "y", "z", "text"];

  /** New values in a chart that is otherwise the same: nothing is laid out anew, and a zoom stays. */
  function grow(plot, data, layout) {
    const changes = {};
    for (const name of GROWING) changes[name] = data.map((trace) => trace[name]);
    globalThis.Plotly.update(plot, changes, { annotations: layout.annotations, "yaxis2.range": layout.yaxis2?.range }, data.map((_, i) => i));
  }

  gex.plain = { figure, grow };
})();
