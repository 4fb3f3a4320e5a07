"""Flask-Caching for small documents (statistics, rendered pages), kept as JSON in the same store.

Flask-Caching's own Redis backend pickles, and would run a payload planted in Redis; this one can't. Market data never
goes through it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
from flask import Flask
from flask_caching import Cache
from flask_caching.backends.base import BaseCache

from app.cache.base import Store
from app.errors import CacheError


class JsonBackend(BaseCache):
    """A Flask-Caching backend on a Store: JSON values only; a cache that is away means a miss, not an error."""

    def __init__(self, store: Store, default_timeout: int) -> None:
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


def json_backend(app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> BaseCache:
    """The factory that CACHE_TYPE names; the store comes in CACHE_OPTIONS."""
    del app, args
    return JsonBackend(kwargs["store"], config["CACHE_DEFAULT_TIMEOUT"])


def install_cache(app: Flask, store: Store, default_timeout_s: int = 5) -> Cache:
    """The app's Flask-Caching, on `store`."""
    config = {
        "CACHE_TYPE": f"{__name__}.{json_backend.__name__}",
        "CACHE_DEFAULT_TIMEOUT": default_timeout_s,
        "CACHE_OPTIONS": {"store": store},
    }
    return Cache(app, config=config)
