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


class Skew:
    """Learns from the stamps of frames. Safe to share between threads.

    A stamp is as old as the way of its frame took: the least difference of the last `_SEEN` is the nearest to the truth.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._seen: deque[float] = deque(maxlen=_SEEN)

    def heard(self, server_ms: int) -> None:
        """A frame arrived that the server stamped so; 0 for one without a stamp."""
        if server_ms <= 0:
            return
        with self._lock:
            self._seen.append(self._wall() - server_ms / 1000)

    @property
    def seconds(self) -> float | None:
        """How far this clock is ahead of the broker's, behind when negative; None before three stamps."""
        with self._lock:
            return min(self._seen) if len(self._seen) >= _ENOUGH else None

    @property
    def too_far(self) -> bool:
        """Whether the difference is more than slow networks explain."""
        return abs(self.seconds or 0.0) > TOLERATED_S

    def wall(self) -> float:
        """Seconds since the epoch: this machine's clock, the broker's where the two are too far apart."""
        skew = self.seconds
        return self._wall() - skew if skew is not None and abs(skew) > TOLERATED_S else self._wall()
