"""The underlyings that are followed: those of SYMBOLS, and what the owner has followed and dropped since.

Every process reads the same list. It lies where it outlasts a restart: in the user's own Redis, else in a file of DATA_DIR.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import orjson

from app.cache.base import Store
from app.cache.slot import RedisSlot
from app.errors import AuthError, CacheError, DataError, FollowRefused
from app.market.symbols import canonical
from app.settings import Settings
from app.slots import FileSlot, Slot

_KEPT_S = 1.0


class _Changes(NamedTuple):
    """What differs from the settings' symbols."""

    followed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


class Watchlist:
    """Follows and drops underlyings while the product runs; the feed's leader looks about once a second.

    Symbols are canonical. While the place can't be read, what this process read last stays true.
    """

    def __init__(
        self, store: Store, settings: Settings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slot: Slot = (
            RedisSlot(store, "watchlist")
            if store.backend == "redis"
            else FileSlot(settings.data_dir / "watchlist", "list of followed symbols")
        )
        self._listed = settings.symbol_list
        self._most = settings.max_symbols
        self._clock = clock
        self._lock = threading.Lock()
        self._last = _Changes()
        self._read_at = float("-inf")

    def symbols(self) -> list[str]:
        """What is followed, in order; at most a second old. Never raises, never empty."""
        return self._apply(self._changes())

    def dropped(self) -> list[str]:
        """What the owner has dropped of the settings' symbols or since."""
        return list(self._changes().dropped)

    def follow(self, symbol: str) -> bool:
        """Follow one more; False when it is followed already.

        Raises FollowRefused at the limit, CacheError when the list can't be changed now.
        """

        def change(held: _Changes) -> _Changes:
            now = self._apply(held)
            if symbol in now:
                return held
            if len(now) >= self._most:
                raise FollowRefused(
                    f"{len(now)} underlyings are followed already, and {self._most} is the limit.",
                    cure="Drop one first, or raise MAX_SYMBOLS.",
                )
            added = held.followed if symbol in self._listed else (*held.followed, symbol)
            return _Changes(added, _without(held.dropped, symbol))

        return self._change(change)

    def drop(self, symbol: str) -> bool:
        """Follow it no longer; False when nobody does. Raises FollowRefused for the last one, CacheError."""

        def change(held: _Changes) -> _Changes:
            now = self._apply(held)
            if symbol not in now:
                return held
            if len(now) == 1:
                raise FollowRefused(
                    f"{symbol} is the only underlying that is followed.", cure="Follow another one first."
                )
            return _Changes(_without(held.followed, symbol), (*held.dropped, symbol)[-self._most :])

        return self._change(change)

    def _apply(self, changes: _Changes) -> list[str]:
        named = dict.fromkeys([*self._listed, *changes.followed])
        return [symbol for symbol in named if symbol not in changes.dropped] or self._listed[:1]

    def _changes(self) -> _Changes:
        with self._lock:
            if self._clock() - self._read_at < _KEPT_S:
                return self._last
            self._read_at = self._clock()  # the others go on with the last list meanwhile
        try:
            found = self._found()
        except (CacheError, AuthError):
            return self._last
        with self._lock:
            self._last = found
        return found

    def _found(self) -> _Changes:
        """What is stored; what was there and has vanished, with a Redis that lost its data, is written again."""
        data = self._slot.read()
        if data is None and self._last != _Changes():
            self._slot.write(orjson.dumps(self._last._asdict()))
            return self._last
        return _parse(data)

    def _change(self, change: Callable[[_Changes], _Changes]) -> bool:
        try:
            with self._slot.lock():
                held = _parse(self._slot.read())
                wanted = change(held)
                if wanted != held:
                    self._slot.write(orjson.dumps(wanted._asdict()))
        except AuthError as error:
            raise CacheError(str(error), cure=error.cure) from error
        with self._lock:
            self._last, self._read_at = wanted, self._clock()
        return wanted != held


def _without(symbols: tuple[str, ...], gone: str) -> tuple[str, ...]:
    return tuple(symbol for symbol in symbols if symbol != gone)


def _parse(data: bytes | None) -> _Changes:
    """The stored changes. CacheError for what somebody else has written there."""
    if data is None:
        return _Changes()
    try:
        stored = orjson.loads(data)
        return _Changes(*(tuple(canonical(str(name)) for name in stored[kind]) for kind in _Changes._fields))
    except (ValueError, TypeError, KeyError, DataError) as error:
        raise CacheError(
            "The list of followed symbols can't be read.", cure="Delete it, and follow them again."
        ) from error
