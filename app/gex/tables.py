"""Exposures added up: by strike, by series, by date and strike."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex import node_kernels
from app.gex.exposure import LegExposure, Legs
from app.gex.layout import Layout
from app.gex.levels import max_pain
from app.gex.params import BucketName
from app.gex.selection import BUCKETS, buckets
from app.gex.snapshot import BucketSummary, ExpirySummary, GreekTotals, StrikeTable
from app.gex.surface import FORWARD_SOURCES, Surface

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


def totals(index: NDArray[np.int64], values: NDArray[Any], n: int) -> F64:
    """Sums of `values` by `index`, shape (n,)."""
    return np.bincount(index, values, n).astype(np.float64, copy=False)


def known_or_none(value: float) -> float | None:
    """The value; None where it is NaN or infinite."""
    return value if math.isfinite(value) else None


def strike_table(surface: Surface, legs: Legs, live: Bools, greeks: F64) -> tuple[StrikeTable, float | None]:
    """By strike, and max pain; an exposure is NaN where contracts are held and none of them is in the sums.

    `greeks` are DEX, VEX, CHEX per day and per hour of each strike of the chain, shape (4, k).
    """
    layout = surface.layout
    rows = np.empty(len(layout.strikes), bool)
    node_kernels.mark(layout.node_strike, live, rows)
    calls, puts = (_by_strike(layout, leg, live) for leg in legs)
    strike = layout.strikes
    if not rows.all():
        strike, calls, puts, greeks = strike[rows], calls[:, rows], puts[:, rows], greeks[:, rows]
    table = StrikeTable(strike, calls[0], puts[0], calls[1], puts[1], calls[2], puts[2], *greeks)
    return table, max_pain(strike, calls[3], puts[3])


def _by_strike(layout: Layout, leg: LegExposure, live: Bools) -> F64:
    out = np.empty((4, len(layout.strikes)))
    node_kernels.add_strikes(
        layout.node_strike,
        live,
        leg.gex,
        leg.weight,
        leg.lost,
        leg.open_interest,
        leg.volume,
        layout.multiplier,
        out,
    )
    return out


def heatmap_of(surface: Surface, legs: Legs, live: Bools, strikes: F64) -> tuple[tuple[date, ...], F64]:
    """Net exposure by date and strike; NaN where no contract there is in the sums, or none of a side that is held."""
    layout = surface.layout
    net, dates = np.empty((len(layout.dates), len(layout.strikes))), np.empty(len(layout.dates), bool)
    call, put = legs
    node_kernels.add_cells(
        layout.node_cell, call.gex, put.gex, call.weight, put.weight, call.used, put.used, call.lost, put.lost,
        net.ravel(),
    )  # fmt: skip
    node_kernels.mark(layout.node_date, live, dates)
    if dates.all() and len(strikes) == len(layout.strikes):
        return layout.dates, net
    shown = np.flatnonzero(dates)
    columns = np.searchsorted(layout.strikes, strikes)
    return tuple(layout.dates[d] for d in shown), net[np.ix_(shown, columns)]


def series_sums(surface: Surface, legs: Legs) -> F64:
    """What each leg's contracts of each series add up to, shape (2, s, 6); columns as in `node_kernels.add_series`."""
    sums = np.zeros((2, len(surface.layout.series), 6))
    for leg, out in zip(legs, sums, strict=True):
        node_kernels.add_series(surface.layout.starts, leg.row, leg.gex, leg.used, leg.open_interest, out)
    return sums


def summaries(surface: Surface, sums: F64, greeks: F64, shown: Bools) -> tuple[ExpirySummary, ...]:
    """A row for each series that is shown, in order of settlement.

    Args:
        sums: of `series_sums`; greeks: DEX, VEX, CHEX per day and per hour of each series, shape (4, s), NaN for none.
        shown: shape (s,).
    """
    series = np.flatnonzero(shown)
    x_atm, straddle = surface.money
    with np.errstate(all="ignore"):
        root, sigma_move = np.sqrt(surface.years), surface.spot * np.expm1(x_atm)
        vols = [x / root for x in (x_atm, *surface.quarter_deltas)]
    columns = np.column_stack(
        [surface.forward, x_atm, *vols, straddle, sigma_move, *greeks, sums[0] + sums[1]]
    )[series]
    rows = np.where(np.isfinite(columns), columns.astype(object), np.array(None)).tolist()
    return tuple(_summary(surface, s, row) for s, row in zip(series.tolist(), rows, strict=True))


def _summary(surface: Surface, s: int, row: list[Any]) -> ExpirySummary:
    series = surface.layout.series[s]
    forward, x_atm, atm_vol, put_vol, call_vol, straddle, sigma_move, *greeks = row[:11]
    net, gross, held, held_known, contracts, used = row[11:]
    return ExpirySummary(
        expiry=series.expiry,
        root=series.root,
        settlement=series.settlement,
        settle_ms=series.settle_ms,
        forward=forward,
        forward_source=FORWARD_SOURCES[surface.forward_source[s]],
        atm_total_vol=x_atm,
        atm_vol=atm_vol,
        net_gex=net if used else None,
        gross_gex=gross if used else None,
        open_interest=held if held_known else None,
        contracts=int(contracts),
        used=int(used),
        straddle=straddle,
        sigma_move=sigma_move,
        put_25d_vol=put_vol,
        call_25d_vol=call_vol,
        greeks=GreekTotals(*greeks) if used else GreekTotals(),
    )


def bucket_summaries(surface: Surface, sums: F64, greeks: F64, shown: Bools) -> tuple[BucketSummary, ...]:
    """The series that are shown, added up by how far they are; arguments as for `summaries`."""
    codes, found = buckets(surface), []
    for code, name in enumerate(BUCKETS):
        series = np.flatnonzero(shown & (codes == code))
        if series.size:
            found.append(_bucket(surface, name, series, sums[:, series], greeks[:, series]))
    return tuple(found)


def _bucket(
    surface: Surface, name: BucketName, series: NDArray[np.int64], sums: F64, greeks: F64
) -> BucketSummary:
    days = [surface.layout.series[s].expiry for s in series.tolist()]
    (calls, puts), (_, gross, held, held_known, contracts, used) = (
        sums[:, :, 0].sum(axis=1),
        sums.sum(axis=(0, 1)),
    )
    some = used > 0
    return BucketSummary(
        name=name,
        first=min(days),
        last=max(days),
        call_gex=float(calls) if some else None,
        put_gex=float(puts) if some else None,
        net_gex=float(calls + puts) if some else None,
        gross_gex=float(gross) if some else None,
        greeks=greek_totals(greeks[:, sums[:, :, 5].sum(axis=0) > 0]),
        open_interest=float(held) if held_known else None,
        contracts=int(contracts),
        used=int(used),
    )


def greek_totals(greeks: F64) -> GreekTotals:
    """The sums over series, columns of shape (4, n); None where no series has any."""
    sums = [float(row[np.isfinite(row)].sum()) if np.isfinite(row).any() else None for row in greeks]
    return GreekTotals(*sums)
