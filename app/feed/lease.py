"""The right to feed: one process holds it, every other waits for it to end."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable

from app.cache.base import Store
from app.errors import CacheError

NAME = "feed"
TTL_S = 4.0


class Lease:
    """One process's claim. `epoch` goes with every publication: the cache refuses those of an overtaken holder."""

    def __init__(
        self, store: Store, *, ttl_s: float = TTL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._clock = clock
        self.leader = f"{socket.gethostname()}:{os.getpid()}"
        self._owner = f"{self.leader}:{secrets.token_hex(4)}"
        self._confirmed_at = float("-inf")
        self.epoch = 0

    @property
    def confirmed(self) -> bool:
        """Whether the cache said within the lease's life that it is ours: nobody else can hold it now."""
        return self._clock() - self._confirmed_at < self._ttl_s

    def acquire(self) -> bool:
        """Take it if it is free. Raises CacheError."""
        asked = self._clock()
        epoch = self._store.acquire(NAME, self._owner, round(self._ttl_s * 1000))
        if epoch is None:
            return False
        self.epoch, self._confirmed_at = epoch, asked
        return True

    def keep(self) -> bool:
        """Extend it; False when another holds it now.

        A cache that can't be reached changes nothing: nobody can take the lease there either, but `confirmed` runs out.
        A cache that lost its data gives the lease back to whoever asks first.
        """
        asked = self._clock()
        try:
            if self._store.renew(NAME, self._owner, round(self._ttl_s * 1000)):
                self._confirmed_at = asked
                return True
            return self.acquire()
        except CacheError:
            return True

    def release(self) -> None:
        """Give it back; never raises: it ends by itself."""
        self._confirmed_at = float("-inf")
        try:
            self._store.release(NAME, self._owner)
        except CacheError:
            return
