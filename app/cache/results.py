"""What pages and REST read: the computed picture of the newest chain, the feed's status, the cache's own state.

One computation per (symbol, version, parameters) in each process, whatever the number of callers.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from pydantic import ValidationError

from app.cache.base import Loaded, Store, Version, wall_ms
from app.cache.flask_cache import JsonCache
from app.errors import CacheError
from app.gex import Surface, expose, fit
from app.gex.params import Params
from app.gex.snapshot import Snapshot
from app.models import CacheStats, Event, FeedProblem, SchwabConnection

SILENT_AFTER_S = 5.0  # the feed writes its status at least once a second
_SNAPSHOTS_KEPT = 96
_SURFACES_KEPT = 8
_STATS = "stats"
_STATS_LIFE_S = 1
_SILENCE_KEPT_S = 1.0
_OVER = {"signed_out": "the feed is signed out of Schwab", "stopped": "the feed has stopped"}

T = TypeVar("T")


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """A snapshot with what it was computed from.

    Attributes:
        snapshot: the numbers.
        surface: forwards and volatilities that they rest on.
        loaded: the chain, its version, and whether it is a stale copy.
        etag: the same text means the same answer; quoted, fit for an HTTP header.
    """

    snapshot: Snapshot
    surface: Surface
    loaded: Loaded
    etag: str


class Latest(Generic[T]):
    """The latest version of each of `capacity` values. Callers of a value that is being made wait for it."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, tuple[Version, Future[T]]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, version: Version, make: Callable[[], T]) -> T:
        """The value of this version, made at most once. Raises what `make` raises, and forgets that it did."""
        with self._lock:
            held = self._entries.get(key)
            if held is not None and held[0] == version:
                self._entries.move_to_end(key)
                future, mine = held[1], False
            else:
                future, mine = Future(), True
                self._entries[key] = version, future
                self._entries.move_to_end(key)
                while len(self._entries) > self._capacity:
                    self._entries.popitem(last=False)
        if mine:
            self._fulfil(key, future, make)
        return future.result()

    def _fulfil(self, key: Hashable, future: Future[T], make: Callable[[], T]) -> None:
        try:
            future.set_result(make())
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            with self._lock:
                if self._entries.get(key, (None, None))[1] is future:
                    del self._entries[key]
            future.set_exception(error)


class Results:
    """Reads the store, computes once, remembers.

    Args:
        store: where the chains are.
        rate: interest rate for chains that have none of their own; None takes it from parity.

    Attributes:
        observe: told the stage (fit, expose) and the seconds of every computation.
    """

    def __init__(self, store: Store, *, rate: float | None = None) -> None:
        self.store = store
        self._rate = rate
        self._surfaces: Latest[Surface] = Latest(_SURFACES_KEPT)
        self._documents = JsonCache(store)
        self._snapshots: Latest[tuple[Snapshot, Surface]] = Latest(_SNAPSHOTS_KEPT)
        self.observe: Callable[[str, float], None] = _ignore
        self._silence = float("-inf"), ""

    def get(self, symbol: str, params: Params | None = None) -> Result | None:
        """The picture of the newest chain; None when this symbol has none yet.

        While Redis is away: the picture of the last copy, `loaded.stale` being True; CacheError when there is no copy.
        """
        loaded = self.store.load(symbol)
        return None if loaded is None else self._of(loaded, Params() if params is None else params)

    def _of(self, loaded: Loaded, params: Params) -> Result:
        symbol = loaded.chain.symbol

        def compute() -> tuple[Snapshot, Surface]:
            surface = self._surfaces.get(
                symbol,
                loaded.version,
                lambda: self._timed("fit", lambda: fit(loaded.chain, default_rate=self._rate)),
            )
            return self._timed("expose", lambda: expose(surface, params)), surface

        snapshot, surface = self._snapshots.get((symbol, params), loaded.version, compute)
        return Result(snapshot, surface, loaded, _etag(loaded, params))

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        done = work()
        self.observe(stage, time.perf_counter() - began)
        return done

    def version(self, symbol: str) -> Version | None:
        """The newest version of a chain, without reading it. Raises CacheError."""
        return self.store.version(symbol)

    def symbols(self) -> list[str]:
        """The symbols that have a chain. Raises CacheError."""
        return self.store.symbols()

    def connection(self) -> SchwabConnection | None:
        """The feed's account of itself; None before the first. Raises CacheError.

        A feed that has fallen silent can't say so itself: its state is then "stopped", with the problem named.
        """
        data = self.store.status()
        if data is None:
            return None
        try:
            status = SchwabConnection.model_validate_json(data)
        except ValidationError:
            return None  # written by another version of this program
        return _silent(status) or status

    def silence(self) -> str:
        """Why nothing new of any chain can come, at most a second old; "" while a feed reports, and where there is none."""
        now = time.monotonic()
        if now - self._silence[0] >= _SILENCE_KEPT_S:
            words = self._silence[1]
            with suppress(CacheError):  # whoever reads a chain hears of it
                status = Results.connection(self)  # the whole account, whoever asks: it is kept for all
                words = _OVER.get(status.state, "") if status else ""
            self._silence = now, words
        return self._silence[1]

    def events(self, limit: int = 100) -> list[Event]:
        """The feed's last events, newest first. Raises CacheError."""
        return self.store.events(limit)

    def stats(self) -> CacheStats:
        """How the cache is doing, at most a second old. Never raises.

        Every tab asks once a second, and measuring takes Redis eight questions: so one answer serves all processes.
        """
        kept = self._documents.get(_STATS)
        if kept is not None:
            with suppress(ValidationError, KeyError, TypeError):
                return _aged(CacheStats.model_validate(kept["stats"]), wall_ms() - kept["at_ms"])
        stats = self.store.stats()
        if stats.healthy:
            document = {"at_ms": wall_ms(), "stats": stats.model_dump(mode="json")}
            self._documents.set(_STATS, document, _STATS_LIFE_S)
        return stats


def _ignore(_stage: str, _seconds: float) -> None:
    """What nobody counts."""


def _aged(stats: CacheStats, elapsed_ms: int) -> CacheStats:
    """Statistics of a moment ago: the chains are that much older now."""
    older = max(0, elapsed_ms) / 1000
    ages = {symbol: None if age is None else age + older for symbol, age in stats.ages_s.items()}
    return stats.model_copy(update={"ages_s": ages})


def _silent(status: SchwabConnection) -> SchwabConnection | None:
    if status.state == "stopped" or status.heartbeat_at is None:
        return None
    if datetime.now(UTC) - status.heartbeat_at < timedelta(seconds=SILENT_AFTER_S):
        return None
    problem = FeedProblem(
        code="feed_silent",
        message="The feed has stopped reporting.",
        cure="Another worker takes over within seconds; if none does, look at the server's log and restart it.",
        since=status.heartbeat_at,
    )
    return status.model_copy(update={"state": "stopped", "since": status.heartbeat_at, "problem": problem})


def _etag(loaded: Loaded, params: Params) -> str:
    parts = f"{loaded.chain.symbol} {loaded.version} {loaded.stale} {params}"
    return f'"{hashlib.blake2b(parts.encode(), digest_size=9).hexdigest()}"'
