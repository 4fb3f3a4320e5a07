"""The feed's and the cache's state as the browser needs them: instants, not ages, since it is the browser that counts.

Each part has an `id` that changes when a reader would see a difference; a tab that names it is not sent the part again.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime
from typing import Any

import orjson

from app.models import CacheStats, SchwabConnection

_SWEEP_STEP_MS = 60_000
_MEMORY_STEP = 1 << 16  # bytes


def beat(connection: SchwabConnection | None) -> list[int | None]:
    """The instants that change every second: the last frame's and the last heartbeat's."""
    if connection is None:
        return [None, None]
    return [_ms(connection.last_frame_at), _ms(connection.heartbeat_at)]


def feed(connection: SchwabConnection | None, symbol: str) -> dict[str, Any] | None:
    """What the feed card and the freshness of every number need; None when the feed has never reported."""
    if connection is None:
        return None
    cover = connection.coverage.get(symbol)
    problem = connection.problem
    said = {
        "state": connection.state,
        "since": _step(_ms(connection.since), 1000),
        "source": connection.source,
        "reconnects": connection.reconnects or None,
        "rejected": sum(connection.rejected.values()) or None,
        "keys": [connection.keys_used, connection.keys_limit],
        "coverage": cover
        and {
            "contracts": cover.contracts,
            "streaming": cover.streaming,
            "share": _thousandth(cover.gamma_share),
            "oldest": _step(_ms(cover.oldest_sweep_at), _SWEEP_STEP_MS),
        },
        "login_ends": _step(_ms(connection.token.refresh_expires_at), 1000),
        "problem": problem
        and {
            "code": problem.code,
            "message": problem.message,
            "cure": problem.cure,
            "since": _ms(problem.since),
        },
    }
    said = _known(said)
    return said | {"id": _id(said)}


def cache(stats: CacheStats) -> dict[str, Any]:
    """What the cache card shows."""
    said = {
        "backend": stats.backend,
        "healthy": stats.healthy,
        "ping": None if stats.ping_ms is None else round(stats.ping_ms, 2),
        "hit_rate": _thousandth(stats.hit_rate),
        "memory": _step(stats.memory_bytes, _MEMORY_STEP),
        "memory_limit": stats.memory_limit_bytes,
    }
    said = _known(said)
    # measured anew every second: only a difference that matters counts as one
    coarse = {"ping": _halvings(stats.ping_ms), "memory": _step(stats.memory_bytes, 1 << 20)}
    return said | {"id": _id(said | coarse)}


def _id(said: dict[str, Any]) -> str:
    return hashlib.blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=4).hexdigest()


def _halvings(value: float | None) -> int | None:
    """Which power of two a size is nearest to."""
    return round(math.log2(value)) if value and value > 0 else None


def _thousandth(share: float | None) -> float | None:
    return None if share is None else round(share, 3)


def _step(value: int | None, step: int) -> int | None:
    """The value down to a whole step."""
    return None if value is None else value // step * step


def _known(said: dict[str, Any]) -> dict[str, Any]:
    """Without what is unknown: it is sent every second."""
    return {name: value for name, value in said.items() if value is not None}


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else round(instant.timestamp() * 1000)
