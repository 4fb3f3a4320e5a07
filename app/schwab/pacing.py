"""Requests spread over time, so that no minute ever holds more than Schwab allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pacer:
    """A token bucket: a burst at once, then a steady rate; never more than `per_minute` in any 60 s.

    Safe to share between threads. `wait(stop)` returns False when `stop` was set meanwhile.
    """

    def __init__(
        self, per_minute: int, *, burst: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = max(1, per_minute // 3 if burst is None else burst)
        # the burst and what flows in during the same minute make up the limit together
        self._rate = max(0.5, per_minute - self._burst) / 60
        self._clock = clock
        self._tokens = float(self._burst)
        self._at = clock()
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take a place in the queue; seconds until it comes up."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - 1
            self._at = now
            return max(0.0, -self._tokens / self._rate)

    def hold(self, seconds: float) -> None:
        """Let nobody through for this long: Schwab said there were too many requests."""
        with self._lock:
            self._tokens = min(self._tokens, -seconds * self._rate)

    def wait(self, stop: threading.Event) -> bool:
        """Wait for one's turn."""
        delay = self.reserve()
        return not (stop.wait(delay) if delay > 0 else stop.is_set())
