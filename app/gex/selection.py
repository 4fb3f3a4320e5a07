"""Which series a computation takes in: the expiry filter of Params, without what has settled."""

from __future__ import annotations

from datetime import date, timedelta
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from app.gex.params import BucketName, Params
from app.gex.surface import Surface
from app.market.calendar import exchange_day

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

BUCKETS: tuple[BucketName, ...] = get_args(BucketName)

_FRIDAY = 4
_MONTH = timedelta(days=31)


def chosen_dates(surface: Surface, params: Params) -> frozenset[date]:
    """The expiry dates that the filter lets in, settled ones too unless a bucket leaves them out."""
    dates = surface.layout.dates
    if params.expiries:
        return frozenset(params.expiries) & frozenset(dates)
    if params.bucket == "all":
        return frozenset(dates)
    today = exchange_day(surface.chain.as_of_ms)
    live = sorted({s.expiry for s, alive in zip(surface.layout.series, surface.alive, strict=True) if alive})
    if params.bucket == "0dte":
        return frozenset([today] if today in live else live[:1])
    if params.bucket == "ex_next":
        return frozenset(live[1:])
    return frozenset(d for d in live if d <= _last_day(today, params))


def _last_day(today: date, params: Params) -> date:
    if params.bucket == "month":
        return today + _MONTH
    return _friday(today)


def _friday(today: date) -> date:
    return today + timedelta(days=(_FRIDAY - today.weekday()) % 7)


def chosen_series(surface: Surface, params: Params) -> Bools:
    """Whether each series' date is chosen, settled or not, shape (s,)."""
    dates = chosen_dates(surface, params)
    return np.array([s.expiry in dates for s in surface.layout.series], bool)


def buckets(surface: Surface) -> I64:
    """How far each series' date is, shape (s,), ascending: positions in BUCKETS."""
    today = exchange_day(surface.chain.as_of_ms)
    ends = (today, _friday(today), today + _MONTH)
    return np.array([sum(s.expiry > end for end in ends) for s in surface.layout.series], np.int64)
