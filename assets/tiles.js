/* The levels strip: numbers, their distance from spot, and why one is unknown. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const UNIT_WORDS = { per_1pct: "Net GEX per 1\u00a0%", per_point: "Net GEX per point" };
  const REGIME = {
    short: ["Short gamma", "Short gamma: dealers amplify moves"],
    long: ["Long gamma", "Long gamma: dealers damp moves"],
  };
  const WHY = {
    spot: "The feed has no price of the underlying yet.",
    flip: "Total gamma exposure changes sign nowhere near spot, so there is no flip.",
    call_wall: "No call has any exposure under this choice.",
    put_wall: "No put has any exposure under this choice.",
    net_gex: "Too little of the chain is known to add it up.",
    max_pain: "There is no open interest to weigh.",
    expected_move: "The nearest expiry has no usable straddle.",
    confidence: "There is nothing to judge yet.",
  };
  const SUMMED = ["flip", "call_wall", "put_wall", "max_pain"];

  const element = (id) => document.getElementById(`tile-${id}`);
  const last = new Map();
  let drawn = { levels: {} };
  let titled = { symbol: "", words: "" };

  function text(node, value) {
    if (node.textContent !== value) node.textContent = value;
  }

  /** Write one tile; a value that changed tints it for a moment. */
  function write(id, value, detail, hint) {
    const tile = element(id);
    if (!tile) return;
    const shown = tile.querySelector(".value");
    const unknown = value === gex.format.UNKNOWN;
    text(shown, value);
    shown.title = unknown ? why(id, drawn) : "";
    const small = tile.querySelector(".detail");
    text(small, detail || "");
    small.title = hint || detail || "";
    if (last.has(id) && last.get(id) !== value) tint(tile);
    last.set(id, value);
  }

  /** Why a number isn't there. That there is no such level can be said only where the whole is known. */
  function why(id, { levels, missing, past }) {
    const { known } = gex.format;
    if (SUMMED.includes(id) && (missing || !known(levels.net_gex))) return "Too little is known to say where it is, or whether there is one.";
    // both sides long has no profile in the record
    if (id === "flip" && past && levels.net_gex && !levels.regime) return "It isn\u2019t recorded under this choice.";
    return WHY[id];
  }

  function tint(tile) {
    tile.classList.remove("changed");
    requestAnimationFrame(() => tile.classList.add("changed"));
    setTimeout(() => tile.classList.remove("changed"), 320);
  }

  function distance(level, spot) {
    if (!gex.format.known(level) || !gex.format.known(spot)) return "";
    return `${gex.format.points(level - spot, gex.format.finely(spot))}  ${gex.format.percent((level - spot) / spot)}`;
  }

  /** Fill the strip from an answer. `query` is the address's query string. */
  function update(answer, query) {
    const { price, strike, points, percent } = gex.format;
    const { levels, quality } = answer;
    drawn = answer;
    write("spot", price(levels.spot), `${known(points(levels.change, 2))}  ${known(percent(levels.change_share))}`.trim());
    flip(levels);
    write("call_wall", strike(levels.call_wall ?? NaN), distance(levels.call_wall, levels.spot));
    write("put_wall", strike(levels.put_wall ?? NaN), distance(levels.put_wall, levels.spot));
    net(levels, query, answer.missing);
    write("max_pain", strike(levels.max_pain ?? NaN), distance(levels.max_pain, levels.spot));
    move(levels);
    confidence(quality, answer.missing);
    summarise(answer);
  }

  const known = (shown) => (shown === gex.format.UNKNOWN ? "" : shown);

  function flip(levels) {
    const { price, level, finely } = gex.format;
    const half = levels.flip_band ? (levels.flip_band[1] - levels.flip_band[0]) / 2 : null;
    // a band of less than the last decimal isn't none
    const places = finely(levels.flip);
    const band = half === null ? "" : `  \u00b1${price(half, half < 0.95 / 10 ** places ? places + 1 : places)}`;
    const others = levels.flips.length > 1 ? `  +${levels.flips.length - 1} more` : "";
    const hint = others ? `All flips: ${levels.flips.map(level).join(", ")}` : "";
    write("flip", level(levels.flip), distance(levels.flip, levels.spot) + band + others, hint);
  }

  function net(levels, query, missing) {
    const unit = new URLSearchParams(query).get("unit") || "per_1pct";
    const label = element("net_gex")?.querySelector(".name");
    if (label) text(label, UNIT_WORDS[unit] || UNIT_WORDS.per_1pct);
    const [, words] = REGIME[levels.regime] || ["", ""];
    // the sum of a part may even have the other sign
    write("net_gex", gex.format.dollars(levels.net_gex, true), missing && gex.format.known(levels.net_gex) ? "Of the dates read so far" : words);
    element("net_gex").dataset.sign = levels.net_gex > 0 ? "positive" : levels.net_gex < 0 ? "negative" : "";
  }

  function move({ move: found, spot }) {
    if (!found) return write("expected_move", gex.format.UNKNOWN, "");
    const when = found.today ? "0DTE" : gex.format.isoDay(found.expiry);
    const share = gex.format.percent(found.value / spot, 2, false);
    return write("expected_move", gex.format.move(found.value), `${when}  ${known(share)}`, `From the ${found.source} of ${found.expiry}`);
  }

  function confidence(quality, missing) {
    const cover = known(gex.format.percent(quality.coverage, 1, false));
    const whole = cover && `${cover} of OI used`;
    const notes = [...quality.warnings];
    for (const [name, count] of Object.entries({ ...quality.fallbacks, ...quality.excluded })) {
      notes.push(`${name.replaceAll("_", " ")}: ${gex.format.integer(count)}`);
    }
    const used = `${gex.format.integer(quality.used)} of ${gex.format.integer(quality.contracts)} contracts used`;
    write("confidence", gex.format.price(quality.confidence, 2), missing ? `${missing} ${missing === 1 ? "date" : "dates"} missing` : whole, [used, ...notes].join("\n"));
  }

  /** One sentence for screen readers, and words for the tab's title. */
  function summarise(answer) {
    const { price, level, strike, dollars, UNKNOWN } = gex.format;
    const { levels, symbol } = answer;
    const sums = (answer.panels || []).filter((panel) => gex.format.known(panel.total));
    const greeks = sums.map((panel) => `, ${panel.word} ${dollars(panel.total)}`).join("");
    const words = answer.missing ? "of the dates read so far" : REGIME[levels.regime]?.[1].toLowerCase();
    const regime = words ? `, ${words}` : "";
    text(
      document.getElementById("summary"),
      `${symbol}: spot ${price(levels.spot)}, gamma flip ${level(levels.flip)}, call wall ${strike(levels.call_wall)}, ` +
        `put wall ${strike(levels.put_wall)}, net GEX ${dollars(levels.net_gex)}${regime}${greeks}.`,
    );
    const net = answer.missing ? UNKNOWN : dollars(levels.net_gex, true);
    titled = { symbol, words: answer.past ? "" : `${symbol} ${price(levels.spot)}${net === UNKNOWN ? "" : ` \u00b7 ${net}`}` };
  }

  /** The tab's title: its numbers as far as they are followed. A page out of sight asks for none, so it names none. */
  function entitle({ state, word }) {
    if (!titled.words) return;
    const said = document.hidden ? titled.symbol : state === "live" ? titled.words : `${titled.words}, ${word.toLowerCase()}`;
    if (document.title !== said) document.title = said;
  }

  /** A title without numbers: none is shown. */
  function untitle(symbol) {
    titled = { symbol, words: "" };
    document.title = symbol;
  }

  /** Forget what was shown: the next numbers are another symbol's or another choice's, so nothing "changed". */
  const forget = () => last.clear();

  /** No numbers at all: en dashes until the next answer. */
  function blank() {
    forget();
    for (const tile of document.querySelectorAll("#strip .tile")) {
      text(tile.querySelector(".value"), gex.format.UNKNOWN);
      tile.querySelector(".value").title = "Waiting for the next answer";
      for (const part of [".detail", ".age"]) text(tile.querySelector(part), "");
      delete tile.dataset.sign;
    }
    text(document.getElementById("summary"), "");
  }

  /** Age and state of each number, on the server's clock. */
  function age(page, answer, now) {
    for (const tile of document.querySelectorAll("#strip .tile")) {
      const name = tile.id.slice("tile-".length);
      const fresh = gex.fresh.ofNumber(name, page, answer, now);
      if (tile.dataset.fresh !== fresh.state) tile.dataset.fresh = fresh.state;
      const old = gex.format.briefSpan(now - fresh.at);
      text(tile.querySelector(".age"), ["live", "partial", "closed", "past"].includes(fresh.state) ? "" : old);
      tile.querySelector(".age").title = `As of ${gex.format.clock(fresh.at)}`;
    }
  }

  gex.tiles = { update, age, forget, blank, entitle, untitle, why };
})();
