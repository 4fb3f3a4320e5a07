"""How far this machine's clock is from the broker's, and the broker's time where that is too far.

Settlement, sessions and so the time to expiry are matters of the exchange's clock: an hour's error here would drop contracts
of today before they settle, or keep them after. Whatever is aged by when it was heard stays on this machine's clock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

TOLERATED_S = 5.0
_SEEN = 60
_ENOUGH = 3
_STEP_S = 1.0
# A stamp outside 2000..2100 is noise.
_FIRST_MS, _LAST_MS = 946_684_800_000, 4_102_444_800_000


class Skew:
    """Learns from the stamps of frames. Safe to share between threads.

    A stamp is as old as the way of its frame took: the least difference of the last `_SEEN` is the nearest to the truth,
    if two others lie within `TOLERATED_S` of it. One damaged stamp must not move the clock: contracts would be dropped.
    Whoever sets this machine's clock makes all that was learnt before worthless.

    Args:
        wall: this machine's clock, seconds since the epoch.
        clock: monotonic seconds.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: deque[float] = deque(maxlen=_SEEN)
        self._learnt: float | None = None
        self._offset = wall() - clock()

    def heard(self, server_ms: int) -> None:
        """A frame arrived that the server stamped so; 0 for one without a stamp."""
        if not _FIRST_MS <= server_ms <= _LAST_MS:
            return
        with self._lock:
            self._seen.append(self._now() - server_ms / 1000)
            self._learnt = _agreed(sorted(self._seen))

    @property
    def seconds(self) -> float | None:
        """How far this clock is ahead of the broker's, behind when negative; None before three stamps agree."""
        with self._lock:
            self._now()
            return self._learnt

    @property
    def too_far(self) -> bool:
        """Whether the difference is more than slow networks explain."""
        return abs(self.seconds or 0.0) > TOLERATED_S

    def wall(self) -> float:
        """Seconds since the epoch: this machine's clock, the broker's where the two are too far apart."""
        with self._lock:
            now, skew = self._now(), self._learnt
        return now - skew if skew is not None and abs(skew) > TOLERATED_S else now

    def _now(self) -> float:
        """This machine's clock; what was learnt is forgotten where it was set meanwhile."""
        now = self._wall()
        offset = now - self._clock()
        if abs(offset - self._offset) > _STEP_S:
            self._seen.clear()
            self._learnt = None
        self._offset = offset
        return now


class NoSkew(Skew):
    """Of a market that lives by the given clock itself, as a tape's does: how late a frame comes says nothing of clocks."""

    def heard(self, server_ms: int) -> None:
        """Nothing is learnt."""


def _agreed(seen: list[float]) -> float | None:
    """The least of the ascending differences that two more confirm."""
    pairs = zip(seen, seen[_ENOUGH - 1 :], strict=False)
    return next((least for least, third in pairs if third - least <= TOLERATED_S), None)
