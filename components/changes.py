"""How much the levels moved over the last 5, 15 and 60 minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

MINUTES = (5, 15, 60)
_SLACK = 0.2  # of the span: a point this far from where it should be still stands for it
_NAMES = ("spot", "flip", "net_gex")


class Seen(Protocol):
    """The levels at one instant; None is unknown."""

    @property
    def at_ms(self) -> int: ...
    @property
    def spot(self) -> float | None: ...
    @property
    def flip(self) -> float | None: ...
    @property
    def net_gex(self) -> float | None: ...


def changes(points: Sequence[Seen], now: Seen) -> dict[str, Any]:
    """`{spot: {5: ..., 15: ..., 60: ...}, flip: ..., net_gex: ..., since}`; None where nothing was seen then."""
    then = {minutes: _at(points, now.at_ms, minutes) for minutes in MINUTES}
    moved: dict[str, Any] = {
        name: {str(minutes): _difference(now, seen, name) for minutes, seen in then.items()}
        for name in _NAMES
    }
    return moved | {"since": points[0].at_ms if points else None}


def _at(points: Sequence[Seen], now_ms: int, minutes: int) -> Seen | None:
    wanted = now_ms - minutes * 60_000
    nearest = min(points, key=lambda seen: abs(seen.at_ms - wanted), default=None)
    if nearest is None or abs(nearest.at_ms - wanted) > _SLACK * minutes * 60_000:
        return None
    return nearest


def _difference(now: Seen, then: Seen | None, name: str) -> float | None:
    before, after = getattr(then, name, None), getattr(now, name)
    return None if before is None or after is None else float(after - before)
