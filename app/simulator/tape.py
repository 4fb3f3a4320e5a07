"""What has traded today, contract by contract."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.simulator.surface import F64, Rows

_MAX_PRINTS = 200_000  # after a long time in which nobody looked


class Tape:
    """Volume, last price and size, and the day's open, high and low of every contract of a listing, shape (n,).

    Prints come at random, each contract at its own rate, at the bid or at the ask of that moment. They are made when
    somebody looks, for all the time since the last look.
    """

    def __init__(self, daily_volume: F64, mean_size: float, close: F64, seed: int, at_ms: int) -> None:
        n = len(daily_volume)
        self._rng = np.random.default_rng(seed)
        self._rate = np.cumsum(daily_volume) / mean_size / 86_400
        self._mean_size = mean_size
        self._seen_ms = at_ms
        self.volume = np.zeros(n, np.int64)
        self.last, self.last_size = close.copy(), np.zeros(n, np.int64)
        self.trade_ms = np.zeros(n, np.int64)
        self.open, self.high, self.low = np.zeros(n), np.zeros(n), np.zeros(n)

    def begin(
        self, volume: NDArray[np.int64] | F64, share_of_day: float, bid: F64, ask: F64, at_ms: int
    ) -> None:
        """Fill in what has traded before the start.

        Args:
            volume: contracts traded, or as floats, how many are expected.
            share_of_day: the part of the day that is over.
        """
        known = volume.dtype.kind == "i"
        self.volume[:] = volume if known else self._rng.poisson(volume)
        traded = self.volume > 0
        ago_ms = self._rng.exponential(3_600_000 / np.maximum(self.volume, 1) ** 0.5)
        self.trade_ms[:] = np.where(traded, at_ms - np.minimum(ago_ms, share_of_day * 86_400_000), 0)
        self._print(
            np.flatnonzero(traded), np.where((self._rng.random(len(bid)) < 0.5) & (bid > 0), bid, ask)[traded]
        )

    def advance(self, at_ms: int, quote: Callable[[Rows], tuple[F64, F64]]) -> None:
        """Print what has traded since the last look.

        Args:
            quote: gives bid and ask of rows.
        """
        elapsed_s, self._seen_ms = (at_ms - self._seen_ms) / 1000, max(at_ms, self._seen_ms)
        if elapsed_s <= 0 or not len(self._rate):
            return
        prints = min(int(self._rng.poisson(self._rate[-1] * elapsed_s)), _MAX_PRINTS)
        if not prints:
            return
        drawn = np.searchsorted(self._rate, self._rng.random(prints) * self._rate[-1])
        rows = np.unique(drawn)
        bid, ask = quote(rows)
        alive = ask > 0
        self._count(drawn[np.isin(drawn, rows[alive])])
        self._print(rows[alive], np.where((self._rng.random(len(rows)) < 0.5) & (bid > 0), bid, ask)[alive])
        self.trade_ms[rows[alive]] = at_ms

    def _count(self, drawn: NDArray[np.intp]) -> None:
        sizes = self._rng.geometric(1 / self._mean_size, len(drawn))
        np.add.at(self.volume, drawn, sizes)
        self.last_size[drawn] = sizes

    def _print(self, rows: NDArray[np.intp], at: F64) -> None:
        self.last[rows] = at
        first = self.high[rows] == 0
        self.open[rows] = np.where(first, at, self.open[rows])
        self.high[rows] = np.maximum(self.high[rows], at)
        self.low[rows] = np.where(first, at, np.minimum(self.low[rows], at))
        self.last_size[rows] = np.maximum(self.last_size[rows], 1)
