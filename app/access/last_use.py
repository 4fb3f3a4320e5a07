"""When keys, links and sessions were last used, to the minute. Kept in the cache, and forgotten with it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import suppress

from app.cache.base import Store
from app.errors import CacheError

_STEP_S = 60.0
_KEPT_S = 90 * 86_400
_REMEMBERED = 1_000


class LastUse:
    """Notes uses, at most one a minute for each id in this process. Never raises: a lost note changes nothing."""

    def __init__(self, store: Store, realm: str) -> None:
        self._store = store
        self._realm = realm
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, used: str) -> None:
        """Remember that this was used now."""
        if not self._due(used, time.monotonic()):
            return
        with suppress(CacheError):
            self._store.put(self._key(used), str(int(time.time())).encode(), _KEPT_S)

    def of(self, used: str) -> float | None:
        """Seconds since the epoch; None when no use is known."""
        with suppress(CacheError, ValueError):
            data = self._store.get(self._key(used))
            return None if data is None else float(data)
        return None

    def _due(self, used: str, now: float) -> bool:
        with self._lock:
            before = self._noted.get(used)
            if before is not None and now - before < _STEP_S:
                return False
            self._noted[used] = now
            self._noted.move_to_end(used)
            if len(self._noted) > _REMEMBERED:
                self._noted.popitem(last=False)
            return True

    def _key(self, used: str) -> str:
        return f"used:{self._realm}:{used}"
