/* Draws an answer's panels with plotly.js, and keeps the axes still while numbers move. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const MIN_HEIGHT = 420;
  // to the letter the graph's own (components/page.py): with any other, plotly.js would begin from nothing, listeners and all
  const CONFIG = {
    showSendToCloud: false,
    displaylogo: false,
    displayModeBar: false,
    doubleClick: false,
    scrollZoom: false,
    showTips: false,
    responsive: false,
    typesetMath: false,
  };

  const drawn = { answer: null, key: "", zoom: null, range: null, held: {}, full: {}, frame: null, listening: null };

  const box = () => document.getElementById("chart-box");
  const plot = () => document.querySelector("#chart .js-plotly-plot");

  /** Draw an answer. key: what was asked for; zoom: the price range that the address fixes, or null. */
  async function draw(answer, key, zoom) {
    const kind = `${answer.symbol} ${new URLSearchParams(key.split("?")[1] || "").get("view") || "overview"}`;
    if (drawn.kind !== kind) Object.assign(drawn, { range: null, held: {}, kind });
    if (drawn.key !== key) Object.assign(drawn, { held: {}, full: {} });
    const panels = answer.panels?.map(steady);
    const traces = (answer.traces || []).map(gex.decode.trace).flatMap(filled).map((trace) => toned(trace, panels));
    Object.assign(drawn, { answer: panels ? { ...answer, panels } : answer, key, zoom, traces });
    await ready();
    render();
  }

  /** The profile's line with the areas between it and zero before it, one for each sign. */
  function filled(trace) {
    if (trace.meta.part !== "line") return [trace];
    const area = (sign, clip) => ({
      ...trace,
      x: trace.x.map(clip),
      meta: { ...trace.meta, part: sign },
      fill: "tozerox",
      line: { width: 0 },
    });
    return [area("positive", (x) => Math.max(x, 0)), area("negative", (x) => Math.min(x, 0)), trace];
  }

  /** A heatmap's panel with the full colour that it has had so far, where that still fits. */
  function steady(panel) {
    if (!panel.full) return panel;
    const full = (drawn.full[panel.id] = gex.axis.full(drawn.full[panel.id], panel.full));
    if (full === panel.full) return panel;
    const told = (full / panel.divisor).toLocaleString("en-US", { maximumSignificantDigits: 3 });
    return { ...panel, full, title: panel.title.replace(/(full colour at \u00b1?)[\d.,]+/, `$1${told}`) };
  }

  /** A heatmap's trace in the colours of its panel. */
  function toned(trace, panels) {
    const panel = trace.type === "heatmap" ? panels?.find(({ id }) => id === trace.meta.panel) : null;
    if (!panel?.full) return trace;
    const top = panel.full / panel.divisor;
    return { ...trace, zmin: trace.meta.signed ? -top : 0, zmax: top };
  }

  // what the graph's component does to its element of its own accord: an empty plot, its listeners, one resize
  const settled = () => globalThis.Plotly && plot() && !plot().classList.contains("dash-graph--pending");

  /** plotly.js comes late, with the first graph: wait for both. */
  function ready() {
    if (settled()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (!settled()) return;
        clearInterval(timer);
        resolve();
      }, 30);
    });
  }

  function render() {
    const { answer } = drawn;
    if (!answer || !box() || !globalThis.Plotly || !box().clientWidth) return;
    if (answer.plain) renderPlain(answer.plain);
    else if (answer.panels?.length) renderPanels(answer);
  }

  /** A chart that isn't on the price axis; drawn again only when it would look different. */
  function renderPlain(plain) {
    const colors = gex.theme.tokens();
    const [width, height] = [box().clientWidth, Math.max(MIN_HEIGHT, box().clientHeight)];
    // one that grows says itself what it looks like, and what it has in common with the one before
    const looks = JSON.stringify([plain.look || plain, width, height, colors]);
    const base = plain.base ? JSON.stringify([plain.id, plain.base, width, height, colors]) : "";
    if (looks === drawn.looks && drawn.listening === plot()) return;
    const { data, layout, frame } = gex.plain.figure(plain, width, height, colors);
    const grows = base && base === drawn.base && drawn.listening === plot();
    Object.assign(drawn, { frame: null, shown: null, looks, base, size: frame });
    document.getElementById("page").removeAttribute("data-zoomed");
    box().style.minHeight = `${frame.height}px`;
    if (grows) gex.plain.grow(plot(), data, layout);
    else globalThis.Plotly.react(plot(), data, layout, CONFIG);
    listen();
  }

  /** The levels that are drawn as lines: a comparison's own, else those of the strip. */
  const marks = (answer) => answer.marks || answer.levels;

  function renderPanels(answer) {
    const colors = gex.theme.tokens();
    const width = box().clientWidth;
    document.getElementById("page").toggleAttribute("data-zoomed", Boolean(drawn.zoom)); // which brings a button more
    const tools = document.querySelector(".tools")?.offsetWidth;
    const frame = gex.layout.frame(answer.panels, width, Math.max(MIN_HEIGHT, box().clientHeight), tools);
    const range = drawn.zoom || gex.axis.follow(drawn.range, answer.range, marks(answer).spot);
    if (!drawn.zoom) drawn.range = range;
    hold(frame, range);
    const looks = look(frame, range, colors);
    const lines = gex.lines.draw(frame, range, marks(answer), colors);
    if (looks === drawn.looks && drawn.listening === plot() && movedLines(frame, range, lines)) return;
    const layout = gex.layout.layout(frame, range, drawn.held, colors);
    layout.shapes = lines.shapes;
    layout.annotations.push(...lines.annotations);
    Object.assign(drawn, { frame, looks, base: "", lines, wanted: lines, painted: drawn.traces, shown: range, size: frame });
    box().style.minHeight = `${frame.height}px`;
    globalThis.Plotly.react(plot(), traces(frame, range, colors), layout, CONFIG);
    listen();
  }

  /** Everything that the picture is made of but its numbers, as a text: the same text is the same picture. */
  const look = ({ width, height, panels }, range, colors) =>
    JSON.stringify([width, height, panels, range, drawn.held, colors, drawn.traces.map(({ meta }) => meta)]);

  /** Where only the lines and their labels moved, move them: a small part of what a whole picture costs. Else false. */
  function movedLines(frame, range, lines) {
    if (!gex.sameness.traces(drawn.painted, drawn.traces, frame, drawn.held, range)) return false;
    if (!gex.sameness.lines(drawn.lines, lines) || !gex.lines.move(plot(), frame, range, drawn.lines, lines)) return false;
    // for whatever draws from the layout next, such as a zoom or a saved picture
    drawn.wanted = lines;
    const { layout } = plot();
    layout.shapes = lines.shapes;
    layout.annotations = [...layout.annotations.slice(0, frame.panels.length), ...lines.annotations];
    return true;
  }

  /** Each panel's horizontal range, from what is visible. */
  function hold(frame, range) {
    for (const panel of frame.panels) {
      if (panel.labels) {
        drawn.held[panel.id] = [-0.5, panel.labels.length - 0.5];
        continue;
      }
      let [low, high] = [0, 0];
      for (const trace of drawn.traces) {
        if (trace.xaxis !== panel.axis || trace.visible === false) continue;
        for (let i = 0; i < trace.x.length; i++) {
          if (trace.y[i] < range[0] || trace.y[i] > range[1]) continue;
          if (trace.x[i] < low) low = trace.x[i];
          if (trace.x[i] > high) high = trace.x[i];
        }
      }
      drawn.held[panel.id] = gex.axis.hold(drawn.held[panel.id], low, high);
    }
  }

  function traces(frame, range, colors) {
    const axisOf = new Map(frame.panels.map((panel) => [panel.axis, panel]));
    return drawn.traces.map((trace) => {
      const panel = axisOf.get(trace.xaxis);
      return paint({ ...trace, ...inSight(trace, range), yaxis: panel.y }, panel, range, colors);
    });
  }

  /** Only what is in sight, and one beyond at each end: every bar drawn costs, seen or not. */
  function inSight(trace, range) {
    const n = trace.y.length;
    let from = 0;
    while (from < n && trace.y[from] < range[0]) from++;
    let to = n;
    while (to > from && trace.y[to - 1] > range[1]) to--;
    [from, to] = [Math.max(0, from - 1), Math.min(n, to + 1)];
    const cut = { y: trace.y.slice(from, to) };
    if (trace.x) cut.x = trace.x.slice(from, to);
    if (trace.z) cut.z = trace.z.slice(from, to);
    return cut;
  }

  function paint(trace, panel, range, colors) {
    if (trace.type === "bar") return bar(trace, panel, range, colors);
    if (trace.type === "heatmap") return heat(trace, panel, range, colors);
    if (trace.fill) {
      const color = colors[trace.meta.part];
      return { ...trace, fillcolor: `${color}30`, line: { ...trace.line, color } };
    }
    if (trace.mode === "markers") {
      return { ...trace, marker: { ...trace.marker, line: { ...trace.marker.line, color: colors.text } } };
    }
    return { ...trace, line: { ...trace.line, color: colors[trace.meta.color] || colors.text } };
  }

  function heat(trace, panel, range, colors) {
    const colorscale = trace.meta.signed
      ? [[0, colors.negative], [0.5, colors.card], [1, colors.positive]]
      : [[0, colors.card], [1, colors.text]];
    // a gap of one pixel would eat rows that are thin
    const ygap = (panel.y1 - panel.y0) / (visible(trace.y, range) || 1) > 5 ? 1 : 0;
    return { ...trace, colorscale, ygap, ...signs(trace, panel, colors) };
  }

  /** Green and red need a second cue: a minus in what is negative, where a cell has room for it. */
  function signs({ z, zmax, meta }, panel, colors) {
    const room = (panel.x1 - panel.x0) / (z[0]?.length || 1);
    if (colors.colours !== "green" || !meta.signed || room < 12) return { text: undefined, texttemplate: "" };
    const text = z.map((row) => Array.from(row, (value) => (value < -0.1 * zmax ? gex.format.MINUS : "")));
    return { text, texttemplate: "%{text}", textfont: { size: 9, color: colors.text } };
  }

  const visible = (y, range) => y.reduce((n, at) => n + (at >= range[0] && at <= range[1]), 0);

  /** Bars three quarters of a strike's step thick, and never thinner than a pixel and a half. */
  function bar(trace, panel, range, colors) {
    const perPixel = (range[1] - range[0]) / (panel.y1 - panel.y0);
    const thick = Math.max(0.72 * spacing(range), 1.5 * perPixel);
    return {
      ...trace,
      width: Math.min(thick, 14 * perPixel),
      marker: { ...trace.marker, color: colors[trace.meta.sign], pattern: pattern(trace.meta.sign, colors) },
    };
  }

  /** "overlay": by itself plotly.js draws the stripes alone, here in the colour of what is behind them. */
  const pattern = (sign, colors) =>
    colors.colours === "green" && sign === "negative"
      ? { shape: "/", size: 5, solidity: 0.35, fillmode: "overlay", fgcolor: colors.card, fgopacity: 1 }
      : { shape: "" };

  /** The smallest distance of neighbouring strikes in sight. */
  function spacing(range) {
    const y = gex.hover.table(drawn.answer).strike;
    let least = Infinity;
    for (let i = 1; i < y.length; i++) {
      if (y[i] < range[0] || y[i - 1] > range[1]) continue;
      least = Math.min(least, y[i] - y[i - 1]);
    }
    return Number.isFinite(least) && least > 0 ? least : (range[1] - range[0]) / 40;
  }

  function listen() {
    if (drawn.listening === plot()) return;
    drawn.listening = plot();
    // dcc.Graph would take a moved line into its own figure, which is empty, and draw that
    plot().removeAllListeners("plotly_relayout");
    plot().on("plotly_relayout", (change) => {
      drawn.lines = drawn.wanted; // drawn anew, each where it belongs
      if (!drawn.frame) return; // not on the price axis: plotly.js keeps such a zoom by itself
      const [low, high] = [change["yaxis.range[0]"], change["yaxis.range[1]"]];
      if (gex.format.known(low) && gex.format.known(high)) gex.zoom.set([Math.max(0, low), high]);
    });
    plot().on("plotly_click", (detail) => document.dispatchEvent(new CustomEvent("gex:point", { detail })));
    plot().on("plotly_doubleclick", () => (drawn.frame ? gex.zoom.set(null) : unzoom()));
  }

  /** The ranges that a plain chart began with. */
  function unzoom() {
    const { data, layout } = gex.plain.figure(drawn.answer.plain, drawn.size.width, drawn.size.height, gex.theme.tokens());
    globalThis.Plotly.react(plot(), data, { ...layout, uirevision: performance.now() }, CONFIG);
  }

  if (typeof document !== "undefined") {
    document.addEventListener("gex:theme", render);
    addEventListener("resize", () => requestAnimationFrame(render));
  }

  /** Save the picture, on the page's own background and with a line that says what it is. */
  async function save() {
    const { answer, size: frame } = drawn;
    if (!answer || !frame || !globalThis.Plotly) return;
    const colors = gex.theme.tokens();
    const choice = gex.table.chosen(answer).slice(1).map((word) => `${word}, `).join("");
    const text = `${answer.symbol || ""}  ${choice}${gex.format.date(answer.as_of)} ${gex.format.clock(answer.as_of)}${answer.source === "simulator" ? "  simulated data" : ""}`;
    const label = { text, xref: "paper", yref: "paper", x: 1, y: 1, xanchor: "right", yanchor: "bottom", yshift: 8, showarrow: false };
    const layout = { ...plot().layout, paper_bgcolor: colors.card, plot_bgcolor: colors.card };
    layout.annotations = [...layout.annotations, { ...label, font: { size: 11.5, color: colors.muted } }];
    const size = { format: "png", width: frame.width, height: frame.height, scale: 2, filename: gex.table.fileName(answer) };
    await globalThis.Plotly.downloadImage({ data: plot().data, layout }, size);
  }

  /** What is on the screen now: for the hover card and the zoom. */
  const current = () => drawn;

  gex.chart = { draw, render, current, save };
})();
