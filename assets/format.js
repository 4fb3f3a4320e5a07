/* Numbers as words: a real minus, a no-break space before units, an en dash for what is unknown (never 0). */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const MINUS = "\u2212";
  const SPACE = "\u00a0";
  const UNKNOWN = "\u2013";
  const known = (value) => typeof value === "number" && Number.isFinite(value);

  const formatters = new Map();
  function grouped(size, least, most) {
    const key = least * 32 + most;
    if (!formatters.has(key)) {
      formatters.set(
        key,
        new Intl.NumberFormat("en-US", { minimumFractionDigits: least, maximumFractionDigits: most }),
      );
    }
    return formatters.get(key).format(size);
  }

  function signed(value, text, explicit) {
    // what rounds to zero has no sign
    if (!/[1-9]/.test(text)) return text;
    return value < 0 ? MINUS + text : explicit ? "+" + text : text;
  }

  /** The sign that an explicitly signed text shows: what reads 0 has none. */
  const sign = (text) => (text[0] === "+" ? "positive" : text[0] === MINUS ? "negative" : "");

  /** A price with its decimals: 4,697.24. */
  const price = (value, decimals = 2) =>
    known(value) ? signed(value, grouped(Math.abs(value), decimals, decimals), false) : UNKNOWN;

  /** Decimals of what is computed near a price: the last one must mean about as much of a stock as of an index. */
  const finely = (near) => (Math.abs(near) < 1000 ? 2 : 1);

  /** A computed price level, such as a flip: 4,718.4, or 282.47 of a stock. */
  const level = (value) => price(value, finely(value));

  /** An expected move: \u00b138.5, \u00b10.36. */
  const move = (value) => (known(value) ? `\u00b1${price(value, Math.abs(value) < 9.995 ? 2 : 1)}` : UNKNOWN);

  /** A strike: as many decimals as it has, two at most. */
  const strike = (value) => (known(value) ? grouped(value, 0, 2) : UNKNOWN);

  /** A distance in points with its sign: +24.1. */
  const points = (value, decimals = 1) =>
    known(value) ? signed(value, grouped(Math.abs(value), decimals, decimals), true) : UNKNOWN;

  /** A share as percent: 0.0018 -> +0.18 %. */
  const percent = (share, decimals = 2, explicit = true) =>
    known(share)
      ? signed(share, grouped(Math.abs(share) * 100, decimals, decimals), explicit) + SPACE + "%"
      : UNKNOWN;

  const SCALES = [
    [1e12, "Tn"],
    [1e9, "Bn"],
    [1e6, "M"],
    [1e3, "K"],
    [1, ""],
  ];

  /** Dollars by three digits: -10.4 Bn, 532 M. */
  function dollars(value, explicit = false) {
    if (!known(value)) return UNKNOWN;
    const size = Math.abs(value);
    if (size < 0.005) return "0";
    // 999.6 M reads 1,000 M: the next unit takes over where rounding would
    const [divisor, word] = SCALES.find(([scale]) => size >= 0.9995 * scale) || SCALES[4];
    const scaled = size / divisor;
    const decimals = scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
    const text = grouped(scaled, decimals, decimals);
    return signed(value, text, explicit) + (word ? SPACE + word : "");
  }

  const integer = (value) => (known(value) ? signed(value, grouped(Math.round(Math.abs(value)), 0, 0), false) : UNKNOWN);

  /** A time span, coarser the longer it is: 0.8 s, 12 s, 4 min, 2 h 14 min, 5 d 6 h. */
  function span(ms) {
    if (!known(ms)) return UNKNOWN;
    const s = Math.max(0, ms) / 1000;
    if (s < 9.95) return s.toFixed(1) + SPACE + "s";
    if (s < 89.5) return Math.round(s) + SPACE + "s";
    const min = Math.round(s / 60);
    if (min < 60) return min + SPACE + "min";
    const h = Math.floor(min / 60);
    if (h < 48) return `${h}${SPACE}h${min % 60 ? `${SPACE}${min % 60}${SPACE}min` : ""}`;
    return `${Math.floor(h / 24)}${SPACE}d${h % 24 ? `${SPACE}${h % 24}${SPACE}h` : ""}`;
  }

  /** The same in one unit, where room is short: 2 h. */
  const briefSpan = (ms) => span(ms).split(SPACE).slice(0, 2).join(SPACE);

  const mebibytes = (bytes) => (known(bytes) ? grouped(bytes / 1048576, 0, bytes < 1e7 ? 1 : 0) : UNKNOWN);

  const ET = { timeZone: "America/New_York", hourCycle: "h23" };
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const day = { weekday: "short", month: "short", day: "numeric" };
  const exchangeTime = new Intl.DateTimeFormat("en-US", { ...ET, ...time });
  const exchangeDay = new Intl.DateTimeFormat("en-US", { ...ET, ...day, year: "numeric" });
  const localTime = new Intl.DateTimeFormat(undefined, { ...day, ...time, timeZoneName: "short" });

  /** The minute alone, for what happens at full ones: 16:00 ET. */
  const minute = (ms) => (known(ms) ? `${exchangeTime.format(ms).slice(0, 5)}${SPACE}ET` : UNKNOWN);
  /** Exchange time of an instant in ms: 13:42:07 ET. */
  const clock = (ms) => (known(ms) ? `${exchangeTime.format(ms)}${SPACE}ET` : UNKNOWN);
  /** The day in New York: Fri, Jan 5, 2024. */
  const date = (ms) => (known(ms) ? exchangeDay.format(ms) : UNKNOWN);
  /** The same without the year where it is this one: Wed, Nov 25. */
  const dayOf = (ms, now) => (date(ms).slice(-4) === date(now).slice(-4) ? date(ms).slice(0, -6) : date(ms));
  const local = (ms) => (known(ms) ? `${localTime.format(ms)}, your time` : UNKNOWN);

  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  /** 2024-01-08 -> Jan 08. No Date object: a date has no time zone. */
  const isoDay = (iso) => `${MONTHS[Number(iso.slice(5, 7)) - 1]} ${iso.slice(8, 10)}`;

  gex.format = {
    UNKNOWN, MINUS, known, sign, price, level, finely, move, strike, points, percent, dollars, integer, span, briefSpan, mebibytes, clock, minute, date, day: dayOf, local, isoDay,
  };
})();
