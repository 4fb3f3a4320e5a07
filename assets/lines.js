/* Spot, flip and walls: lines through every panel, each labelled once (in every panel where they are stacked). */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const LABEL_GAP = 16;

  /** The lines of an answer, with `every` flip or with the one nearest spot, lowest priority first: the last is drawn on top. */
  function lines(levels, colors, every) {
    const { price, level, strike } = gex.format;
    const others = every ? levels.flips.filter((at) => at !== levels.flip) : [];
    const all = [
      ...others.map((at, i) => ({ id: `flip_${i}`, at, word: "Flip", text: level(at), color: colors.flip, dash: "2px,5px", width: 1 })),
      { id: "put_wall", at: levels.put_wall, word: "Put wall", text: strike(levels.put_wall), color: colors.negative, dash: "2px,3px", width: 1 },
      { id: "call_wall", at: levels.call_wall, word: "Call wall", text: strike(levels.call_wall), color: colors.positive, dash: "2px,3px", width: 1 },
      { id: "flip", at: levels.flip, word: "Flip", text: level(levels.flip), color: colors.flip, dash: "9px,7px", width: 1.2 },
      { id: "spot", at: levels.spot, word: "Spot", text: price(levels.spot), color: colors.spot, dash: "solid", width: 1.4 },
    ];
    return all.filter((line) => gex.format.known(line.at));
  }

  /** Shapes and labels of a frame: {shapes, annotations}. */
  function draw(frame, range, levels, colors) {
    const found = lines(levels, colors, frame.panels.some((panel) => panel.flips));
    const groups = frame.narrow ? frame.panels.map((panel) => [panel]) : [frame.panels];
    const shapes = [];
    const annotations = [];
    for (const panels of groups) {
      shapes.push(...band(panels, levels, colors), ...found.map((line) => rule(frame, panels, line)));
      annotations.push(...labels(frame, panels, range, found, colors));
    }
    return { shapes, annotations };
  }

  const horizontal = (frame, panels) => {
    const width = frame.width - frame.margin.l - frame.margin.r;
    return { x0: (panels[0].x0 - frame.margin.l) / width, x1: (panels.at(-1).x1 - frame.margin.l) / width };
  };

  function rule(frame, panels, line) {
    return {
      type: "line",
      name: line.id,
      xref: "paper",
      yref: panels[0].y,
      ...horizontal(frame, panels),
      y0: line.at,
      y1: line.at,
      layer: "above",
      line: { color: line.color, width: line.width, dash: line.dash },
    };
  }

  function band(panels, levels, colors) {
    if (!levels.flip_band) return [];
    return panels.map((panel) => ({
      type: "rect",
      name: "flip_band",
      xref: `${panel.axis} domain`,
      yref: panel.y,
      x0: 0,
      x1: 1,
      y0: levels.flip_band[0],
      y1: levels.flip_band[1],
      layer: "below",
      line: { width: 0 },
      fillcolor: colors.flip,
      opacity: 0.1,
    }));
  }

  function labels(frame, panels, range, found, colors) {
    const { y0, y1 } = panels[0];
    const pixel = (at) => y1 - ((at - range[0]) / (range[1] - range[0])) * (y1 - y0);
    const wanted = found.map((line) => Math.min(y1, Math.max(y0, pixel(line.at) - (frame.narrow ? 8 : 0))));
    const placed = gex.axis.repel(wanted, LABEL_GAP, y0 + 2, y1 - 2);
    return found.map((line, i) => label(frame, panels, line, placed[i], range, colors));
  }

  function label(frame, panels, line, y, range, colors) {
    const { y0, y1 } = panels[0];
    const arrow = line.at > range[1] ? "\u2191 " : line.at < range[0] ? "\u2193 " : "";
    const height = frame.height - frame.margin.t - frame.margin.b;
    return {
      name: line.id,
      text: `${arrow}${line.word} ${line.text}`,
      xref: "paper",
      yref: "paper",
      x: frame.narrow ? 1 : horizontal(frame, panels).x1,
      // paper counts upwards from the lowest panel's foot
      y: 1 - (Math.min(y1, Math.max(y0, y)) - frame.margin.t) / height,
      xanchor: frame.narrow ? "right" : "left",
      yanchor: "middle",
      xshift: frame.narrow ? -2 : 7,
      showarrow: false,
      font: { size: 11.5, color: line.color },
      bgcolor: frame.narrow ? `${colors.card}e6` : undefined,
      borderpad: 1,
    };
  }

  /**
   * Move what plotly.js drew as `drawn` to where `wanted` has it. Its own relayout would compute and draw the whole picture
   * for it, some forty times the work. False, and nothing moved, where an element isn't there or the band became another.
   */
  function move(plot, frame, range, drawn, wanted) {
    const first = frame.panels.length; // the headings are annotations too, and stand before the labels
    const rules = wanted.shapes.map((_, i) => plot.querySelector(`.shapelayer [data-index="${i}"]`));
    const names = wanted.annotations.map((_, i) => plot.querySelector(`.annotation[data-index="${first + i}"]`));
    if (![...rules, ...names].every(Boolean)) return false;
    const height = frame.height - frame.margin.t - frame.margin.b;
    const perDollar = (frame.panels[0].y1 - frame.panels[0].y0) / (range[1] - range[0]); // every panel is as high
    const moved = wanted.shapes.map((shape, i) => ["y0", "y1"].map((end) => (drawn.shapes[i][end] - shape[end]) * perDollar));
    if (moved.some(([low, high]) => Math.abs(high - low) > gex.sameness.PIXELS)) return false;
    rules.forEach((node, i) => shift(node, moved[i][0]));
    names.forEach((node, i) => {
      shift(node, (drawn.annotations[i].y - wanted.annotations[i].y) * height);
      const text = node.querySelector("text");
      if (text.textContent !== wanted.annotations[i].text) text.textContent = wanted.annotations[i].text;
    });
    return true;
  }

  /** By pixels downwards, from where it was drawn. */
  function shift(node, by) {
    const moved = `translate(0px, ${by.toFixed(2)}px)`;
    if (node.style.transform !== moved) node.style.transform = moved;
  }

  gex.lines = { draw, move };
})();
