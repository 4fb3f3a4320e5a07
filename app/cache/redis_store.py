"""The cache in Redis. One blob per chain, written and versioned in one step; the rest are small values.

Keys carry a hash tag, so that what one script touches shares a slot on a cluster:

    chain:{SPX} contracts:{SPX} version:{SPX}    one chain; `contracts` is sent only when they changed
    staged:{SPX}:EPOCH                           a leader's quotes, for a moment
    status:{feed} events:{feed} symbols:{feed} reads:{feed}
    lease:{NAME} epoch:{NAME}
    stream:{NAME} streamepoch:{NAME}             what append() keeps
    kv:KEY                                       what put() keeps
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Literal, TypeVar

import orjson
from pydantic import ValidationError
from redis.exceptions import NoScriptError

from app.cache import scripts
from app.cache.base import EVENTS_KEPT, Loaded, Position, Version, hit_rate, wall_ms
from app.cache.breaker import Breaker
from app.cache.clients import TIMEOUT_S, deployment
from app.cache.failures import REDIS_ERRORS, translated
from app.cache.reader import ChainReader
from app.errors import CacheError, DataError, ReadOnlyCache, StaleWriter
from app.market.chain import Chain
from app.market.codec import encode_contracts, encode_quotes
from app.models import CacheStats, Event

_COUNT_EVERY_S = 1.0
_STAGED_MS = 5000  # quotes that wait for their publication; whoever dies in between leaves nothing behind
_CLAIM_MS = round(TIMEOUT_S * 1000)

_DIGESTS = {
    script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest() for script in scripts.ALL
}

T = TypeVar("T")


class RedisStore:
    """A Store in Redis. A dead or hung server costs a call 0.25 s at most, and nothing while the breaker is open.

    Nothing read from Redis is ever unpickled.
    """

    def __init__(self, url: str, *, embedded: bool = False, breaker: Breaker | None = None) -> None:
        """Raises ValueError when the address isn't one that redis-py knows. Connects with the first call."""
        self.backend: Literal["redis", "embedded"] = "embedded" if embedded else "redis"
        self._deployment = deployment(url)
        self.breaker = breaker or Breaker()
        self._reader = ChainReader(self._read)
        self._sent: dict[str, str] = {}
        self._counted = (0, 0)
        self._counted_at = time.monotonic()
        self._count_lock = threading.Lock()

    # --- chains -----------------------------------------------------------------------------------

    def publish(self, chain: Chain, epoch: int) -> int:
        identity = chain.contracts.identity
        known = self._sent.get(chain.symbol) == identity
        number, published_ms = self._publish(chain, epoch, with_contracts=not known)
        if number == -2:
            number, published_ms = self._publish(chain, epoch, with_contracts=True)
            known = False
        if number == -1:
            raise StaleWriter(f"{chain.symbol}: a later leader than epoch {epoch} publishes it")
        if not known:
            self._call(lambda: self._redis.sadd("symbols:{feed}", chain.symbol))
            self._sent[chain.symbol] = identity
        self._reader.wrote(chain, Version(number, published_ms, epoch))
        return number

    def _publish(self, chain: Chain, epoch: int, *, with_contracts: bool) -> tuple[int, int]:
        published_ms = wall_ms()
        staged = f"staged:{{{chain.symbol}}}:{epoch}"
        quotes = encode_quotes(chain)
        arguments = [
            epoch,
            published_ms,
            self._reader.last_number(chain.symbol),
            chain.contracts.identity,
            encode_contracts(chain.contracts) if with_contracts else b"",
        ]
        self._call(lambda: self._redis.set(staged, quotes, px=_STAGED_MS))
        keys = [*_chain_keys(chain.symbol), staged]
        return int(self._run(scripts.PUBLISH, keys, arguments)), published_ms

    def version(self, symbol: str) -> Version | None:
        return self._call(lambda: _version(self._redis.hmget(f"version:{{{symbol}}}", *Version._fields)))

    def holds(self, symbol: str) -> bool:
        keys = _chain_keys(symbol)
        whole = self._call(lambda: self._redis.exists(*keys)) == len(keys)
        if not (whole and self._call(lambda: self._redis.sismember("symbols:{feed}", symbol))):
            self._sent.pop(symbol, None)  # the next publication writes all of it
            return False
        return True

    def load(self, symbol: str) -> Loaded | None:
        loaded = self._reader.load(symbol, partial(self.version, symbol))
        if time.monotonic() - self._counted_at > _COUNT_EVERY_S and self.breaker.state == "closed":
            with suppress(CacheError):  # statistics never stand between a reader and the chain
                self._send_counts()
        return loaded

    def _read(self, symbol: str, have: str) -> tuple[Version | None, bytes, bytes]:
        """Version, the quotes that belong to it and, where their identity isn't `have`, the contracts."""
        chain, contracts, version = _chain_keys(symbol)

        def read() -> tuple[Version | None, bytes, bytes]:
            # No MULTI: a full Redis refuses even reads inside one. The version is asked before and after instead.
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.hmget(version, *Version._fields, "identity").get(chain).hmget(version, "number")
                (*fields, identity), quotes, (number,) = pipe.execute()
            if number != fields[0]:
                raise DataError("a publication came between")
            fresh = identity is not None and identity.decode("ascii", "replace") != have
            return _version(fields), quotes or b"", (self._redis.get(contracts) or b"") if fresh else b""

        return self._call(read)

    def forget(self, symbol: str, epoch: int) -> None:
        self._sent.pop(symbol, None)
        if int(self._run(scripts.FORGET, _chain_keys(symbol), [epoch])) < 0:
            raise StaleWriter(f"{symbol}: a later leader than epoch {epoch} publishes it")
        self._call(lambda: self._redis.srem("symbols:{feed}", symbol))

    def symbols(self) -> list[str]:
        found = self._call(lambda: self._redis.smembers("symbols:{feed}"))
        return sorted(name.decode("ascii", "replace") for name in found)

    # --- the feed ---------------------------------------------------------------------------------

    def put_status(self, data: bytes, epoch: int) -> None:
        if not self._run(scripts.PUT_STATUS, ["status:{feed}"], [epoch, data]):
            raise StaleWriter(f"status: a later leader than epoch {epoch} writes it")

    def status(self) -> bytes | None:
        return self._bytes(lambda: self._redis.hget("status:{feed}", "data"))

    def acquire(self, name: str, owner: str, ttl_ms: int) -> int | None:
        keys = [f"lease:{{{name}}}", f"epoch:{{{name}}}"]
        until = int(self._run(scripts.CLOCK, keys[:1], [])) + _CLAIM_MS
        return int(self._run(scripts.ACQUIRE, keys, [owner, ttl_ms, until])) or None

    def renew(self, name: str, owner: str, ttl_ms: int) -> bool:
        return bool(self._run(scripts.RENEW, [f"lease:{{{name}}}"], [owner, ttl_ms]))

    def release(self, name: str, owner: str) -> None:
        self._run(scripts.RELEASE, [f"lease:{{{name}}}"], [owner])

    def add_event(self, event: Event) -> None:
        def add() -> None:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.lpush("events:{feed}", event.json_bytes())
                pipe.ltrim("events:{feed}", 0, EVENTS_KEPT - 1)
                pipe.execute()

        self._call(add)

    def events(self, limit: int = 100) -> list[Event]:
        lines = self._call(lambda: self._redis.lrange("events:{feed}", 0, max(limit, 1) - 1))
        return [event for line in lines if (event := _event(line)) is not None][: max(limit, 0)]

    # --- streams ----------------------------------------------------------------------------------

    def append(self, stream: str, at: Position, data: bytes, epoch: int, *, kept: int) -> bool:
        keys = [f"stream:{{{stream}}}", f"streamepoch:{{{stream}}}"]
        added = int(self._run(scripts.APPEND, keys, [epoch, f"{at[0]}-{at[1]}", kept, data]))
        if added < 0:
            raise StaleWriter(f"{stream}: a later leader than epoch {epoch} writes it")
        return added > 0

    def entries(
        self, stream: str, after: Position = (0, 0), *, limit: int = 100
    ) -> list[tuple[Position, bytes]]:
        begin = f"{after[0]}-{after[1] + 1}"
        found = self._call(lambda: self._redis.xrange(f"stream:{{{stream}}}", min=begin, count=limit))
        return [(_position(at), fields.get(b"data", b"")) for at, fields in found]

    # --- small values -----------------------------------------------------------------------------

    def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        ttl_ms = None if ttl_s is None else max(1, round(ttl_s * 1000))
        self._call(lambda: self._redis.set(f"kv:{key}", value, px=ttl_ms))

    def get(self, key: str) -> bytes | None:
        return self._bytes(lambda: self._redis.get(f"kv:{key}"))

    def pop(self, key: str) -> bytes | None:
        value = self._run(scripts.POP, [f"kv:{key}"], [])
        return None if value is None else bytes(value)

    def delete(self, key: str) -> None:
        self._call(lambda: self._redis.delete(f"kv:{key}"))

    # --- its health -------------------------------------------------------------------------------

    def ping(self) -> bool:
        try:
            self._call(
                lambda: self._redis.exists("status:{feed}")
            )  # on a cluster, the server that the feed needs
        except CacheError:
            return False
        return True

    def stats(self) -> CacheStats:
        try:
            self._send_counts()
            server = self._call(self._measure)
        except CacheError:
            server = {"healthy": False, "hits": self._reader.hits, "misses": self._reader.misses}
        versions = self._known_versions()
        return CacheStats(
            backend=self.backend,
            breaker=self.breaker.state,
            hit_rate=hit_rate(server["hits"], server["misses"]),
            versions={symbol: version.number for symbol, version in versions.items()},
            ages_s={symbol: version.age_s() for symbol, version in versions.items()},
            **server,
        )

    def _measure(self) -> dict[str, Any]:
        started = time.perf_counter()
        hits, misses = self._redis.hmget("reads:{feed}", "hits", "misses")
        ping_ms = (time.perf_counter() - started) * 1000
        servers = self._deployment.measured()
        limits = [server.get("maxmemory") or 0 for server in servers]
        return {
            "healthy": True,
            "server_version": str(servers[0]["redis_version"]),
            "ping_ms": ping_ms,
            "keys": self._deployment.keys(),
            "memory_bytes": _total(servers, "used_memory"),
            "memory_limit_bytes": sum(limits) if all(limits) else None,
            "evictions": _total(servers, "evicted_keys"),
            "hits": int(hits or 0),
            "misses": int(misses or 0),
        }

    def _known_versions(self) -> dict[str, Version]:
        """The newest versions; while Redis is away, those that this process knows."""
        try:
            found = {symbol: self.version(symbol) for symbol in self.symbols()}
        except CacheError:
            return self._reader.versions()
        return {symbol: version for symbol, version in found.items() if version is not None}

    def _send_counts(self) -> None:
        """Add this process's reads to those of all processes. What could not be sent is sent next time."""
        with self._count_lock:
            self._counted_at = time.monotonic()
            now = self._reader.hits, self._reader.misses
            hits, misses = now[0] - self._counted[0], now[1] - self._counted[1]
            if not hits and not misses:
                return

            def send() -> None:
                with self._redis.pipeline(transaction=True) as pipe:
                    pipe.hincrby("reads:{feed}", "hits", hits)
                    pipe.hincrby("reads:{feed}", "misses", misses)
                    pipe.execute()

            self._call(send)
            self._counted = now

    def close(self) -> None:
        try:
            self._deployment.close()
        except REDIS_ERRORS:
            return

    # --- calls ------------------------------------------------------------------------------------

    @property
    def _redis(self) -> Any:
        return self._deployment.client

    def _call(self, call: Callable[[], T]) -> T:
        try:
            with translated(self.breaker):
                return call()
        except ReadOnlyCache:  # another server has taken over from the one that was connected
            self._deployment.forget()
            raise

    def _run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        def run() -> Any:
            try:
                return self._redis.evalsha(_DIGESTS[script], len(keys), *keys, *arguments)
            except NoScriptError:  # a server that was restarted, or has taken over
                return self._redis.eval(script, len(keys), *keys, *arguments)

        return self._call(run)

    def _bytes(self, call: Callable[[], Any]) -> bytes | None:
        value = self._call(call)
        return None if value is None else bytes(value)


def _total(servers: list[dict[str, Any]], name: str) -> int | None:
    values = [server.get(name) for server in servers]
    return None if None in values else sum(values)  # type: ignore[arg-type]


def _chain_keys(symbol: str) -> list[str]:
    return [f"{name}:{{{symbol}}}" for name in ("chain", "contracts", "version")]


def _version(fields: list[bytes | None]) -> Version | None:
    try:
        return None if None in fields else Version(*(int(field or b"") for field in fields))
    except ValueError as error:
        raise CacheError("the cache holds a version that is no number") from error


def _position(at: bytes) -> Position:
    ms, _, number = at.decode("ascii").partition("-")
    return int(ms), int(number)


def _event(line: bytes) -> Event | None:
    """An event; None for bytes that are none, which somebody else must have written."""
    try:
        return Event.model_validate(orjson.loads(line))
    except (ValidationError, ValueError):
        return None
