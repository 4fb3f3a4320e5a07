"""Total volatilities from quotes, and what stands in where a quote doesn't tell (gex-math section 2, step 2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex import node_kernels, vol_kernels
from app.gex.black import otm_total_vol
from app.gex.layout import Layout
from app.gex.quotes import Leg, by_node
from app.market.chain import Chain

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Where a total volatility comes from: codes are positions here.
VOL_SOURCES = (None, "otm", "other_leg", "interpolated", "vendor", "extrapolated")
OTM, OTHER_LEG, INTERPOLATED, VENDOR, EXTRAPOLATED = 1, 2, 3, 4, 5

_VENDOR_VOLS = (0.005, 10.0)


def priced_vols(
    call: Leg,
    put: Leg,
    forward: F64,
    discount: F64,
    strike: F64,
    american: Bools,
) -> tuple[F64, I8]:
    """x of the nodes whose quotes tell it, and which leg does; NaN and 0 for the others. All of one shape."""
    value, source = np.empty(len(strike)), np.empty(len(strike), np.int8)
    quotes = (call.mid, put.mid, call.bid, put.bid, call.offered, put.offered)
    node_kernels.time_values(strike, forward, discount, american, *quotes, value, source)
    x = otm_total_vol(value, forward, strike)
    source[np.isnan(x)] = 0
    return x, source


def offered_limits(call: Leg, put: Leg, forward: F64, discount: F64, strike: F64) -> F64:
    """The most that x can be where the out-of-the-money option is offered and nobody bids; NaN elsewhere."""
    offered = np.where(strike >= forward, call.offered, put.offered) / discount
    out = np.full(len(strike), np.nan)
    some = np.flatnonzero((offered > 0) & np.isfinite(forward))
    out[some] = otm_total_vol(offered[some], forward[some], strike[some])
    return out


def fallback_vols(
    chain: Chain, layout: Layout, nodes: I64, call: Leg, put: Leg, forward: F64, discount: F64, years: F64
) -> tuple[F64, F64]:
    """What may stand in at nodes that no quote prices: the vendor's x, and the most that offers allow, shape (n,) each.

    Args:
        nodes: which they are, shape (n,); the other arrays hold theirs alone.
    """
    strike = layout.strike[nodes]
    legs = (layout.call_row[nodes], layout.put_row[nodes])
    vendor = vendor_vols(chain.quotes.iv, legs, strike, forward, years)
    return vendor, offered_limits(call, put, forward, discount, strike)


def vendor_vols(
    iv: NDArray[np.floating[Any]], legs: tuple[I64, I64], strike: F64, forward: F64, years: F64
) -> F64:
    """x by the vendor's volatility of the out-of-the-money leg, else of the other; NaN where there is none.

    Args:
        iv: of each row of the chain, per year.
        legs: the rows of the calls and of the puts, -1 where there is none, shape (n,) each.
        strike, forward, years: shape (n,).
    """
    x = vendor_vols_per_year(iv, legs, strike, forward) * np.sqrt(np.maximum(years, 0.0))
    x[~((x > 0) & (x < vol_kernels.MAX_TOTAL_VOL) & np.isfinite(forward))] = np.nan
    return x


def vendor_vols_per_year(
    iv: NDArray[np.floating[Any]], legs: tuple[I64, I64], strike: F64, forward: F64
) -> F64:
    """The vendor's volatility of the out-of-the-money leg, else of the other, a fraction per year; NaN where none is sane.

    Args: as for `vendor_vols`.
    """
    vols = []
    for rows in legs:
        vol = by_node(rows, iv)
        vol[~((vol >= _VENDOR_VOLS[0]) & (vol <= _VENDOR_VOLS[1]))] = np.nan
        vols.append(vol)
    otm_is_call = strike >= forward
    first, second = np.where(otm_is_call, vols[0], vols[1]), np.where(otm_is_call, vols[1], vols[0])
    return np.where(np.isnan(first), second, first)
