"""Exposures of every node under one convention (gex-math section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gex import node_kernels
from app.gex.params import Params, Side
from app.gex.quotes import count_by_node
from app.gex.surface import Surface
from app.market.chain import Quotes

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Sign of the dealers' position in calls and in puts.
SIGNS: dict[Side, tuple[float, float]] = {"naive": (1.0, -1.0), "inverted": (-1.0, 1.0), "long": (1.0, 1.0)}


@dataclass(frozen=True, eq=False)
class LegExposure:
    """The calls or the puts of all nodes, shape (m,) each.

    Attributes:
        row: the chain's row, -1 where the contract isn't listed.
        weight: signed shares, s w M; 0 where they aren't in the sums.
        gex: exposure in the convention's unit, $; 0 where it isn't in the sums.
        used: whether it is in the sums.
        lost: whether it isn't although some are held, or may be: its exposure is unknown, not 0.
        open_interest, volume: contracts; NaN where unknown.
    """

    row: I64
    weight: F64
    gex: F64
    used: Bools
    lost: Bools
    open_interest: F64
    volume: F64


Legs = tuple[LegExposure, LegExposure]


def leg_exposures(surface: Surface, params: Params, chosen: Bools) -> Legs:
    """Calls and puts; `chosen` says which nodes are in, shape (m,)."""
    live = chosen & surface.node_alive
    return _leg(surface, params, 0, chosen, live), _leg(surface, params, 1, chosen, live)


def unit_factor(surface: Surface, params: Params) -> float:
    """What turns gamma S² into the unit: 0.01 per 1 % move, 1/S per point."""
    return 0.01 if params.unit == "per_1pct" else 1.0 / surface.spot


def sign_of(params: Params, leg: int) -> float:
    """What contracts are multiplied by: s of calls (leg 0) or puts (leg 1).

    Flow is customers' purchases less sales: they leave the dealer short, calls and puts alike, so no side is assumed.
    """
    return -1.0 if params.weight == "flow" else SIGNS[params.side][leg]


def counts_of(params: Params, rows: I64, quotes: Quotes) -> F64:
    """The contracts that the convention counts in these rows, NaN where unknown, shape (n,)."""
    if params.weight == "flow":
        return count_by_node(rows, quotes.flow, signed=True)
    if params.weight == "volume":
        return count_by_node(rows, quotes.volume)
    held = count_by_node(rows, quotes.open_interest)
    return held if params.weight == "oi" else held + count_by_node(rows, quotes.volume)


def _counts(surface: Surface, params: Params, leg: int, rows: I64) -> F64:
    """The same of all nodes, from what the surface keeps."""
    if params.weight == "flow":
        return counts_of(params, rows, surface.chain.quotes)
    held, traded = surface.open_interest[leg], surface.volume[leg]
    if params.weight == "oi_plus_volume":
        return held + traded
    return held if params.weight == "oi" else traded


def _leg(surface: Surface, params: Params, leg: int, chosen: Bools, live: Bools) -> LegExposure:
    layout = surface.layout
    rows = (layout.call_row, layout.put_row)[leg]
    weight, gex = np.empty((2, len(rows)))
    used, lost = np.empty((2, len(rows)), bool)
    counts, sign = _counts(surface, params, leg, rows), sign_of(params, leg)
    unit = unit_factor(surface, params)
    node_kernels.expose_leg(
        rows, chosen, live, surface.density, layout.multiplier, counts, sign, unit, weight, gex, used, lost
    )
    return LegExposure(rows, weight, gex, used, lost, surface.open_interest[leg], surface.volume[leg])
