/* The zoom of the price axis: kept in the address, so that it survives updates and can be pasted. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});

  /** The range that an address fixes: [low, high], or null while the axis follows spot. */
  function read(search) {
    const text = new URLSearchParams(search || "").get("range");
    const parts = text ? text.split(",").map(Number) : [];
    return parts.length === 2 && parts.every(Number.isFinite) && parts[0] >= 0 && parts[0] < parts[1] ? parts : null;
  }

  /** Fix the axis at a range, or let it follow spot again (null). */
  function set(range) {
    const query = new URLSearchParams(location.search);
    query.delete("range");
    let text = query.toString();
    if (range) {
      const unit = 10 ** Math.max(0, 2 - Math.floor(Math.log10(range[1] - range[0])));
      const rounded = range.map((price) => Math.round(price * unit) / unit);
      text += `${text ? "&" : ""}range=${rounded.join(",")}`;
    }
    const search = text ? `?${text.replaceAll("%2C", ",")}` : "";
    if (search !== location.search) globalThis.dash_clientside.set_props("url", { search });
  }

  /** Show `factor` times as much around the middle. */
  function scale(factor) {
    const { shown } = gex.chart.current();
    if (!shown) return;
    const [middle, half] = [(shown[0] + shown[1]) / 2, ((shown[1] - shown[0]) / 2) * factor];
    set([Math.max(0, middle - half), middle + half]);
  }

  gex.zoom = { read, set, scale };
})();
