"""Which series a computation takes in: the expiry filter of Params, without what has settled."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from app.gex.params import Params
from app.gex.surface import Surface
from app.market.calendar import exchange_day

Bools = NDArray[np.bool_]

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
    return today + timedelta(days=(_FRIDAY - today.weekday()) % 7)


def chosen_series(surface: Surface, params: Params) -> Bools:
    """Whether each series' date is chosen, settled or not, shape (s,)."""
    dates = chosen_dates(surface, params)
    return np.array([s.expiry in dates for s in surface.layout.series], bool)


def buckets(surface: Surface) -> dict[str, Bools]:
    """Dates by how far they are, each in one bucket: 0dte, week, month, rest; masks over `layout.dates`."""
    dates = surface.layout.dates
    left = set(dates)
    out = {}
    for name in ("0dte", "week", "month", "all"):
        inside = chosen_dates(surface, Params(bucket=name)) & left
        left -= inside
        out["rest" if name == "all" else name] = np.array([d in inside for d in dates], bool)
    return out
