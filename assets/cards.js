/* The cards under the chart: what changed, the feed, the cache. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const FEED_WORDS = {
    starting: "Starting",
    signed_out: "Signed out",
    connecting: "Connecting",
    live: "Connected",
    reconnecting: "Reconnecting",
    stopped: "Stopped",
  };
  const BACKENDS = { redis: "Redis", embedded: "Redis, embedded", memory: "In this process" };

  function fact(name, value, { state = "", title = "" } = {}) {
    const node = document.getElementById(`fact-${name}`);
    if (!node) return;
    if (node.textContent !== value) node.textContent = value;
    if (node.dataset.state !== state) node.dataset.state = state;
    const reason = value === gex.format.UNKNOWN && document.getElementById("shared") ? "A shared view isn\u2019t told this." : title;
    if (node.title !== reason) node.title = reason;
  }

  /** Fill both cards; called every second, since ages grow. cut: why nothing is heard from the server, so that neither is known. */
  function update(ack, now, cut) {
    if (cut || !ack.feed) unknown(["feed", "frame", "streaming", "login"], whyNot(ack, cut));
    else feed(ack.feed, now);
    if (cut) unknown(["backend", "hits", "memory"], whyNot(ack, cut));
    else cache(ack.cache);
    version(ack, now);
  }

  function unknown(names, title) {
    for (const name of names) fact(name, gex.format.UNKNOWN, { title });
  }

  function whyNot(ack, cut) {
    if (cut) return cut;
    return ack.cache.healthy ? "No feed has reported." : "What the feed says is kept in the cache, which can\u2019t be reached.";
  }

  function feed(feed, now) {
    const { span, integer, percent, UNKNOWN, clock } = gex.format;
    const good = feed.state === "live";
    const tries = feed.reconnects ? `, ${integer(feed.reconnects)} reconnect${feed.reconnects > 1 ? "s" : ""}` : "";
    fact("feed", `${FEED_WORDS[feed.state] || feed.state} ${span(now - feed.since)}${tries}`, {
      state: good ? "live" : "down",
      title: feed.source === "simulator" ? "The built-in simulator" : "Schwab’s stream",
    });
    fact("frame", feed.frame ? `${span(now - feed.frame)} ago` : UNKNOWN, {
      title: feed.frame ? clock(feed.frame) : "No frame has come yet.",
    });
    streaming(feed, { integer, percent, UNKNOWN });
    login(feed, now);
  }

  function streaming(feed, { integer, percent, UNKNOWN }) {
    const cover = feed.coverage;
    if (!cover) return fact("streaming", UNKNOWN, { title: "Nothing of this chain streams yet." });
    const share = gex.format.known(cover.share) ? `, ${percent(cover.share, 0, false)} of gamma` : "";
    const swept = cover.oldest ? `The rest is read in turn, the oldest at ${gex.format.clock(cover.oldest)}.` : "";
    const rejected = feed.rejected ? ` ${integer(feed.rejected)} malformed values were left out.` : "";
    return fact("streaming", `${integer(cover.streaming)} of ${integer(cover.contracts)} contracts${share}`, {
      title: `${integer(feed.keys[0])} of ${integer(feed.keys[1])} streaming places are used. ${swept}${rejected}`,
    });
  }

  function login(feed, now) {
    if (!feed.login_ends) {
      return fact("login", gex.format.UNKNOWN, { title: "Nobody has signed in with Schwab yet." });
    }
    const left = feed.login_ends - now;
    return fact("login", left > 0 ? gex.format.span(left) : "Ended", {
      state: left < 0 ? "down" : left < 86400000 ? "delayed" : "",
      title: `Until ${gex.format.date(feed.login_ends)}, ${gex.format.clock(feed.login_ends)}: Schwab ends every login after seven days.`,
    });
  }

  /** Of the chain that is shown; the server's number for it. */
  function version({ version, published }, now) {
    const { span, integer, UNKNOWN, known, clock } = gex.format;
    fact("version", known(version) ? `${integer(version)}, ${span(now - published)} old` : UNKNOWN, {
      title: known(version) ? `Published ${clock(published)}` : "No chain has been published yet.",
    });
  }

  function cache(cache) {
    const { percent, mebibytes, price, UNKNOWN, known } = gex.format;
    const ping = known(cache.ping) ? `, ${price(cache.ping, 1)}\u00a0ms` : "";
    fact("backend", cache.healthy ? `${BACKENDS[cache.backend]}${ping}` : `${BACKENDS[cache.backend]}, unreachable`, {
      state: cache.healthy ? "live" : "down",
      title: cache.healthy ? "Answers normally" : "It is tried again all the time; the last copy is shown.",
    });
    fact("hits", known(cache.hit_rate) ? percent(cache.hit_rate, 1, false) : UNKNOWN, {
      title: known(cache.hit_rate) ? "Reads that found their chain in the cache" : "Nothing has been read yet.",
    });
    const limit = known(cache.memory_limit) && cache.memory_limit > 0 ? ` of ${mebibytes(cache.memory_limit)}` : "";
    fact("memory", known(cache.memory) ? `${mebibytes(cache.memory)}${limit}\u00a0MB` : UNKNOWN, {
      title: known(cache.memory) ? "" : "This backend does not say.",
    });
  }

  /** What changed over 5, 15 and 60 minutes: {spot: {5: x, ...}, flip, net_gex, since}. */
  function changed(changes) {
    const { points, dollars, UNKNOWN, clock } = gex.format;
    const write = { spot: (x) => points(x, 2), flip: (x) => points(x, 1), net_gex: (x) => dollars(x, true) };
    for (const [name, format] of Object.entries(write)) {
      for (const minutes of [5, 15, 60]) {
        const node = document.getElementById(`changed-${name}-${minutes}`);
        const value = changes?.[name]?.[minutes];
        const text = format(value);
        if (node.textContent !== text) node.textContent = text;
        node.dataset.sign = gex.format.sign(text);
        const since = changes?.since ? `Seen here only since ${clock(changes.since)}.` : "Nothing was seen here yet.";
        node.title = text === UNKNOWN ? since : "";
      }
    }
  }

  gex.cards = { update, changed };
})();
