"""What the cache promises, whichever backend keeps it: one versioned chain per underlying, the feed's status, and
small values.

Every failure is a CacheError. What is unknown or was never written is None.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from app.market.chain import Chain
from app.models import CacheStats, Event

EVENTS_KEPT = 500

# Where an entry of a stream stands: milliseconds, and a number within them. (0, 0) is before the first.
Position = tuple[int, int]


class Version(NamedTuple):
    """Which publication of a chain this is.

    `number` grows by one with every publication; `epoch` grows with every change of the feed's leader. Compare whole
    versions for equality: after Redis lost its data, `number` alone may come a second time.
    """

    number: int
    published_ms: int
    epoch: int

    def age_s(self, now_ms: int | None = None) -> float:
        """Seconds since publication, never negative."""
        now = wall_ms() if now_ms is None else now_ms
        return max(0.0, (now - self.published_ms) / 1000)


@dataclass(frozen=True, eq=False, slots=True)
class Loaded:
    """A chain as it was read.

    Attributes:
        stale: True when the cache can't be read now and this is the process's last copy; `error` says why.
    """

    chain: Chain
    version: Version
    stale: bool = False
    error: str = ""


class Store(Protocol):
    """The cache. Safe to use from several threads; opens no connection before its first call."""

    @property
    def backend(self) -> str:
        """memory, redis or embedded."""

    def publish(self, chain: Chain, epoch: int) -> int:
        """Write a chain as the newest version and return its number. Raises StaleWriter when a later epoch has written."""

    def version(self, symbol: str) -> Version | None:
        """The newest version of a chain; None when none was ever published."""

    def holds(self, symbol: str) -> bool:
        """Whether every part of a chain is there, so that a process that has never seen it could read it."""

    def load(self, symbol: str) -> Loaded | None:
        """The newest chain, decoded once per version in this process; None when none was ever published.

        While the cache can't be read, or has lost the chain: the last copy, marked stale. CacheError when it can't be
        read and this process has no copy.
        """

    def symbols(self) -> list[str]:
        """The symbols that have a chain, sorted."""

    def forget(self, symbol: str, epoch: int) -> None:
        """Keep a chain no longer. Raises StaleWriter when a later epoch has written it."""

    def put_status(self, data: bytes, epoch: int) -> None:
        """Write the feed's account of itself. Raises StaleWriter when a later epoch has written."""

    def status(self) -> bytes | None:
        """What put_status wrote last."""

    def acquire(self, name: str, owner: str, ttl_ms: int) -> int | None:
        """Take the lease `name` unless someone else holds it; returns a fencing epoch higher than all before it."""

    def renew(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Extend a lease; False when `owner` no longer holds it."""

    def release(self, name: str, owner: str) -> None:
        """Give a lease back; nothing happens when `owner` does not hold it."""

    def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        """Keep a small value, for ever or for `ttl_s` seconds."""

    def get(self, key: str) -> bytes | None:
        """A value that is kept."""

    def pop(self, key: str) -> bytes | None:
        """A value that is kept, and keep it no longer: of several callers exactly one gets it."""

    def delete(self, key: str) -> None:
        """Keep a value no longer."""

    def add_event(self, event: Event) -> None:
        """Append to the timeline, which holds the last EVENTS_KEPT events."""

    def events(self, limit: int = 100) -> list[Event]:
        """The last events, newest first."""

    def append(self, stream: str, at: Position, data: bytes, epoch: int, *, kept: int) -> bool:
        """Add an entry to a stream that keeps the last `kept`; False when one at this position or a later one is there.

        Raises StaleWriter when a later epoch has written.
        """

    def entries(
        self, stream: str, after: Position = (0, 0), *, limit: int = 100
    ) -> list[tuple[Position, bytes]]:
        """The first entries of a stream behind a position, in order."""

    def stats(self) -> CacheStats:
        """How the cache is doing; while it can't be reached `healthy` is False and the rest is what is known."""

    def ping(self) -> bool:
        """Whether the cache answers now. Never raises."""

    def close(self) -> None:
        """Close its connections; a later call opens new ones."""


def wall_ms() -> int:
    """The wall clock, ms since the epoch (UTC)."""
    return time.time_ns() // 1_000_000


def hit_rate(hits: int, misses: int) -> float | None:
    """Hits as a share of all reads; None before the first."""
    return hits / (hits + misses) if hits + misses else None
