"""Tick to cache: from a sender's clock to the chain that Redis has confirmed, on a chain of 20,000 contracts.

The real parts in the order of app/feed/leader.py: stream, decoder, book and publication, two threads in this process;
the sender and Redis are processes of their own. "cadence" publishes every 250 ms, as the product does by default;
"event" publishes whenever something has come in, which shows what the path itself takes; "uncached" is the same without
Redis: what this machine makes of two threads and their waking each other, whatever the product does.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.cache.embedded import EmbeddedRedis
from app.cache.redis_store import RedisStore
from app.errors import StreamClosed
from app.feed.board import Board
from app.market.book import Book
from app.schwab.stream import Stream
from benchmarks.chain import book
from benchmarks.wire import monotonic_us, sending

CADENCE_S = 0.25
FIELDS = 8
FRAME_EVERY_S = 0.01
SECONDS, SETTLE_S = 12.0, 2.0


@dataclass
class Run:
    """One measurement: when frames were sent that are in the book, and how old they were when Redis had them."""

    book: Book
    store: RedisStore | None
    heard: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    applied: list[int] = field(default_factory=list)
    ages_us: list[int] = field(default_factory=list)

    def pump(self, stream: Stream) -> None:
        board = Board("simulator", "benchmark")
        try:
            while not self.over.is_set():
                frame = stream.poll(0.25)
                if frame is None:
                    continue
                board.heard(frame)
                self.book.apply(frame.options, round(time.time() * 1000))
                self.applied.append(frame.server_ms)
                self.heard.set()
        except StreamClosed:
            self.over.set()
            self.heard.set()

    def publish(self) -> None:
        """What the book holds now, and the age of every frame that is new in it."""
        count = len(self.applied)
        chain = self.book.snapshot(round(time.time() * 1000))
        if self.store is not None:
            self.store.publish(chain, 1)
        now = monotonic_us()
        self.ages_us += [now - sent for sent in self.applied[:count]]
        del self.applied[:count]


def run(store: RedisStore | None, rate: int, *, event_driven: bool) -> dict[str, float]:
    """Latencies in ms and the share of a core at `rate` contents a second."""
    one = Run(book(), store)
    one.publish()
    with sending(max(1, round(rate * FRAME_EVERY_S)), FIELDS, rate, SECONDS) as info:
        pump = threading.Thread(target=one.pump, args=(Stream(info),), daemon=True)
        pump.start()
        _follow(one, SETTLE_S, event_driven)
        one.ages_us.clear()
        began, cpu = time.monotonic(), time.process_time()
        _follow(one, SECONDS - 2 * SETTLE_S, event_driven)
        share = (time.process_time() - cpu) / (time.monotonic() - began)
        one.over.set()
        pump.join(5)
    ages = np.array(one.ages_us) / 1000
    return {
        "p50_ms": float(np.percentile(ages, 50)),
        "p99_ms": float(np.percentile(ages, 99)),
        "core_share": share,
        "frames": len(ages),
    }


def _follow(one: Run, seconds: float, event_driven: bool) -> None:
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end and not one.over.is_set():
        if event_driven:
            if one.heard.wait(0.25):
                one.heard.clear()
                one.publish()
            continue
        if one.book.dirty:
            one.publish()
        one.over.wait(max(0.01, CADENCE_S - (time.monotonic() - began)))


def measure() -> dict[str, Any]:
    """All rates, printed as they come."""
    found: dict[str, Any] = {}
    with EmbeddedRedis() as server:
        store = RedisStore(server.url)
        for rate in (5_000, 10_000, 25_000):
            for name in ("cadence", "event", "uncached"):
                one = run(
                    None if name == "uncached" else store,
                    rate,
                    event_driven=name != "cadence",
                )
                found[f"{rate}_{name}"] = one
                print(
                    f"tick to cache, {rate:6,} contents/s, {name:8}: p50 {one['p50_ms']:.1f} ms, "
                    f"p99 {one['p99_ms']:.1f} ms, {one['core_share']:.0%} of a core"
                )
        store.close()
    return found


if __name__ == "__main__":
    measure()
