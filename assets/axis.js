/* Arithmetic of axes: ranges that hold still, ticks, and labels that keep out of each other's way. Pure. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});

  /** The step of about `count` ticks over `width`: 1, 2 or 5 times a power of ten. */
  function step(width, count) {
    const raw = width / Math.max(1, count);
    const power = 10 ** Math.floor(Math.log10(raw));
    const nice = [1, 2, 5, 10].find((n) => n * power >= raw * 0.999);
    return nice * power;
  }

  /**
   * The price range to show. It keeps still until spot leaves its inner part or its width no longer fits: an axis that
   * follows every tick can't be read.
   */
  function follow(current, wanted, spot) {
    if (!current) return outward(wanted);
    const width = current[1] - current[0];
    const ratio = (wanted[1] - wanted[0]) / width;
    const inner = 0.2 * width;
    const inside = spot === null || (spot > current[0] + inner && spot < current[1] - inner);
    const covers = wanted[0] >= current[0] - 0.04 * width && wanted[1] <= current[1] + 0.04 * width;
    return inside && covers && ratio > 0.7 ? current : outward(wanted);
  }

  /** The range widened to whole ticks, so that small changes of the wish give the same range. */
  function outward(range) {
    const unit = step(range[1] - range[0], 20);
    return [Math.max(0, Math.floor(range[0] / unit) * unit), Math.ceil(range[1] / unit) * unit];
  }

  /** A horizontal range around the data and 0 that moves only when the data leaves it or shrinks to under half. */
  function hold(current, low, high) {
    const [from, to] = [Math.min(0, low), Math.max(0, high)];
    if (!(to > from)) return current || [-1, 1];
    if (current && from >= current[0] && to <= current[1] && to - from > 0.5 * (current[1] - current[0])) {
      return current;
    }
    const pad = 0.08 * (to - from);
    return [from < 0 ? from - pad : -0.3 * pad, to > 0 ? to + pad : 0.3 * pad];
  }

  /**
   * What a heatmap's full colour stands for. It comes in steps of 1, 2 and 5: one step more or less leaves it where it is,
   * since a size that hovers at a step would colour everything anew all the time.
   */
  const full = (current, wanted) => (current && wanted < 2.6 * current && current < 2.6 * wanted ? current : wanted);

  /**
   * Where labels go: as near as may be to where they belong, `gap` apart, within low..high (pixels, downwards).
   * Blocks of labels that touch move as one, so the result is the least total shift.
   */
  function repel(wanted, gap, low, high) {
    const order = wanted.map((y, i) => [y, i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const blocks = [];
    for (const [y, i] of order) {
      blocks.push({ center: y, members: [i] });
      while (blocks.length > 1 && touching(blocks.at(-2), blocks.at(-1), gap)) {
        const below = blocks.pop();
        const above = blocks.pop();
        const n = above.members.length + below.members.length;
        const center = (above.center * above.members.length + below.center * below.members.length) / n;
        blocks.push({ center, members: [...above.members, ...below.members] });
      }
    }
    return spread(clamp(blocks, gap, low, high), wanted.length, gap);
  }

  const half = (block, gap) => ((block.members.length - 1) * gap) / 2;
  const touching = (a, b, gap) => a.center + half(a, gap) + gap > b.center - half(b, gap);

  function clamp(blocks, gap, low, high) {
    let edge = low;
    for (const block of blocks) {
      block.center = Math.max(block.center, edge + half(block, gap));
      edge = block.center + half(block, gap) + gap;
    }
    edge = high;
    for (const block of [...blocks].reverse()) {
      block.center = Math.min(block.center, edge - half(block, gap));
      edge = block.center - half(block, gap) - gap;
    }
    return blocks;
  }

  function spread(blocks, count, gap) {
    const placed = new Array(count);
    for (const block of blocks) {
      block.members.forEach((member, k) => (placed[member] = block.center - half(block, gap) + k * gap));
    }
    return placed;
  }

  gex.axis = { step, follow, outward, hold, full, repel };
})();
