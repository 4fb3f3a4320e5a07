"""The cache: Redis, an embedded Redis or this process's memory, behind one interface."""

from __future__ import annotations

from redis.exceptions import RedisClusterException

from app.cache.base import Loaded, Store, Version
from app.cache.memory import MemoryStore
from app.cache.redis_store import RedisStore
from app.errors import SettingsError

__all__ = ["Loaded", "Store", "Version", "open_store"]

MEMORY_URL = "memory://"


def open_store(url: str, *, embedded: bool = False) -> Store:
    """The store at `url`, one of app.redis_address's forms. Connects with the first call.

    Raises SettingsError when it isn't such an address.
    """
    if url == MEMORY_URL:
        return MemoryStore()
    if not url:
        raise SettingsError(
            "REDIS_URL is not set, and nothing has started a Redis",
            cure="Start with `python -m app run`, which does, or set REDIS_URL.",
        )
    try:
        return RedisStore(url, embedded=embedded)
    except (ValueError, TypeError, RedisClusterException) as error:
        raise SettingsError(
            "REDIS_URL is not an address of a Redis",
            cure="Look at its options, or use redis://HOST:PORT/0; docs/hosting.md lists the forms.",
        ) from error
