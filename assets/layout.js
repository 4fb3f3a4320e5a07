/* Where the panels stand: side by side on one price axis, or one below the other on axes that move as one. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const NARROW = 900;
  const WIDE_MARGIN = { l: 56, r: 116, t: 36, b: 40 };
  const NARROW_MARGIN = { l: 48, r: 16, t: 32, b: 34 };
  const GAP = 30;
  const STACK_GAP = 66;
  const BESIDE_TOOLS = 24; // between the last panel's heading and the buttons, and beyond them
  const STACK_HEIGHT = 250;

  /**
   * The chart's size and panels in pixels: {width, height, narrow, margin, tools, panels: [{...panel, x0, x1, y0, y1, y}]}.
   * `tools` is the width of the buttons in the upper right corner.
   */
  function frame(panels, width, height, tools = 0) {
    const narrow = width < NARROW - 40;
    return { ...(narrow ? stacked(panels, width) : abreast(panels, width, height)), tools };
  }

  function abreast(panels, width, height) {
    const margin = WIDE_MARGIN;
    const inner = width - margin.l - margin.r - GAP * (panels.length - 1);
    const total = panels.reduce((sum, panel) => sum + panel.weight, 0);
    let x = margin.l;
    const placed = panels.map((panel) => {
      const x0 = x;
      const x1 = x0 + (inner * panel.weight) / total;
      x = x1 + GAP;
      return { ...panel, x0, x1, y0: margin.t, y1: height - margin.b, y: "y" };
    });
    return { width, height, narrow: false, margin, panels: placed };
  }

  function stacked(panels, width) {
    const margin = NARROW_MARGIN;
    const placed = panels.map((panel, k) => {
      const y0 = margin.t + k * (STACK_HEIGHT + STACK_GAP);
      return { ...panel, x0: margin.l, x1: width - margin.r, y0, y1: y0 + STACK_HEIGHT, y: k ? `y${k + 1}` : "y" };
    });
    const height = margin.t + panels.length * STACK_HEIGHT + (panels.length - 1) * STACK_GAP + margin.b;
    return { width, height, narrow: true, margin, panels: placed };
  }

  /** The plotly layout for a frame. `held` gives each panel's horizontal range, `range` is the prices'. */
  function layout(frame, range, held, colors) {
    const result = {
      width: frame.width,
      height: frame.height,
      margin: { ...frame.margin, pad: 0 },
      autosize: false,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: colors.font, size: 11, color: colors.muted },
      showlegend: false,
      hovermode: false,
      dragmode: frame.narrow ? false : "zoom",
      bargap: 0.25,
      barmode: "overlay",
      uirevision: "constant",
      annotations: frame.panels.map((panel) => title(frame, panel, colors)),
      shapes: [],
    };
    for (const panel of frame.panels) {
      if (panel.buckets?.length) Object.assign(result, legend(share(frame, panel), colors));
      result[axisName(panel.axis)] = across(frame, panel, held[panel.id], colors);
      result[axisName(panel.y)] = prices(frame, panel, range, colors);
    }
    return result;
  }

  /** Names of curves, in a panel's upper left corner. */
  const legend = ({ x, y }, colors) => ({
    showlegend: true,
    legend: { x: x[0], y: y[1], xanchor: "left", yanchor: "top", bgcolor: `${colors.card}cc`, font: { size: 11, color: colors.text } },
  });

  const axisName = (id) => id.replace(/^([xy])/, "$1axis");

  const share = (frame, panel) => {
    const width = frame.width - frame.margin.l - frame.margin.r;
    const height = frame.height - frame.margin.t - frame.margin.b;
    return {
      x: [(panel.x0 - frame.margin.l) / width, (panel.x1 - frame.margin.l) / width],
      y: [1 - (panel.y1 - frame.margin.t) / height, 1 - (panel.y0 - frame.margin.t) / height],
    };
  };

  function prices(frame, panel, range, colors) {
    const count = Math.max(4, Math.round((panel.y1 - panel.y0) / 36));
    return {
      range: [...range],
      domain: share(frame, panel).y,
      anchor: frame.narrow ? panel.axis : "x",
      matches: panel.y === "y" ? undefined : "y",
      dtick: gex.axis.step(range[1] - range[0], count),
      tickformat: ",~f",
      gridcolor: colors.grid,
      zeroline: false,
      ticks: "outside",
      ticklen: 4,
      tickcolor: colors.line,
      tickfont: { size: 11, color: colors.muted },
      fixedrange: frame.narrow,
    };
  }

  function across(frame, panel, range, colors) {
    const base = {
      domain: share(frame, panel).x,
      anchor: panel.y,
      range: [...range],
      fixedrange: true,
      gridcolor: colors.grid,
      tickfont: { size: 11, color: colors.muted },
      ticks: "outside",
      ticklen: 3,
      tickcolor: "rgba(0,0,0,0)",
      tickangle: 0,
      zerolinecolor: colors.muted,
      zerolinewidth: 1,
    };
    if (panel.labels) return { ...base, ...columns(panel), showgrid: false, zeroline: false };
    const count = Math.max(2, Math.round((panel.x1 - panel.x0) / 62));
    return { ...base, dtick: gex.axis.step(range[1] - range[0], count), tickformat: ",~r" };
  }

  /** Ticks of the expiries, as many as have room. The last one is kept where it adds up the rest. */
  function columns(panel) {
    const n = panel.labels.length;
    const each = Math.max(52, 6.4 * Math.max(...panel.labels.map((label) => label.length)));
    const every = Math.max(1, Math.ceil((n * each) / (panel.x1 - panel.x0)));
    const at = panel.labels.map((_, i) => i).filter((i) => i % every === 0);
    if (panel.rest && at.at(-1) !== n - 1) {
      if (n - 1 - at.at(-1) < every) at.pop();
      at.push(n - 1);
    }
    return { tickvals: at, ticktext: at.map((i) => panel.labels[i]), ticklabeloverflow: "allow" };
  }

  /** A panel's title, with the sum of what it draws where there is room for it beside the tools. */
  function heading(frame, panel) {
    const last = panel === frame.panels.at(-1) && !frame.narrow;
    const room = last ? frame.width - panel.x0 - frame.tools - BESIDE_TOOLS : panel.x1 - panel.x0 + GAP / 2;
    if (panel.total === undefined) return fitted(panel.title, room);
    const words = `${panel.title}, \u03a3 ${gex.format.dollars(panel.total, true)}`;
    return words.length * 6.2 < room ? words : fitted(panel.title, room);
  }

  /** A title without the parts after its last commas that have no room. */
  function fitted(title, room) {
    const parts = title.split(/(?=[,:] )/);
    while (parts.length > 1 && parts.join("").length * 6.2 > room) parts.pop();
    return parts.join("");
  }

  function title(frame, panel, colors) {
    return {
      text: heading(frame, panel),
      xref: "paper",
      yref: "paper",
      x: share(frame, panel).x[0],
      y: share(frame, panel).y[1],
      xanchor: "left",
      yanchor: "bottom",
      yshift: 8,
      showarrow: false,
      font: { size: 11.5, color: colors.muted },
    };
  }

  gex.layout = { fitted, frame, layout };
})();
