"""Which series a computation takes in: the expiry filter of Params, without what has settled."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from app.gex.params import Bucket, BucketName, Params
from app.gex.surface import Surface
from app.market.calendar import settle_ms

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

BUCKETS: tuple[BucketName, ...] = get_args(BucketName)

_FRIDAY = 4
_MONTH = timedelta(days=31)


def chosen_dates(surface: Surface, params: Params) -> frozenset[date]:
    """The chain's expiry dates that the filter lets in, settled ones too unless a bucket leaves them out."""
    return _let_in(surface, params) & frozenset(surface.layout.dates)


def count_missing(surface: Surface, params: Params) -> int:
    """How many listed dates the filter lets in whose contracts have not been read: the result is whole when it is 0."""
    chain = surface.chain
    if not chain.missing_expiries:
        return 0
    if len(chain.missing_dates) < chain.missing_expiries:  # nobody knows which: it may be any
        return chain.missing_expiries
    return len(_let_in(surface, params) & _missing(surface))


def _let_in(surface: Surface, params: Params) -> frozenset[date]:
    """The listed dates that the filter lets in, read or not: the nearest may be one that has not been read."""
    if params.expiries:
        return frozenset(params.expiries)
    if params.bucket == "all":
        return frozenset(surface.layout.dates) | _missing(surface)
    live = {s.expiry for s, alive in zip(surface.layout.series, surface.alive, strict=True) if alive}
    return bucket_dates(params.bucket, surface.today, live | _missing(surface))


def _missing(surface: Surface) -> frozenset[date]:
    """The listed dates that have not been read, without what has settled meanwhile."""
    now_ms = surface.chain.as_of_ms
    return frozenset(day for day in surface.chain.missing_dates if settle_ms(day, "P") > now_ms)


def bucket_dates(bucket: Bucket, today: date, live: Collection[date]) -> frozenset[date]:
    """Those of the live dates that a bucket lets in."""
    if bucket == "all":
        return frozenset(live)
    ordered = sorted(live)
    if bucket == "0dte":
        return frozenset([today] if today in live else ordered[:1])
    if bucket == "ex_next":
        return frozenset(ordered[1:])
    last = today + _MONTH if bucket == "month" else _friday(today)
    return frozenset(day for day in ordered if day <= last)


def _friday(today: date) -> date:
    return today + timedelta(days=(_FRIDAY - today.weekday()) % 7)


def chosen_series(surface: Surface, params: Params) -> Bools:
    """Whether each series' date is chosen, settled or not, shape (s,)."""
    if params.bucket == "all" and not params.expiries:
        return np.ones(len(surface.layout.series), bool)
    dates = chosen_dates(surface, params)
    return np.array([s.expiry in dates for s in surface.layout.series], bool)


def buckets(surface: Surface) -> I64:
    """How far each series' date is, shape (s,), ascending: positions in BUCKETS."""
    ends = [day.toordinal() for day in _ends(surface.today)]
    return np.searchsorted(ends, surface.layout.ordinals)


def bucket_of(day: date, today: date) -> BucketName:
    """How far one date is."""
    return BUCKETS[sum(day > end for end in _ends(today))]


def _ends(today: date) -> tuple[date, date, date]:
    """The last date of each bucket but the last one, which has none."""
    return today, _friday(today), today + _MONTH
