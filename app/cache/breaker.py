"""A circuit breaker: while Redis is away, callers are told at once instead of each waiting for its own timeout."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens after `threshold` failures in a row; after a pause lets one call try, and closes when that succeeds.

    The pause doubles with every failed try, from `pause_s` up to `longest_pause_s`.
    """

    def __init__(
        self,
        threshold: int = 2,
        pause_s: float = 0.5,
        longest_pause_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold, self._pause_s, self._longest_pause_s = threshold, pause_s, longest_pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at = 0.0
        self._trying = False

    @property
    def state(self) -> State:
        """closed: calls pass; open: none passes; half_open: the next one, or the one under way, decides."""
        if self._failures < self._threshold:
            return "closed"
        return "half_open" if self._trying or self._clock() >= self._retry_at else "open"

    def allow(self) -> bool:
        """Whether to make the call. Who is allowed to must then report `success` or `failure`."""
        with self._lock:
            if self._failures < self._threshold:
                return True
            if self._trying or self._clock() < self._retry_at:
                return False
            self._trying = True
            return True

    def success(self) -> None:
        """A call was answered."""
        with self._lock:
            self._failures = 0
            self._trying = False

    def failure(self) -> None:
        """A call was not answered."""
        with self._lock:
            self._failures += 1
            self._trying = False
            tries = min(max(0, self._failures - self._threshold), 16)
            self._retry_at = self._clock() + min(self._pause_s * 2**tries, self._longest_pause_s)
