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

  /** Whether the lines and labels of gex.lines.draw are the same ones, if elsewhere: then they can be moved. */
  const lines = (before, after) => ["shapes", "annotations"].every((kind) => same(before[kind], after[kind]));

  /** A label keeps its room while it has as many characters. */
  const same = (before, after) =>
    before.length === after.length && after.every((one, i) => one.name === before[i].name && one.text?.length === before[i].text?.length);

  gex.sameness = { PIXELS, traces, lines };
})();
