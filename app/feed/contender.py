"""Who feeds next: a process that waits for the lease, and lets the one before come back after an outage of the cache."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from app.cache.base import Store
from app.errors import CacheError
from app.feed.lease import Lease

log = logging.getLogger(__name__)


class Contender:
    """Asks for the lease, with manners.

    A cache that was away, or has lost its data, has forgotten whose the lease is. Whoever fed until then still has the
    stream and the whole chain: for one lease's life it alone may ask.
    """

    def __init__(
        self, store: Store, lease: Lease, patience_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._lease = lease
        self._patience_s = patience_s
        self._clock = clock
        self._patient_until = float("-inf")
        self._down = False
        self._fed = False

    def acquired(self) -> bool:
        """Whether the lease is ours now. Never raises."""
        try:
            self._look()
            acquired = self._clock() >= self._patient_until and self._lease.acquire()
        except CacheError as error:
            if not self._down:
                log.warning("the feed waits for the cache: %s", error)
            self._down = True
            return False
        return acquired

    def _look(self) -> None:
        """Claims nothing: a server that hangs carries out later what it was sent, and a claim would be in the way."""
        fed = self._store.status() is not None
        self._store.put("contender", b"", ttl_s=1.0)  # it may answer, and still refuse to write
        if self._down or (self._fed and not fed):
            self._patient_until = self._clock() + self._patience_s
        self._down, self._fed = False, fed
