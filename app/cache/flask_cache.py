"""Flask-Caching for small documents such as statistics, kept as JSON in the same store.

Flask-Caching's own Redis backend pickles, and would run a payload planted in Redis; this one can't. It goes through the
store's time limits and circuit breaker, and works on memory:// as well. Market data never goes through it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
from flask_caching.backends.base import BaseCache

from app.cache.base import Store
from app.errors import CacheError


class JsonCache(BaseCache):
    """A Flask-Caching backend on a Store: JSON values only; a cache that is away means a miss, not an error."""

    def __init__(self, store: Store, default_timeout: int = 60) -> None:
        super().__init__(default_timeout)
        self._store = store

    def get(self, key: str) -> Any:
        """The value; None when it is absent, expired, no JSON, or the cache is away."""
        try:
            data = self._store.get(f"page:{key}")
            return None if data is None else orjson.loads(data)
        except (CacheError, orjson.JSONDecodeError):
            return None

    def set(self, key: str, value: Any, timeout: int | timedelta | None = None) -> bool:
        """Keep a JSON value for `timeout` seconds (0: for ever). Raises TypeError for what JSON can't hold."""
        data = orjson.dumps(value)
        chosen = self.default_timeout if timeout is None else timeout
        seconds = chosen.total_seconds() if isinstance(chosen, timedelta) else float(chosen)
        try:
            self._store.put(f"page:{key}", data, seconds or None)
        except CacheError:
            return False
        return True

    def add(self, key: str, value: Any, timeout: int | timedelta | None = None) -> bool:
        """`set`, unless the key is there."""
        return not self.has(key) and self.set(key, value, timeout)

    def has(self, key: str) -> bool:
        """Whether `get` would find a value."""
        return self.get(key) is not None

    def delete(self, key: str) -> bool:
        """Remove a value."""
        try:
            self._store.delete(f"page:{key}")
        except CacheError:
            return False
        return True

    def clear(self) -> bool:
        """Not supported: what is kept is small and expires. Says so by returning False."""
        return False
