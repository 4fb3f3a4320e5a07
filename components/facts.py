"""What an answer is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from app.gex.snapshot import Snapshot
from app.gex.surface import Surface
from app.market.chain import Chain

Parts = dict[str, Any]
Crop = tuple[float, float]


@dataclass(frozen=True, eq=False, slots=True)
class Facts:
    """A snapshot, the surface and the chain it came from, as the cache had them.

    Attributes:
        published_ms: when the feed published the chain, ms since the epoch (UTC).
        stale: True when the cache can't be read now and this is the last copy; `error` says why.
    """

    snapshot: Snapshot
    surface: Surface
    chain: Chain
    version: int
    published_ms: int
    stale: bool
    error: str


def known(value: float | None) -> float | None:
    """The value; None where it is unknown, not a number or infinite."""
    return value if value is not None and math.isfinite(value) else None
