"""The cache in this process's own memory: for `REDIS_URL=memory://`, which allows one process only."""

from __future__ import annotations

import threading
import time
from collections import deque
from itertools import islice

from app.cache.base import EVENTS_KEPT, Loaded, Position, Version, hit_rate, wall_ms
from app.errors import StaleWriter
from app.market.chain import Chain
from app.models import CacheStats, Event


class MemoryStore:
    """A Store in dictionaries behind one lock."""

    backend = "memory"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._chains: dict[str, Loaded] = {}
        self._status: tuple[bytes, int] | None = None
        self._leases: dict[str, tuple[str, float]] = {}
        self._epochs: dict[str, int] = {}
        self._values: dict[str, tuple[bytes, float]] = {}
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._streams: dict[str, tuple[list[tuple[Position, bytes]], int]] = {}
        self._hits = 0
        self._misses = 0

    def publish(self, chain: Chain, epoch: int) -> int:
        with self._lock:
            held = self._chains.get(chain.symbol)
            if held and epoch < held.version.epoch:
                raise StaleWriter(f"{chain.symbol}: epoch {epoch} was overtaken by {held.version.epoch}")
            number = held.version.number + 1 if held else 1
            self._chains[chain.symbol] = Loaded(chain, Version(number, wall_ms(), epoch))
            return number

    def version(self, symbol: str) -> Version | None:
        held = self._chains.get(symbol)
        return held.version if held else None

    def holds(self, symbol: str) -> bool:
        return symbol in self._chains

    def load(self, symbol: str) -> Loaded | None:
        with self._lock:
            held = self._chains.get(symbol)
            self._hits += held is not None
            self._misses += held is None
            return held

    def symbols(self) -> list[str]:
        with self._lock:
            return sorted(self._chains)

    def forget(self, symbol: str, epoch: int) -> None:
        with self._lock:
            held = self._chains.get(symbol)
            if held and epoch < held.version.epoch:
                raise StaleWriter(f"{symbol}: epoch {epoch} was overtaken by {held.version.epoch}")
            self._chains.pop(symbol, None)

    def put_status(self, data: bytes, epoch: int) -> None:
        with self._lock:
            if self._status and epoch < self._status[1]:
                raise StaleWriter(f"status: epoch {epoch} was overtaken by {self._status[1]}")
            self._status = data, epoch

    def status(self) -> bytes | None:
        held = self._status
        return held[0] if held else None

    def acquire(self, name: str, owner: str, ttl_ms: int) -> int | None:
        with self._lock:
            if self._holder(name) not in (None, owner):
                return None
            self._leases[name] = owner, time.monotonic() + ttl_ms / 1000
            self._epochs[name] = self._epochs.get(name, 0) + 1
            return self._epochs[name]

    def renew(self, name: str, owner: str, ttl_ms: int) -> bool:
        with self._lock:
            if self._holder(name) != owner:
                return False
            self._leases[name] = owner, time.monotonic() + ttl_ms / 1000
            return True

    def release(self, name: str, owner: str) -> None:
        with self._lock:
            if self._holder(name) == owner:
                del self._leases[name]

    def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        with self._lock:
            self._forget_expired()
            self._values[key] = value, time.monotonic() + ttl_s if ttl_s is not None else float("inf")

    def get(self, key: str) -> bytes | None:
        with self._lock:
            self._forget_expired()
            held = self._values.get(key)
            return held[0] if held else None

    def pop(self, key: str) -> bytes | None:
        with self._lock:
            self._forget_expired()
            held = self._values.pop(key, None)
            return held[0] if held else None

    def delete(self, key: str) -> None:
        with self._lock:
            self._values.pop(key, None)

    def add_event(self, event: Event) -> None:
        with self._lock:
            self._events.appendleft(event)

    def events(self, limit: int = 100) -> list[Event]:
        with self._lock:
            return list(islice(self._events, limit))

    def append(self, stream: str, at: Position, data: bytes, epoch: int, *, kept: int) -> bool:
        with self._lock:
            entries, latest = self._streams.get(stream, ([], 0))
            if epoch < latest:
                raise StaleWriter(f"{stream}: epoch {epoch} was overtaken by {latest}")
            if entries and at <= entries[-1][0]:
                return False
            self._streams[stream] = [*entries, (at, data)][-kept:], epoch
            return True

    def entries(
        self, stream: str, after: Position = (0, 0), *, limit: int = 100
    ) -> list[tuple[Position, bytes]]:
        held, _ = self._streams.get(stream, ([], 0))
        return [entry for entry in held if entry[0] > after][:limit]

    def stats(self) -> CacheStats:
        with self._lock:
            now = wall_ms()
            return CacheStats(
                backend="memory",
                healthy=True,
                ping_ms=0.0,
                keys=len(self._chains) + len(self._values),
                hits=self._hits,
                misses=self._misses,
                hit_rate=hit_rate(self._hits, self._misses),
                versions={symbol: held.version.number for symbol, held in self._chains.items()},
                ages_s={symbol: held.version.age_s(now) for symbol, held in self._chains.items()},
            )

    def ping(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing to close."""

    def _holder(self, name: str) -> str | None:
        owner, until = self._leases.get(name, ("", 0.0))
        return owner if until > time.monotonic() else None

    def _forget_expired(self) -> None:
        now = time.monotonic()
        for key in [key for key, (_, until) in self._values.items() if until <= now]:
            del self._values[key]
