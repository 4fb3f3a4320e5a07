"""Exposures of every node under one convention (gex-math section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gex.params import Params, Side
from app.gex.quotes import by_node
from app.gex.surface import Surface

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Sign of the dealers' position in calls and in puts.
SIGNS: dict[Side, tuple[float, float]] = {"naive": (1.0, -1.0), "inverted": (-1.0, 1.0), "long": (1.0, 1.0)}
_LARGEST_FLOW = 1e9


@dataclass(frozen=True, eq=False)
class LegExposure:
    """The calls or the puts of all nodes, shape (m,) each.

    Attributes:
        listed: whether the contract is in the chain.
        weight: signed shares, s w M; NaN where the weight is unknown.
        gex: exposure in the convention's unit, $; 0 where it isn't in the sums.
        used: whether it is in the sums.
        open_interest, volume: contracts; NaN where unknown.
    """

    listed: Bools
    weight: F64
    gex: F64
    used: Bools
    open_interest: F64
    volume: F64


Legs = tuple[LegExposure, LegExposure]


def leg_exposures(surface: Surface, params: Params, chosen: Bools) -> Legs:
    """Calls and puts; `chosen` says which nodes are in, shape (m,)."""
    per_share = surface.density * unit_factor(surface, params)
    return _leg(surface, params, 0, per_share, chosen), _leg(surface, params, 1, per_share, chosen)


def unit_factor(surface: Surface, params: Params) -> float:
    """What turns gamma S² into the unit: 0.01 per 1 % move, 1/S per point."""
    return 0.01 if params.unit == "per_1pct" else 1.0 / surface.spot


def signed_contracts(params: Params, leg: int, open_interest: F64, volume: F64, flow: F64) -> F64:
    """s w of calls (leg 0) or puts (leg 1); NaN where the weight is unknown.

    Flow is customers' purchases less sales: they leave the dealer short, calls and puts alike, so no side is assumed.
    """
    if params.weight == "flow":
        return np.where(np.abs(flow) <= _LARGEST_FLOW, -flow, np.nan)
    sign = SIGNS[params.side][leg]
    if params.weight == "oi":
        return sign * open_interest
    return sign * (volume if params.weight == "volume" else open_interest + volume)


def _leg(surface: Surface, params: Params, leg: int, per_share: F64, chosen: Bools) -> LegExposure:
    layout = surface.layout
    rows = (layout.call_row, layout.put_row)[leg]
    open_interest, volume = surface.open_interest[leg], surface.volume[leg]
    flow = by_node(rows, surface.chain.quotes.flow) if params.weight == "flow" else volume
    weight = signed_contracts(params, leg, open_interest, volume, flow) * layout.multiplier
    used = chosen & np.isfinite(per_share) & np.isfinite(weight)
    return LegExposure(
        listed=rows >= 0,
        weight=weight,
        gex=np.where(used, weight * per_share, 0.0),
        used=used,
        open_interest=open_interest,
        volume=volume,
    )
