"""What the levels were over the last hour, minute by minute: for "changed in 5, 15, 60 min".

Under the default conventions the recorder knows it, whoever has looked; under others it is known as far as anybody has.
Kept in the cache, so that every worker tells the same story; lost with it, which is said as unknown.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from app.cache.base import Store
from app.errors import CacheError, HistoryError
from app.gex.params import Params
from app.gex.quality import comparable
from app.gex.snapshot import Snapshot
from app.history.reader import History

_MINUTE_MS = 60_000
_KEPT = 75  # minutes: the hour and some slack for minutes in which nobody looked
_TTL_S = 2 * 3600.0
_REREAD_S = 20.0
_CHARTS = 256


class Point(NamedTuple):
    """The levels at one instant, ms since the epoch (UTC); None is unknown."""

    at_ms: int
    spot: float | None
    flip: float | None
    net_gex: float | None


@dataclass(slots=True)
class _Held:
    points: list[Point]
    read_at: float


class Trail:
    """Remembers one point a minute for each (symbol, parameters) that is looked at. Safe to call from several threads.

    Args:
        history: where the recorder's minutes are read; None for those alone that were looked at.
    """

    def __init__(self, store: Store, history: History | None = None) -> None:
        self._store = store
        self._history = history
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def note(self, snapshot: Snapshot) -> list[Point]:
        """Add this snapshot where its minute has no point yet; the points known now, oldest first.

        The cache being away changes nothing but that other workers' points are not seen.
        """
        key = _key(snapshot.symbol, snapshot.params)
        with self._lock:
            points = self._read(key, snapshot)
            if not points or snapshot.as_of_ms // _MINUTE_MS > points[-1].at_ms // _MINUTE_MS:
                points = [*points, point(snapshot)][-_KEPT:]
                self._write(key, points)
            return points

    def _read(self, key: str, snapshot: Snapshot) -> list[Point]:
        held = self._held.get(key)
        now = time.monotonic()
        if held and now - held.read_at < _REREAD_S:
            return held.points
        points = held.points if held else []
        with suppress(CacheError):  # the cache's own state is shown elsewhere on the page
            points = _decode(self._store.get(key)) or points
        if self._history is not None and snapshot.params == Params():
            points = _joined(points, self._recorded(snapshot))
        self._keep(key, points, now)
        return points

    def _recorded(self, snapshot: Snapshot) -> list[Point]:
        assert self._history is not None  # noqa: S101 - the caller has looked
        with suppress(HistoryError):  # a damaged file: the status page says so
            start_ms = snapshot.as_of_ms - _KEPT * _MINUTE_MS
            return [Point(*row) for row in self._history.points(snapshot.symbol, start_ms, snapshot.as_of_ms)]
        return []

    def _write(self, key: str, points: list[Point]) -> None:
        self._keep(key, points, time.monotonic())
        with suppress(CacheError):
            self._store.put(key, orjson.dumps([list(seen) for seen in points]), _TTL_S)

    def _keep(self, key: str, points: list[Point], now: float) -> None:
        self._held[key] = _Held(points, now)
        self._held.move_to_end(key)
        while len(self._held) > _CHARTS:
            self._held.popitem(last=False)


def _joined(seen: list[Point], recorded: list[Point]) -> list[Point]:
    """One point a minute, in order; where both know one, what was seen."""
    minutes = {at.at_ms // _MINUTE_MS: at for at in [*recorded, *seen]}
    return [minutes[minute] for minute in sorted(minutes)][-_KEPT:]


def _key(symbol: str, params: Params) -> str:
    digest = hashlib.blake2b(repr(params).encode(), digest_size=8).hexdigest()
    return f"trail:{{{symbol}}}:{digest}"


def point(snapshot: Snapshot) -> Point:
    """A snapshot's point. What is missing of a chain would look like a change."""
    levels = comparable(snapshot.levels, snapshot.quality)
    return Point(snapshot.as_of_ms, snapshot.spot, levels.flip, levels.net_gex)


def _decode(data: bytes | None) -> list[Point]:
    """What `_write` wrote; anything else is nothing."""
    try:
        rows = orjson.loads(data) if data else []
        return [Point(*row) for row in rows if isinstance(row[0], int)]
    except (orjson.JSONDecodeError, TypeError, IndexError, KeyError):
        return []
