"""A recorded day as one track: its minutes with their levels, by the strikes that mattered, under a convention. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.params import Params
from app.market.calendar import EXCHANGE_TZ, to_ms

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

MINUTE_MS, DAY_MS = 60_000, 86_400_000
LINES = ("spot", "flip", "flip_low", "flip_high", "call_wall", "put_wall")
_MOST_STRIKES = 240
_AROUND, _NEAR, _STEP = 0.012, 0.03, 0.005  # of the opening spot: margin, reach of levels, step of the edges


@dataclass(frozen=True, eq=False, slots=True)
class Track:
    """A day's minutes under a convention, ascending: t rows by k strikes.

    Attributes:
        minute_ms: begin of each, ms since the epoch (UTC), shape (t,).
        lines: spot, flip, flip_low, flip_high, call_wall, put_wall in $, shape (t,) each, NaN unknown.
        net: net GEX, $, shape (t,).
        strike: ascending, shape (k,).
        cells: net GEX by minute and strike, $, shape (t, k), NaN unknown.
    """

    minute_ms: I64
    lines: Mapping[str, F64]
    net: F64
    strike: F64
    cells: NDArray[np.floating[Any]]

    def rows(self, first: int) -> Track:
        """From one row on."""
        lines = {name: values[first:] for name, values in self.lines.items()}
        return Track(self.minute_ms[first:], lines, self.net[first:], self.strike, self.cells[first:])


def turned(track: Track, calls: NDArray[Any], gross: F64, params: Params) -> Track:
    """The naive rows, $ per 1 %, under another side and unit.

    Args:
        calls: the calls' part of the cells, shape (t, k).
        gross: gross exposure, shape (t,).

    Counting both sides long, the flip isn't known: it was found with puts held short.
    """
    lines, cells, net = dict(track.lines), track.cells, track.net
    if params.side == "inverted":
        cells, net = -cells, -net
    if params.side == "long":
        cells = 2 * calls - cells
        net = gross
        lines |= {name: np.full(len(net), np.nan) for name in ("flip", "flip_low", "flip_high")}
    if params.unit == "per_point":
        per = 1.0 / (0.01 * lines["spot"])
        cells, net = cells * per[:, None], net * per
    return Track(track.minute_ms, lines, net, track.strike, cells)


def band(lines: Mapping[str, F64]) -> tuple[float, float]:
    """The strikes that are worth showing, $: where spot went, with levels that stood near, widened to steps that last."""
    spot = lines["spot"][np.isfinite(lines["spot"])]
    if not len(spot):
        return 0.0, float("inf")
    unit = float(spot[0])
    low, high = float(spot.min()), float(spot.max())
    for name in ("flip", "call_wall", "put_wall"):
        values = lines[name]
        near = values[(values > low - _NEAR * unit) & (values < high + _NEAR * unit)]
        low, high = float(near.min(initial=low)), float(near.max(initial=high))
    step = _STEP * unit
    low, high = low - _AROUND * unit, high + _AROUND * unit
    return np.floor(low / step) * step, np.ceil(high / step) * step


def nearest(strike: F64, middle: float) -> slice:
    """At most _MOST_STRIKES of them, those nearest to a price."""
    if len(strike) <= _MOST_STRIKES:
        return slice(None)
    first = int(np.clip(np.searchsorted(strike, middle) - _MOST_STRIKES // 2, 0, len(strike) - _MOST_STRIKES))
    return slice(first, first + _MOST_STRIKES)


def instant(day: date, at: time) -> int:
    """A time of a day in New York, ms since the epoch (UTC)."""
    return to_ms(datetime.combine(day, at, EXCHANGE_TZ))
