"""The tables of a result: by strike, by series, by bucket, by date and strike."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex import sum_kernels
from app.gex.levels import max_pain
from app.gex.params import BucketName
from app.gex.selection import BUCKETS
from app.gex.snapshot import (
    UNKNOWN_GREEKS,
    BucketSummary,
    ExpirySummary,
    GreekTotals,
    StrikeTable,
)
from app.gex.sums import Sums
from app.gex.surface import FORWARD_SOURCES, QUARTER, Surface

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


def known_or_none(value: float) -> float | None:
    """The value; None where it is NaN or infinite."""
    return value if math.isfinite(value) else None


def strike_table(surface: Surface, sums: Sums) -> tuple[StrikeTable, float | None]:
    """By strike, of those with live chosen contracts, and max pain."""
    strike, (calls, puts), greeks, shown = (
        surface.layout.strikes,
        sums.strikes,
        sums.strike_greeks,
        sums.strike_shown,
    )
    if not shown.all():
        strike, calls, puts, greeks = strike[shown], calls[:, shown], puts[:, shown], greeks[:, shown]
    table = StrikeTable(strike, calls[0], puts[0], calls[1], puts[1], calls[2], puts[2], *greeks)
    return table, max_pain(strike, calls[3], puts[3])


def heatmap_of(surface: Surface, sums: Sums) -> tuple[tuple[date, ...], F64]:
    """Net exposure by date and strike, of those with live chosen contracts.

    NaN where no contract there is in the sums, or none of a side that is held.
    """
    dates, shown = surface.layout.dates, sums.date_shown
    if shown.all() and sums.strike_shown.all():
        return dates, sums.cells
    rows = np.flatnonzero(shown)
    return tuple(dates[d] for d in rows), sums.cells[np.ix_(rows, np.flatnonzero(sums.strike_shown))]


def summaries(surface: Surface, sums: Sums, shown: Bools) -> tuple[ExpirySummary, ...]:
    """A row for each series that is shown, shape (s,), in order of settlement."""
    layout, columns = surface.layout, np.empty((17, len(shown)))
    sum_kernels.describe_series(
        layout.starts, layout.strike, surface.years, surface.forward, surface.spot, surface.vol_source,
        surface.total_vol, surface.call.mid, surface.put.mid, QUARTER, sums.series, sums.series_greeks, columns,
    )  # fmt: skip
    rows, sources = columns.T.tolist(), surface.forward_source.tolist()
    return tuple(_summary(surface, s, rows[s], sources[s]) for s in np.flatnonzero(shown).tolist())


def _summary(surface: Surface, s: int, row: list[Any], source: int) -> ExpirySummary:
    series = surface.layout.series[s]
    forward, x_atm, atm_vol, put_vol, call_vol, straddle, sigma_move, *greeks, net, gross, held = [
        value if value == value else None for value in row[:14]
    ]
    held_known, contracts, used = row[14:]
    return ExpirySummary(
        series.expiry,
        series.root,
        series.settlement,
        series.settle_ms,
        forward,
        FORWARD_SOURCES[source],
        x_atm,
        atm_vol,
        net if used else None,
        gross if used else None,
        held if held_known else None,
        int(contracts),
        int(used),
        straddle,
        sigma_move,
        put_vol,
        call_vol,
        GreekTotals(*greeks) if used else UNKNOWN_GREEKS,
    )


def bucket_summaries(
    surface: Surface, sums: Sums, shown: Bools, far: I64
) -> tuple[tuple[BucketSummary, ...], GreekTotals]:
    """The series that are shown, shape (s,), added up by how far they are (`selection.buckets`); and the greeks of all."""
    columns = np.empty((len(BUCKETS) + 1, 13))
    sum_kernels.add_buckets(far, shown, sums.series, sums.series_greeks, columns)
    *rows, together = columns.tolist()
    found = tuple(_bucket(surface, name, row) for name, row in zip(BUCKETS, rows, strict=True) if row[0] >= 0)
    return found, _greeks(together)


def _bucket(surface: Surface, name: BucketName, row: list[float]) -> BucketSummary:
    first, last, calls, puts, gross, held, held_known, contracts, used = row[:9]
    return BucketSummary(
        name=name,
        first=surface.layout.series[int(first)].expiry,
        last=surface.layout.series[int(last)].expiry,
        call_gex=calls if used else None,
        put_gex=puts if used else None,
        net_gex=calls + puts if used else None,
        gross_gex=gross if used else None,
        greeks=_greeks(row),
        open_interest=held if held_known else None,
        contracts=int(contracts),
        used=int(used),
    )


def _greeks(row: list[float]) -> GreekTotals:
    return GreekTotals(*[known_or_none(value) for value in row[9:]])
