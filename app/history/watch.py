"""When a moment of one underlying is worth a row: a new minute, or a level that spot has crossed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from app.gex.snapshot import Levels
from app.history.row import START, Key

CROSSED = ("flip", "call_wall", "put_wall")
# A level counts as crossed again once spot has been this far from it, or a minute has passed: not at every tick around it.
_AWAY = 2e-4


@dataclass
class Watch:
    """What was recorded last of one underlying, and on which side of its levels spot stood.

    Attributes:
        last: the key recorded last; START before the first.
    """

    last: Key = START
    levels: dict[str, float] = field(default_factory=dict)
    sides: dict[str, bool] = field(default_factory=dict)
    resting: set[str] = field(default_factory=set)

    def due(self, slot_ms: int) -> bool:
        """Whether this minute has no row yet."""
        return slot_ms > self.last.slot_ms

    def crossing(self, spot: float) -> bool:
        """Whether spot stands on another side of a level than when it was looked at last."""
        low, high = self.between()
        return not low <= spot < high

    def between(self) -> tuple[float, float]:
        """Where spot crosses nothing: from the first price until below the second."""
        counted = [(self.levels[name], side) for name, side in self.sides.items() if name not in self.resting]
        low = max((level for level, above in counted if above), default=-math.inf)
        return low, min((level for level, above in counted if not above), default=math.inf)

    def look(self, levels: Levels, spot: float | None) -> tuple[str, ...]:
        """Take in new levels; which of them spot has crossed since the look before."""
        before, resting = self.sides, self.resting
        found = {name: getattr(levels, name) for name in CROSSED}
        self.levels = {name: level for name, level in found.items() if level is not None}
        self.sides, self.resting = {}, set()
        if spot is None or math.isnan(spot):
            return ()
        self.sides = {name: self._side(name, spot) for name in self.levels}
        crossed = [
            n for n, side in self.sides.items() if n in before and before[n] != side and n not in resting
        ]
        near = {name for name in resting if name in self.levels and self._near(name, spot)}
        self.resting = near.union(crossed)
        return tuple(crossed)

    def recorded(self, key: Key) -> None:
        """A row was made; that of a minute lets every level count again."""
        self.last = max(self.last, key)
        if key.seq == 0:
            self.resting = set()

    def _side(self, name: str, spot: float) -> bool:
        return spot >= self.levels[name]

    def _near(self, name: str, spot: float) -> bool:
        return abs(spot / self.levels[name] - 1.0) < _AWAY
