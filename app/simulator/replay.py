"""A real chain as the simulator's starting point: its strikes, open interest and volatilities, dated from today.

Every series keeps its distance in days from the chain's own date, every contract its total volatility, and its spread: so
at the start the out-of-the-money quotes are the file's own, and whatever is computed from them comes out as from the file.
"""

from __future__ import annotations

import calendar
import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from app.errors import ChainFileError
from app.gex import Surface, fit
from app.market.calendar import exchange_day, previous_trading_day
from app.market.chain import Chain
from app.market.symbols import Settlement
from app.simulator.book import Model
from app.simulator.expiries import ExpirationType, Series
from app.simulator.path import YEAR_S
from app.simulator.pricing import Terms, price
from app.simulator.surface import F64, Rows, Sticky
from app.simulator.underlyings import Profile
from app.simulator.universe import Listing

_SOONEST_MS = 60_000


class Recording:
    """What a chain gives to the market.

    Args:
        start_ms: the instant of the simulated exchange that the chain's `as_of_ms` is moved to.

    Attributes:
        symbol: of the underlying, canonical.
        model: how its contracts are priced.

    Raises ChainFileError when the chain names no underlying, or no contract of it can be priced.
    """

    def __init__(self, chain: Chain, start_ms: int) -> None:
        if not chain.symbol:
            raise ChainFileError("the chain does not say which underlying it is of", cure=" ")
        fitted = fit(chain)
        vol = _filled(fitted)
        rows = _usable(fitted, vol)
        if not len(rows) or math.isnan(fitted.spot):
            raise ChainFileError("the chain holds no contract that is alive and can be priced", cure=" ")
        self.symbol, self._chain = chain.symbol, chain
        numbers, of = np.unique(fitted.layout.row_series[rows], return_inverse=True)
        self._series = _redated(fitted, numbers, start_ms)
        years = (np.array([s.settle_ms for s in self._series]) - start_ms) / 1000 / YEAR_S
        forward = fitted.forward[numbers]
        carry = np.log(forward / fitted.spot) / years
        x = vol[fitted.layout.row_node[rows]]
        self.model = Model(Sticky(x, years[of]), fitted.rate, carry)
        calls = chain.contracts.is_call[rows]
        strike = chain.contracts.strike[rows]
        discount = np.exp(-fitted.rate * years[of])
        terms = Terms(fitted.spot, forward[of], strike, discount, years[of], x, calls, fitted.rate)
        spread = _half_spread(chain, rows, price(terms))
        volume = np.nan_to_num(chain.quotes.volume[rows]).astype(np.int64)
        interest = np.nan_to_num(chain.quotes.open_interest[rows]).astype(np.int64)
        self._start_day = exchange_day(start_ms)
        self._listing = Listing(
            self._series, of, strike, calls, interest, volume.astype(np.float64), spread, volume
        )

    def profile(self, known: Profile) -> Profile:
        """What is known of the underlying, with the chain's price and yield."""
        dividend = self._chain.dividend_yield
        return replace(
            known,
            spot=self._chain.spot,
            dividend=dividend if math.isfinite(dividend) else known.dividend,
            open_interest=float(self._listing.open_interest.sum()),
            contracts=len(self._listing),
        )

    def listing(self, day: date) -> Listing:
        """The contracts, the same every day; the volume that the chain came with belongs to the first."""
        return self._listing if day == self._start_day else replace(self._listing, traded=None)


def _filled(fitted: Surface) -> F64:
    """Total volatilities with the gaps filled: the wings of a series take the volatility of its last known strike."""
    vol = fitted.total_vol.copy()
    for number in range(len(fitted.layout.series)):
        nodes = np.arange(fitted.layout.starts[number], fitted.layout.starts[number + 1])
        known = nodes[np.isfinite(vol[nodes])]
        if len(known):
            vol[nodes] = np.interp(fitted.layout.strike[nodes], fitted.layout.strike[known], vol[known])
    return vol


def _usable(fitted: Surface, vol: F64) -> Rows:
    """The chain's rows that are alive and have a price, calls first, by expiry, strike and root."""
    layout, contracts = fitted.layout, fitted.chain.contracts
    node, series = np.maximum(layout.row_node, 0), np.maximum(layout.row_series, 0)
    if not len(layout.series):
        return np.empty(0, np.intp)
    good = (layout.row_node >= 0) & contracts.standard & fitted.alive[series]
    good &= np.isfinite(fitted.forward[series]) & np.isfinite(vol[node]) & (vol[node] > 0)
    rows = np.flatnonzero(good)
    kept = contracts.take(rows)
    return rows[np.lexsort((kept.root, kept.strike, kept.expiry, ~kept.is_call))]


def _redated(fitted: Surface, numbers: NDArray[np.intp], start_ms: int) -> tuple[Series, ...]:
    """The series, moved by whole days; by one more where one would have settled already."""
    days = exchange_day(start_ms) - exchange_day(fitted.chain.as_of_ms)
    moved = [_moved(fitted, number, days) for number in numbers]
    if min(series.settle_ms for series in moved) <= start_ms + _SOONEST_MS:
        moved = [_moved(fitted, number, days + timedelta(days=1)) for number in numbers]
    return tuple(moved)


def _moved(fitted: Surface, number: int, days: timedelta) -> Series:
    known = fitted.layout.series[number]
    settlement: Settlement = "A" if known.settlement == "A" else "P"
    return Series(known.expiry + days, known.root, settlement, _kind(known.expiry, known.root, settlement))


def _kind(expiry: date, root: str, settlement: Settlement) -> ExpirationType:
    """Of the date that the series had in the chain: moved, it would tell nothing."""
    end = date(expiry.year, expiry.month, calendar.monthrange(expiry.year, expiry.month)[1])
    if settlement == "A":
        return "S"
    if expiry == previous_trading_day(end):
        return "Q" if expiry.month % 3 == 0 else "M"
    third_friday = expiry.weekday() == 4 and 15 <= expiry.day <= 21
    return "S" if third_friday and not root.endswith(("W", "P")) else "W"


def _half_spread(chain: Chain, rows: Rows, theoretical: F64) -> F64:
    """Half of bid to ask as the chain has it; what has no bid there gets none here; NaN where nothing is quoted."""
    bid, ask = chain.quotes.bid[rows], chain.quotes.ask[rows]
    with np.errstate(invalid="ignore"):
        quoted, one_sided = (bid > 0) & (ask >= bid), (bid == 0) & (ask > 0)
    half = np.where(quoted, (ask - bid) / 2, np.nan)
    return np.where(one_sided, np.maximum(1.01 * theoretical + 0.1, ask - theoretical), half)
