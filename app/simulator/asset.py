"""The underlying itself: where its price stands, has stood, and what it is quoted at."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from app.market.calendar import (
    CLOSE,
    EXCHANGE_TZ,
    OPEN,
    close_time,
    exchange_day,
    previous_trading_day,
    to_ms,
)
from app.simulator.fields import Eq
from app.simulator.path import Path, mix
from app.simulator.underlyings import Profile

_MARKET_VOL = 0.15
_SAMPLES = 48
Value = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Day:
    """The underlying's session so far, $."""

    open: float
    high: float
    low: float
    close: float  # of the day before


class Asset:
    """The price of one underlying: a function of seed and time, times the jumps that a fault made.

    Args:
        first_spot: the price at `start_ms`, $.
        every_day: it trades at weekends and on holidays, too.
    """

    def __init__(
        self, profile: Profile, seed: int, first_spot: float, start_ms: int, *, every_day: bool = True
    ) -> None:
        self.profile = profile
        self._every_day = every_day
        self._first, self._start_ms = first_spot, start_ms
        self._market = Path(seed, _MARKET_VOL)
        own = 0.0 if profile.beta == 1.0 and profile.kind != "EQUITY" else 0.6 * profile.vol
        self._own = Path(mix(seed) ^ zlib.crc32(profile.symbol.encode()), own)
        self._jumps: list[tuple[int, float]] = []
        self._day: tuple[int, Day] | None = None

    def jump(self, percent: float, at_ms: int) -> None:
        """Move the price by this much at this instant; what was before stays."""
        self._jumps.append((at_ms, math.log1p(percent / 100)))
        self._day = None

    def spot(self, at_ms: float) -> float:
        """The price at an instant, before the start as well as after it, $ in cents."""
        elapsed = (at_ms - self._start_ms) / 1000
        move = self.profile.beta * self._market.log_return(elapsed) + self._own.log_return(elapsed)
        move += sum(size for since, size in self._jumps if at_ms >= since)
        return round(self._first * math.exp(move), 2)

    def spots(self, at_ms: NDArray[np.float64]) -> NDArray[np.float64]:
        """`spot` of many instants at once."""
        elapsed = (at_ms - self._start_ms) / 1000
        move = self.profile.beta * self._market.log_returns(elapsed) + self._own.log_returns(elapsed)
        for since, size in self._jumps:
            move = move + size * (at_ms >= since)
        return np.asarray(np.round(self._first * np.exp(move), 2), np.float64)

    def day(self, at_ms: int) -> Day:
        """Open, high and low of the exchange day so far and the last close; looked up anew every ten seconds."""
        slot = at_ms // 10_000
        if self._day is None or self._day[0] != slot:
            self._day = (slot, self._session(exchange_day(at_ms), at_ms))
        return self._day[1]

    def _session(self, day: date, at_ms: int) -> Day:
        opened = min(_at(day, OPEN), at_ms)
        step = max((at_ms - opened) / _SAMPLES, 1.0)
        seen = self.spots(opened + step * np.arange(_SAMPLES + 1, dtype=np.float64)).tolist()
        return Day(seen[0], max(seen), min(seen), self.spot(self.closed_before(day)))

    def closed_before(self, day: date) -> int:
        """The last close before a day, ms since the epoch."""
        before = day - timedelta(days=1)
        if self._every_day:
            return _at(before, CLOSE)
        traded = previous_trading_day(before)
        return _at(traded, close_time(traded))

    def positioned_at(self, day: date) -> float:
        """The price around which the positions of `day` were taken, $: the last close, at first the first price."""
        return self.spot(max(self.closed_before(day), self._start_ms))

    def volume(self, at_ms: int) -> int:
        """Shares traded since midnight; indices have none."""
        if self.profile.kind == "INDEX":
            return 0
        midnight = _at(exchange_day(at_ms), time(0))
        return int((at_ms - midnight) / 86_400_000 * self.profile.open_interest * 6)

    def quote(self, at_ms: int) -> dict[Eq, Value]:
        """The level-one quote as numbered fields, without the words that never change."""
        spot, day = self.spot(at_ms), self.day(at_ms)
        change = round(spot - day.close, 4)
        percent = round(100 * change / day.close, 8)
        # an index is computed and stamped then; a stock last traded a moment before
        stamp = at_ms if self.profile.kind == "INDEX" else at_ms - mix(at_ms // 1000) % 700
        fields: dict[Eq, Value] = {
            Eq.LAST: spot, Eq.HIGH: max(day.high, spot), Eq.LOW: min(day.low, spot), Eq.OPEN: day.open,
            Eq.CLOSE: day.close, Eq.NET_CHANGE: change, Eq.NET_PERCENT: percent, Eq.VOLUME: self.volume(at_ms),
            Eq.MARK: spot, Eq.MARK_CHANGE: change, Eq.MARK_PERCENT: percent, Eq.TRADE_TIME: stamp,
            Eq.QUOTE_TIME: stamp, Eq.HIGH_52: round(1.12 * self._first, 2), Eq.LOW_52: round(0.78 * self._first, 2),
        }  # fmt: skip
        return fields if self.profile.kind == "INDEX" else fields | _book_side(spot, at_ms)


def _book_side(spot: float, at_ms: int) -> dict[Eq, Value]:
    draw = mix(at_ms // 1000)
    return {
        Eq.BID: round(spot - 0.01, 2), Eq.ASK: round(spot + 0.01, 2), Eq.BID_SIZE: 100 * (1 + draw % 23),
        Eq.ASK_SIZE: 100 * (1 + draw // 23 % 23), Eq.LAST_SIZE: 1 + draw // 529 % 300, Eq.REGULAR_LAST: spot,
        Eq.REGULAR_LAST_SIZE: 1 + draw // 529 % 300,
        Eq.BID_TIME: at_ms - draw % 900, Eq.ASK_TIME: at_ms - draw // 900 % 900, Eq.REGULAR_TRADE_TIME: at_ms - draw % 700,
    }  # fmt: skip


def _at(day: date, clock: time) -> int:
    return to_ms(datetime.combine(day, clock, EXCHANGE_TZ))
