"""Exposures added up: by strike, by series, by date and strike."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.exposure import Legs
from app.gex.levels import max_pain
from app.gex.snapshot import ExpirySummary, StrikeTable
from app.gex.surface import FORWARD_SOURCES, Surface

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


def totals(index: NDArray[np.int64], values: NDArray[Any], n: int) -> F64:
    """Sums of `values` by `index`, shape (n,)."""
    return np.bincount(index, values, n).astype(np.float64, copy=False)


def known_or_none(value: float) -> float | None:
    """The value; None where it is NaN or infinite."""
    return value if math.isfinite(value) else None


def strike_table(surface: Surface, legs: Legs, live: Bools) -> StrikeTable:
    layout = surface.layout
    rows = np.zeros(len(layout.strikes), bool)
    rows[layout.node_strike[live]] = True

    def summed(values: NDArray[Any]) -> F64:
        return totals(layout.node_strike, values, len(rows))[rows]

    def counted(counts: F64) -> F64:
        """Known counts added up; NaN at strikes where none is known."""
        known = live & ~np.isnan(counts)
        return np.where(summed(known) > 0, summed(np.where(known, counts, 0.0)), np.nan)

    call, put = legs
    return StrikeTable(
        strike=layout.strikes[rows],
        call_gex=summed(call.gex),
        put_gex=summed(put.gex),
        call_oi=counted(call.open_interest),
        put_oi=counted(put.open_interest),
        call_volume=counted(call.volume),
        put_volume=counted(put.volume),
    )


def heatmap_of(surface: Surface, legs: Legs, live: Bools, strikes: F64) -> tuple[tuple[date, ...], F64]:
    """Net exposure by date and strike; NaN where no contract there is in the sums."""
    layout = surface.layout
    node_date = layout.series_date[layout.node_series]
    width = len(layout.strikes)
    cell = node_date * width + layout.node_strike
    size = len(layout.dates) * width
    net = totals(cell, legs[0].gex + legs[1].gex, size)
    used = totals(cell, legs[0].used | legs[1].used, size)
    grid_values = np.where(used > 0, net, np.nan).reshape(len(layout.dates), width)
    dates = np.unique(node_date[live])
    columns = np.searchsorted(layout.strikes, strikes)
    return tuple(layout.dates[d] for d in dates), grid_values[np.ix_(dates, columns)]


def max_pain_of(surface: Surface, legs: Legs, live: Bools, strikes: F64) -> float | None:
    """Max pain over the live contracts; unknown open interest can't add to it."""
    layout = surface.layout
    columns = np.searchsorted(layout.strikes, strikes)
    shares = [
        totals(
            layout.node_strike,
            np.where(live, np.nan_to_num(leg.open_interest) * layout.multiplier, 0.0),
            len(layout.strikes),
        )[columns]
        for leg in legs
    ]
    return max_pain(strikes, shares[0], shares[1])


def summaries(surface: Surface, legs: Legs, shown: Bools) -> tuple[ExpirySummary, ...]:
    layout = surface.layout
    n = len(layout.series)

    def summed(values: NDArray[Any]) -> F64:
        return totals(layout.node_series, values, n)

    call, put = legs
    x_atm, straddle = surface.money
    with np.errstate(all="ignore"):
        atm_vol = x_atm / np.sqrt(surface.years)
    columns = [
        surface.forward,
        x_atm,
        atm_vol,
        summed(call.gex + put.gex),
        summed(np.abs(call.gex) + np.abs(put.gex)),
        summed(np.nan_to_num(call.open_interest) + np.nan_to_num(put.open_interest)),
        summed(~np.isnan(call.open_interest)) + summed(~np.isnan(put.open_interest)),
        summed(call.listed) + summed(put.listed),
        summed(call.used) + summed(put.used),
        straddle,
        surface.spot * np.expm1(x_atm),
    ]
    series = np.flatnonzero(shown)
    rows = np.column_stack(columns)[series].tolist()
    return tuple(_summary(surface, s, row) for s, row in zip(series.tolist(), rows, strict=True))


def _summary(surface: Surface, s: int, row: list[float]) -> ExpirySummary:
    series = surface.layout.series[s]
    forward, x_atm, atm_vol, net, gross, held, held_known, contracts, used, straddle, sigma_move = row
    return ExpirySummary(
        expiry=series.expiry,
        root=series.root,
        settlement=series.settlement,
        settle_ms=series.settle_ms,
        forward=known_or_none(forward),
        forward_source=FORWARD_SOURCES[surface.forward_source[s]],
        atm_total_vol=known_or_none(x_atm),
        atm_vol=known_or_none(atm_vol),
        net_gex=net,
        gross_gex=gross,
        open_interest=held if held_known else None,
        contracts=int(contracts),
        used=int(used),
        straddle=known_or_none(straddle),
        sigma_move=known_or_none(sigma_move),
    )
