/* How far each number can be trusted: judged in the browser, from the data's own instants on the server's clock. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});

  const LINK_MS = 6000; // no answer for so long: the server can't be reached
  const REFUSED_MS = 2500; // the same when questions are being refused
  const HEARTBEAT_MS = 10000; // the feed reports every second
  const DELAYED_MS = 11500; // no frame of any kind: a quiet stream has a heartbeat every ten seconds
  const STALE_MS = 30000;
  const QUIET_SPOT_MS = 60000;
  // an open market's chain is read again every minute, whatever streams; frames may all be of other symbols, or of spot
  const QUIET_CHAIN_MS = 90000;
  const OLD_CHAIN_MS = 180000;
  const OF_SPOT = ["spot", "flip"]; // what an old price of the underlying puts in the wrong place
  const ALONE = ["spot", "expected_move"]; // what doesn't add up the whole chain

  const WORDS = {
    connecting: "Connecting",
    live: "Live",
    delayed: "Delayed",
    stale: "Stale",
    down: "Disconnected",
    closed: "Closed",
    frozen: "Frozen",
  };

  const verdict = (state, since, why, word) => ({ state, word: word || WORDS[state], since, why });

  /**
   * The state of the whole page.
   * ack: the last acknowledgement; answer: what is drawn; now: the server's clock; silent: ms since the last answer;
   * status: what the last question failed with, null when it did not; refreshing: no answer yet since the page came into
   * sight.
   */
  function judge({ ack, answer, now, silent, status, refreshing }) {
    if (status === 401 || status === 403) return cut(verdict("down", null, "You are no longer signed in.", "Signed out"));
    if (silent > (status === null ? LINK_MS : REFUSED_MS)) return lost(now && now - silent, status);
    if (answer?.past) return verdict("past", null, `What was recorded ${gex.past.when(answer.past)}, not live. L goes back to the present.`, "Recorded");
    if (!ack) return verdict("connecting", null, "Waiting for the server.");
    if (refreshing) return verdict("connecting", null, "What is shown is from before; the newest is being fetched.", "Refreshing");
    if (ack.problem) return verdict("down", null, ack.problem.message, ack.cache?.healthy === false ? "Cache down" : "Not shown");
    // without a feed there is nothing to wait for; of recorded data there is an answer
    if (!answer) return (ack.feed && feedLost(ack, {}, now)) || verdict("connecting", null, "Waiting for the first chain.");
    if (answer.chainless) return ofFeed(ack, now);
    // before the feed: its own account is kept in the same cache
    if (answer.stale) return lastCopy(answer);
    if (ack.waiting) return verdict("stale", answer.published, "The server has no chain of this symbol any more: this is what it had.");
    return feedLost(ack, answer, now) || held(ack, answer, now) || byAge(ack, answer, now);
  }

  const lost = (since, status) =>
    cut(verdict("down", since, `${status >= 400 ? `The server answers with an error (${status}).` : "The server can’t be reached."} The page keeps trying and goes on by itself.`));

  /** Nothing is heard from the server: what feed and cache do meanwhile is unknown too. */
  const cut = (found) => ({ ...found, cut: true });

  const lastCopy = (answer) =>
    verdict("stale", answer.published, "The cache can’t be read: this is the last copy. It is tried again all the time.");

  /** Of a view that shows no chain: the cache's and the feed's own state. */
  function ofFeed(ack, now) {
    if (ack.cache && !ack.cache.healthy) return verdict("stale", null, "The cache can\u2019t be reached; it is tried again all the time.", "Cache down");
    const alone = { source: ack.feed?.source, as_of: now, published: now };
    const found = feedLost(ack, alone, now) || held(ack, alone, now) || byAge(ack, alone, now);
    // the feed's word, not the numbers': the market may be closed, and no number is shown
    return found.state === "live" ? { ...found, word: "Connected" } : found;
  }

  function feedLost(ack, answer, now) {
    const feed = ack.feed;
    if (!feed) {
      return answer.source === "file"
        ? verdict("closed", answer.as_of, "Recorded data: nothing updates it.", "Recorded")
        : verdict("down", answer.published, "No feed has reported.", "No feed");
    }
    if (feed.state === "signed_out") return verdict("down", feed.since, "Signed out of Schwab.", "Signed out");
    if (feed.state === "stopped" || !(now - feed.heartbeat <= HEARTBEAT_MS)) {
      return verdict("down", feed.heartbeat, "The feed has stopped reporting.", "Feed down");
    }
    return null;
  }

  function held(ack, answer, now) {
    if (answer.session === "closed") return closed(answer);
    if (ack.feed.state !== "live") {
      const age = now - (ack.feed.frame || answer.published);
      return verdict(age > STALE_MS ? "stale" : "delayed", ack.feed.frame, "The stream is being connected again.", "Reconnecting");
    }
    return null;
  }

  /** The day of the numbers is the day of the last price, not of the last question. */
  function closed(answer) {
    const at = answer.spot_at || answer.as_of;
    return verdict("closed", at, `The market is closed. These are the numbers of ${gex.format.date(at)}.`);
  }

  function byAge(ack, answer, now) {
    const frame = ack.feed.frame || answer.published;
    if (now - frame > STALE_MS) return verdict("stale", frame, "The stream is silent; it is being connected again.");
    const heard = Math.min(answer.heard ?? answer.published, answer.published);
    const old = now - heard;
    if (old > OLD_CHAIN_MS) return verdict("stale", heard, "The feed brings no contract of this chain, whatever else it brings.");
    if (now - frame > DELAYED_MS) return verdict("delayed", frame, "No frame has come for a while.");
    if (old > QUIET_CHAIN_MS) return verdict("delayed", heard, "Nothing of this chain\u2019s contracts has come for a while.");
    if (answer.delayed) return verdict("delayed", answer.spot_at, "The vendor marks its quotes as delayed.");
    return verdict("live", frame, "Frames and heartbeats arrive.");
  }

  /** The instant and state of one number. Spot has an instant of its own, and a flip is as old: where it is follows from spot. */
  function ofNumber(name, page, answer, now) {
    const at = OF_SPOT.includes(name) ? Math.min(answer.spot_at || answer.as_of, answer.as_of) : answer.as_of;
    if (answer.missing && !ALONE.includes(name) && ["live", "delayed", "closed"].includes(page.state)) return { state: "partial", at };
    if (page.state !== "live") return { state: page.state, at };
    return { state: OF_SPOT.includes(name) && now - at > QUIET_SPOT_MS ? "delayed" : "live", at };
  }

  /** Of a page held still: its numbers are as old as the picture, whatever arrives. Trouble is still told as such. */
  const frozen = (page, painted) =>
    ["live", "delayed", "closed"].includes(page.state) ? verdict("frozen", painted.as_of, "Held still. Press space to go on.") : page;

  gex.fresh = { judge, ofNumber, frozen };
})();
