/* Whether a picture would look the same: drawing it anew is most of what an update costs the browser. Pure. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const PIXELS = 0.6; // a bar or a curve that moved less can't be told from one that didn't
  const SHADES = 1 / 48; // the same for a cell's colour, as a share of its scale

  /** Whether decoded traces look the same in a frame; `held` gives each panel's horizontal range, `range` the prices'. */
  function traces(before, after, frame, held, range) {
    if (!before || before.length !== after.length) return false;
    const panels = new Map(frame.panels.map((panel) => [panel.axis, panel]));
    return after.every((trace, i) => alike(before[i], trace, panels.get(trace.xaxis), held, range));
  }

  function alike(before, after, panel, held, range) {
    if (!panel || before.meta.part !== after.meta.part) return false;
    if (!near(before.y, after.y, (PIXELS * (range[1] - range[0])) / (panel.y1 - panel.y0))) return false;
    if (after.z) return before.zmax === after.zmax && after.z.every((row, i) => near(before.z[i], row, SHADES * after.zmax));
    const [low, high] = held[panel.id];
    return near(before.x, after.x, (PIXELS * (high - low)) / (panel.x1 - panel.x0));
  }

  function near(before, after, tolerance) {
    if (before.length !== after.length) return false;
    for (let i = 0; i < after.length; i++) {
      if (Math.abs(after[i] - before[i]) > tolerance || Number.isNaN(after[i]) !== Number.isNaN(before[i])) return false;
    }
    return true;
  }

  /**
   * What must change for the lines and labels of gex.lines.draw to become others, as plotly's relayout takes it; null where
   * there are more, fewer or other ones. `first`: how many annotations stand before the labels.
   */
  function lines(before, after, first) {
    const changes = {};
    for (const [kind, from, keys] of [["shapes", 0, ["y0", "y1"]], ["annotations", first, ["text", "y"]]]) {
      if (before[kind].length !== after[kind].length) return null;
      for (let i = 0; i < after[kind].length; i++) {
        if (before[kind][i].name !== after[kind][i].name) return null;
        for (const key of keys) {
          if (before[kind][i][key] !== after[kind][i][key]) changes[`${kind}[${from + i}].${key}`] = after[kind][i][key];
        }
      }
    }
    return changes;
  }

  gex.sameness = { traces, lines };
})();
