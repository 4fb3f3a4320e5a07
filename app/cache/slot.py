"""One small value in the cache that several processes share and lock: where the login is kept on several hosts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from app.cache.base import Store
from app.errors import CacheError

log = logging.getLogger(__name__)

_LEASE_MS = 30_000  # longer than a token request may take
_POLL_S = 0.05
_HELD_S = 10.0  # what was read longer ago may have been changed by somebody else since
_DELETED = b""


class RedisSlot:
    """A named value with a lock that at most one thread of all processes holds.

    A Redis that lost its data gets the value back from whoever has read it just before: a login must not end with a
    restart of Redis. What was deleted on purpose leaves a mark, so that it stays deleted.

    All methods raise CacheError.
    """

    def __init__(self, store: Store, name: str, *, wait_s: float = 20.0) -> None:
        self._store = store
        self._name = f"slot:{name}"
        self._wait_s = wait_s
        self._mine = threading.Lock()
        self._held = b""
        self._held_at = float("-inf")

    def read(self) -> bytes | None:
        """The value; None when there is none."""
        fresh = time.monotonic() - self._held_at <= _HELD_S
        try:
            found = self._store.get(self._name)
        except CacheError:
            if fresh:  # nobody can change it meanwhile
                self._held_at = time.monotonic()
            raise
        if found is None and self._held and fresh:
            log.warning("Redis has lost its data: %s is written again", self._name)
            self.write(self._held)
            return self._held
        self._hold(found or _DELETED)
        return found or None

    def write(self, data: bytes) -> None:
        """Replace the value."""
        self._store.put(self._name, data, None)
        self._hold(data)

    def delete(self) -> None:
        """Remove the value."""
        self.write(_DELETED)

    def _hold(self, data: bytes) -> None:
        self._held, self._held_at = data, time.monotonic()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the slot. The lock of a process that died is free after half a minute. Not reentrant."""
        deadline = time.monotonic() + self._wait_s
        if not self._mine.acquire(timeout=self._wait_s):
            raise CacheError("another thread holds the login for too long")
        owner = uuid4().hex
        try:
            while self._store.acquire(self._name, owner, _LEASE_MS) is None:
                if time.monotonic() > deadline:
                    raise CacheError("another process holds the login for too long")
                time.sleep(_POLL_S)
            try:
                yield
            finally:
                with suppress(CacheError):  # it ends by itself
                    self._store.release(self._name, owner)
        finally:
            self._mine.release()
