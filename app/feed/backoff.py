"""How long to wait before the next attempt: full jitter, capped, forgiven only after a stable while."""

from __future__ import annotations

import random
from collections.abc import Callable

BASE_S = 0.5
CAP_S = 30.0
STABLE_S = 10.0
# Attempts that came to nothing: so many at once, then one each 20 s. 40 in ten minutes at most, whatever the dice say.
_BURST = 8
_REFILL_S = 20.0


def full_jitter(failures: int, draw: float) -> float:
    """Seconds to wait after so many failures in a row; `draw` is uniform in [0, 1).

    Anywhere between 0 and BASE_S doubled per failure, capped at CAP_S: clients that failed together come back apart.
    """
    return draw * min(CAP_S, BASE_S * 2.0 ** min(failures, 16))


class Backoff:
    """Counts failures and says how long to wait. Times are monotonic seconds given by the caller."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._failures = 0
        self._since: float | None = None
        self._allowance = float(_BURST)
        self._at = float("-inf")

    def connected(self, now: float) -> None:
        """An attempt succeeded; only STABLE_S later is the past forgiven."""
        self._since = now

    def failed(self, now: float) -> float:
        """The attempt failed, or the connection ended: seconds to wait before the next."""
        if self._since is not None and now - self._since >= STABLE_S:
            self._failures, self._allowance = 0, float(_BURST)
        self._since = None
        wait = full_jitter(self._failures, self._draw())
        self._failures += 1
        return max(wait, self._spend(now))

    def _spend(self, now: float) -> float:
        if self._at > float("-inf"):
            self._allowance = min(_BURST, self._allowance + (now - self._at) / _REFILL_S)
        self._at = now
        self._allowance -= 1
        return max(0.0, -self._allowance * _REFILL_S)
