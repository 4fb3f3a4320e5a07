"""Answers without computing or loading: to an address that was answered before, while its chain has no newer version.

Runs after the door has let the request in, and before its parameters are read: the same address has passed that once.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import NamedTuple

from flask import Flask, Response, request

from app.api.respond import bodies, full, unchanged
from app.cache.base import Loaded, Store, Version
from app.errors import CacheError

_ADDRESSES_KEPT = 1_000
_VERSION_KEPT_S = 0.01
MARK = "gex.answered"  # in the request's WSGI environment: the answer holds as long as its version does

Address = tuple[str, bytes, str | None]


class Answered(NamedTuple):
    """What an address was answered last, and by which route."""

    route: str
    symbol: str
    version: Version
    tag: str
    headers: dict[str, str]


class Unchanged:
    """The last answers by address, and each chain's version for a hundredth of a second: a burst asks Redis once.

    Args:
        store: where the versions are.
        dropped: what is followed no longer, and may still have a chain for a moment.
        silence: why nothing new can come, which every answer then says itself; "" while it can.
    """

    def __init__(
        self, store: Store, dropped: Callable[[], Collection[str]] = tuple, silence: Callable[[], str] = str
    ) -> None:
        self._store = store
        self._dropped = dropped
        self._silence = silence
        self._kept_s = 0.0 if store.backend == "memory" else _VERSION_KEPT_S
        self._answered: OrderedDict[Address, Answered] = OrderedDict()
        self._versions: dict[str, tuple[float, Version | None]] = {}
        self._lock = threading.Lock()

    def note(self, loaded: Loaded, tag: str, headers: dict[str, str]) -> None:
        """The current request's address is answered with this tag, as long as the chain has this version."""
        if loaded.stale or request.url_rule is None:
            return
        known = Answered(request.url_rule.rule, loaded.chain.symbol, loaded.version, tag, headers)
        request.environ[MARK] = known
        with self._lock:
            self._answered[_address()] = known
            if len(self._answered) > _ADDRESSES_KEPT:
                self._answered.popitem(last=False)

    def answer(self) -> Response | None:
        """304 or the kept bytes, where they are known to be right; None where somebody has to look."""
        known = self._answered.get(_address()) if request.method == "GET" else None
        if known is None or not self.holds(known):
            return None
        request.environ[MARK] = known
        if unchanged(known.tag):
            return Response(status=304, headers=known.headers)
        body = bodies.find(known.tag)
        if body is None:
            return None
        response = full(body)
        response.headers.update(known.headers)
        return response

    def holds(self, known: Answered) -> bool:
        """Whether the chain still has the version that this was answered from, and may get another."""
        try:
            if known.symbol in self._dropped() or self._silence():
                return False
            return self._version(known.symbol) == known.version
        except CacheError:
            return False

    def _version(self, symbol: str) -> Version | None:
        read_at, version = self._versions.get(symbol, (float("-inf"), None))
        now = time.monotonic()
        if now - read_at >= self._kept_s:
            version = self._store.version(symbol)
            self._versions[symbol] = now, version
        return version


def install(server: Flask, unchanged: Unchanged) -> None:
    """Answer before the views do."""
    server.before_request(unchanged.answer)


def _address() -> Address:
    return request.path, request.query_string, request.headers.get("Accept")
