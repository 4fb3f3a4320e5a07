"""Rows 6 to 8: Redis killed, stopped, full, read-only, emptied."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from app.cache import open_store
from app.cache.embedded import EmbeddedRedis
from app.schwab.chains import parse_chain_json
from app.schwab.rest import Rest
from benchmarks.chaos.rig import Load, Site, page, seconds_until, site, status
from benchmarks.chaos.rows import Outcome, row
from tests.feeding import oauth_at
from tests.product import Running
from tests.support import eventually

_KEYS = 5_400
_FIGURE = (
    "every request answered, p99 under 500 ms; badge within 2 s; equal to the source within 2 s of its return"
)
_COMPARED = ("bid", "ask", "bid_size", "ask_size", "last", "volume")


@dataclass
class Outage:
    """What one outage did."""

    badge_s: float
    equal_s: float
    updates_per_s: float


@row(6, "Redis killed for 30 s at 5,000 updates/s", _FIGURE)
def killed(quick: bool) -> Outcome:
    """SIGKILL; after half a minute an empty Redis at the same place."""
    return _away(quick, _kill, EmbeddedRedis.start)


@row(
    7,
    "Redis stopped (SIGSTOP) for 30 s",
    "as 6; no worker timeout; 250 ms per call at most",
)
def stopped(quick: bool) -> Outcome:
    """SIGSTOP: the socket takes everything and answers nothing."""
    return _away(
        quick, lambda server: _signal(server, signal.SIGSTOP), lambda server: _signal(server, signal.SIGCONT)
    )


def _kill(server: EmbeddedRedis) -> None:
    _signal(server, signal.SIGKILL)
    assert server.process is not None
    server.process.wait()


def _signal(server: EmbeddedRedis, signum: signal.Signals) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signum)


def _away(
    quick: bool, leave: Callable[[EmbeddedRedis], None], come_back: Callable[[EmbeddedRedis], None]
) -> Outcome:
    seconds = 8 if quick else 30
    with (
        site(
            "--symbols", "SPX", "--rate-limit", "0", "--symbol-limit", "6000", "--body-limit", "30000000"
        ) as made,
        made.server(SYMBOLS="SPX", STREAM_KEYS=str(_KEYS)) as server,
    ):
        eventually(lambda: status(made.store).keys_used >= _KEYS, 60, "all keys stream")
        load = Load(server.url, "SPX")
        calm = Load(server.url, "SPX")
        with calm.going():
            time.sleep(3 if quick else 10)
        with load.going():
            found = _outage(made, server, seconds, leave, come_back)
        log = server.log.read_text()
    timeouts = log.count("WORKER TIMEOUT")
    healthy = not load.unanswered and not load.refused and load.p99_s < 0.5 and not timeouts
    measured = (
        f"{found.updates_per_s:.0f} updates/s; {load.summary()}; badge after {found.badge_s:.2f} s; equal to the source "
        f"{found.equal_s:.2f} s after its return; {timeouts} worker timeouts"
    )
    note = f"before the fault: {calm.summary()}"
    if load.unanswered:
        note += f"; unanswered: {load.unanswered[0]}"
    if found.equal_s > 2:
        note += f"; log: {log[-1500:]}"
    if load.refused:
        note += f"; refused: {sorted({(answer.path, answer.status) for answer in load.refused})}"
    return Outcome(measured, healthy and found.badge_s <= 2 and found.equal_s <= 2, note)


def _outage(
    made: Site,
    server: Running,
    seconds: float,
    leave: Callable[[EmbeddedRedis], None],
    come_back: Callable[[EmbeddedRedis], None],
) -> Outage:
    source = Source(made, "SPX")
    eventually(source.agrees, 30, "the cache equals the source before the fault")
    items, began = made.schwab.state()["items"], time.monotonic()
    leave(made.redis)
    badge = seconds_until(lambda: page(server.url, "SPX").badge, 10, "the badge says so")
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    rate = (made.schwab.state()["items"] - items) / (time.monotonic() - began)
    come_back(made.redis)
    equal = seconds_until(source.agrees, 30, "the cache equals the source")
    return Outage(badge, equal, rate)


@row(8, "Redis full, READONLY, FLUSHALL", "counted, refilled within 2 s")
def refusing(quick: bool) -> Outcome:
    """Redis refuses writes for a while, in two ways, and loses its data; two workers contend."""
    faults = {
        "full": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "256mb")),
        "READONLY": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        "FLUSHALL": (("PING",), ("FLUSHALL",)),
    }
    said, fine = [], True
    with site("--symbols", "AAPL", "--rate-limit", "0") as made, made.server(SYMBOLS="AAPL"):
        source = Source(made, "AAPL")
        for name, (break_it, mend_it) in faults.items():
            for seconds in (1,) if quick else (1, 6, 10):
                slowest, counted = _refuse(made, source, break_it, mend_it, seconds)
                fine = fine and slowest <= 2 and (counted > 0 or name == "FLUSHALL")
                said.append(f"{name} {seconds} s: {counted} writes counted, equal after {slowest:.2f} s")
        state = made.schwab.state()
    said.append(f"{state['logins']} login at the streamer in all")
    return Outcome("; ".join(said), fine and state["logins"] == 1)


def _refuse(
    made: Site, source: Source, break_it: tuple[str, ...], mend_it: tuple[str, ...], seconds: float
) -> tuple[float, int]:
    """Seconds until the cache equals the source again, and how many writes were counted as failed."""
    eventually(source.agrees, 30, "the cache equals the source before the fault")
    failed = status(made.store).writes_failed
    made.command(*break_it)
    time.sleep(seconds)
    made.command(*mend_it)
    took = seconds_until(source.agrees, 30, "the cache equals the source")
    time.sleep(1.5)  # until the feed has reported
    return took, status(made.store).writes_failed - failed


class Source:
    """What Schwab itself says of the expiry that streams most, against what the cache holds.

    The simulator shows everybody the same prices within one tick; rows of the same quote time must be the same row.
    """

    def __init__(self, made: Site, symbol: str) -> None:
        self._symbol = symbol
        oauth = oauth_at(made.url, made.data)
        self._rest = Rest(oauth, api_url=made.url)
        self._store = open_store(made.redis.url, embedded=True)
        self._day = self._busiest()

    def _busiest(self) -> date:
        loaded = self._store.load(self._symbol)
        assert loaded is not None
        days, counts = np.unique(
            loaded.chain.contracts.expiry[loaded.chain.quotes.streaming], return_counts=True
        )
        found: date = days[counts.argmax()].item()
        return found

    def agrees(self) -> bool:
        """Whether every streamed contract of the nearest expiry reads as at Schwab, no quote behind by over two ticks."""
        loaded = self._store.load(self._symbol)
        if loaded is None or loaded.stale:
            return False
        truth = parse_chain_json(self._rest.chain(self._symbol, self._day, self._day))
        chain = loaded.chain
        _, here, there = np.intersect1d(
            chain.contracts.symbol, truth.contracts.symbol, assume_unique=True, return_indices=True
        )
        streamed = chain.quotes.streaming[here]
        here, there = here[streamed], there[streamed]
        behind = truth.quotes.quote_ms[there] - chain.quotes.quote_ms[here]
        same = behind == 0
        return (
            len(here) > 50
            and bool((behind <= 2_900).all())  # a quote's own time is up to 0.9 s before its tick
            and bool(same.any())
            and all(
                _equal(getattr(chain.quotes, name)[here[same]], getattr(truth.quotes, name)[there[same]])
                for name in _COMPARED
            )
        )


def _equal(left: np.ndarray, right: np.ndarray) -> bool:
    return bool(np.allclose(left, right, equal_nan=True, rtol=0, atol=1e-6))
