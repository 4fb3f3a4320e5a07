"""From a result of the cache to what components draw."""

from __future__ import annotations

from app.cache.results import Result
from components.facts import Facts


def facts_of(result: Result) -> Facts:
    """The same without what only callbacks need."""
    loaded = result.loaded
    return Facts(
        snapshot=result.snapshot,
        surface=result.surface,
        chain=loaded.chain,
        version=loaded.version.number,
        published_ms=loaded.version.published_ms,
        stale=loaded.stale,
        error=loaded.error,
    )
