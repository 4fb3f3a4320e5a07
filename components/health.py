"""The feed's and the cache's state as the browser needs them: instants, not ages, since it is the browser that counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.models import CacheStats, SchwabConnection


def feed(connection: SchwabConnection | None, symbol: str) -> dict[str, Any] | None:
    """What the feed card and the freshness of every number need; None when the feed has never reported."""
    if connection is None:
        return None
    cover = connection.coverage.get(symbol)
    problem = connection.problem
    said = {
        "state": connection.state,
        "since": _ms(connection.since),
        "source": connection.source,
        "frame": _ms(connection.last_frame_at),
        "heartbeat": _ms(connection.heartbeat_at),
        "reconnects": connection.reconnects,
        "rejected": sum(connection.rejected.values()),
        "keys": [connection.keys_used, connection.keys_limit],
        "coverage": cover
        and {
            "contracts": cover.contracts,
            "streaming": cover.streaming,
            "share": cover.gamma_share,
            "oldest": _ms(cover.oldest_sweep_at),
        },
        "login_ends": _ms(connection.token.refresh_expires_at),
        "problem": problem
        and {
            "code": problem.code,
            "message": problem.message,
            "cure": problem.cure,
            "since": _ms(problem.since),
        },
    }
    return _known(said)


def cache(stats: CacheStats) -> dict[str, Any]:
    """What the cache card shows."""
    said = {
        "backend": stats.backend,
        "healthy": stats.healthy,
        "ping": stats.ping_ms,
        "hit_rate": stats.hit_rate,
        "memory": stats.memory_bytes,
        "memory_limit": stats.memory_limit_bytes,
        "evictions": stats.evictions,
        "breaker": stats.breaker,
    }
    return _known(said)


def _known(said: dict[str, Any]) -> dict[str, Any]:
    """Without what is unknown: it is sent every second."""
    return {name: value for name, value in said.items() if value is not None}


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else round(instant.timestamp() * 1000)
