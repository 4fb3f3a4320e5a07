"""Everything that exposures under one convention add up to, in a few compiled passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex import greek_kernels, sum_kernels
from app.gex.exposure import Legs
from app.gex.params import Params
from app.gex.surface import Surface
from app.gex.vols import VOL_SOURCES

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Why a contract isn't in the sums, in the order that they are asked for.
REASONS = (
    "settled",
    "no_spot",
    "no_forward",
    "no_price",
    "open_interest_unknown",
    "volume_unknown",
    "flow_unknown",
)


def totals(index: I64, values: NDArray[Any], n: int) -> F64:
    """Sums of `values` by `index`, shape (n,)."""
    return np.bincount(index, values, n).astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False, slots=True)
class Sums:
    """Shapes: m nodes, s series, k strikes of the chain, d dates.

    Attributes:
        values: dollars of delta, of vanna per volatility point and of charm per year of each node, shape (3, m).
        strikes: calls and puts by strike, shape (2, 4, k): exposure, open interest, volume, shares held.
        strike_greeks: DEX, VEX, CHEX per day and per hour by strike, shape (4, k).
        strike_shown, date_shown: whether any live chosen contract is there, shape (k,), (d,).
        cells: net exposure by date and strike, shape (d, k).
        series: calls and puts by series, shape (2, s, 6): net and gross exposure, open interest, and how many contracts have
            a known one, are listed, are in the sums.
        series_greeks: as strike_greeks, shape (4, s).
        reasons: contracts left out by REASONS; sources: contracts in the sums by VOL_SOURCES.
        held: known open interest of live contracts, and of those in the sums, shape (2,).

    Unknown is NaN: an exposure where contracts are held and none of them is in the sums, a count where none is known.
    """

    values: F64
    strikes: F64
    strike_greeks: F64
    strike_shown: Bools
    cells: F64
    date_shown: Bools
    series: F64
    series_greeks: F64
    reasons: I64
    sources: I64
    held: F64


def add_up(surface: Surface, params: Params, chosen: Bools, legs: Legs) -> Sums:
    """All sums over the chosen series, shape (s,), whose exposures are `legs`."""
    layout, (call, put) = surface.layout, legs
    s, k, d = len(layout.series), len(layout.strikes), len(layout.dates)
    sums = Sums(
        values=np.empty((3, len(layout.strike))),
        strikes=np.empty((2, 4, k)),
        strike_greeks=np.empty((4, k)),
        strike_shown=np.empty(k, bool),
        cells=np.empty((d, k)),
        date_shown=np.empty(d, bool),
        series=np.empty((2, s, 6)),
        series_greeks=np.empty((4, s)),
        reasons=np.empty(len(REASONS), np.int64),
        sources=np.empty(len(VOL_SOURCES), np.int64),
        held=np.empty(2),
    )
    weight, gex, used, lost = (
        (call.weight, put.weight), (call.gex, put.gex), (call.used, put.used), (call.lost, put.lost)
    )  # fmt: skip
    live = chosen & surface.alive
    greek_kernels.dealer_greeks(
        layout.starts, live, surface.years, surface.forward, surface.discount, surface.spot, surface.rate, layout.strike,
        surface.total_vol, *weight, sums.values, sums.series_greeks[:3],
    )  # fmt: skip
    sum_kernels.add_nodes(
        layout.starts, surface.ending, live, layout.node_strike, layout.node_cell, layout.multiplier,
        sums.values, weight, gex, used, lost, surface.open_interest, surface.volume, sums.strikes, sums.strike_greeks,
        sums.cells.ravel(),
    )  # fmt: skip
    sum_kernels.charm_by_time(surface.alive, surface.ending, sums.strike_greeks, sums.series_greeks)
    sum_kernels.add_up(
        layout.starts, layout.node_series, layout.node_strike, layout.node_date, (layout.call_row, layout.put_row),
        chosen, surface.alive, surface.forward, surface.spot, surface.total_vol, surface.vol_source,
        surface.open_interest, surface.volume, gex, used, "oi" in params.weight, "volume" in params.weight,
        sums.strike_shown, sums.date_shown, sums.series, sums.reasons, sums.sources, sums.held,
    )  # fmt: skip
    return sums
