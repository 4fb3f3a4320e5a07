"""Total volatilities from quotes, and what stands in where a quote doesn't tell (gex-math section 2, step 2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex import kernels, series_kernels
from app.gex.black import otm_total_vol
from app.gex.layout import Layout
from app.gex.quotes import Leg, by_node

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]

# Where a total volatility comes from: codes are positions here.
VOL_SOURCES = (None, "otm", "other_leg", "interpolated", "vendor", "extrapolated")
OTM, OTHER_LEG, INTERPOLATED, VENDOR, EXTRAPOLATED = 1, 2, 3, 4, 5

_VENDOR_VOLS = (0.005, 10.0)


def priced_vols(
    call: Leg, put: Leg, forward: F64, discount: F64, strike: F64, guess: F64 | None = None
) -> tuple[F64, I8]:
    """x of the nodes whose quotes tell it, and which leg does; NaN and 0 for the others. All of one shape."""
    value, source = _time_values(call.mid, put.mid, call.bid, put.bid, forward, discount, strike)
    x = otm_total_vol(value, forward, strike, guess)
    source[np.isnan(x)] = 0
    return x, source


def offered_limits(call: Leg, put: Leg, forward: F64, discount: F64, strike: F64) -> F64:
    """The most that x can be where the out-of-the-money option is offered and nobody bids; NaN elsewhere."""
    offered = np.where(strike >= forward, call.offered, put.offered)
    return otm_total_vol(offered / discount, forward, strike)


def fill_vols(layout: Layout, x: F64, source: I8, vendor: F64, limit: F64) -> None:
    """Fill x where no quote tells it, in place: between neighbours, by the vendor, outwards from the edge.

    The last is for strikes beyond the outermost bid that are offered. Left out, they would bend the profile there as if
    nothing were held.
    """
    priced = source > 0
    filled = np.zeros(len(x), bool)
    series_kernels.fill_between(layout.starts, layout.log_strike, priced, x, filled)
    source[filled] = INTERPOLATED
    use = (source == 0) & (vendor > 0)
    x[use] = vendor[use]
    source[use] = VENDOR
    beyond = np.zeros(len(x), bool)
    series_kernels.fill_outwards(layout.starts, priced, np.where(source == 0, limit, np.nan), x, beyond)
    source[beyond] = EXTRAPOLATED


def _time_values(
    call: F64, put: F64, call_bid: F64, put_bid: F64, forward: F64, discount: F64, strike: F64
) -> tuple[F64, I8]:
    """Undiscounted time value of each node, and the leg it is from."""
    otm_is_call = strike >= forward
    intrinsic = np.abs(forward - strike)
    otm = np.where(otm_is_call, call, put) / discount
    itm = np.where(otm_is_call, put, call) / discount - intrinsic
    # an in-the-money price tells its time value only when even its bid is above intrinsic
    itm_bid = np.where(otm_is_call, put_bid, call_bid) / discount - intrinsic
    source = np.where(otm > 0, OTM, np.where(itm_bid > 0, OTHER_LEG, 0)).astype(np.int8)
    source[np.isnan(forward)] = 0
    value = np.where(source == OTM, otm, itm)
    return np.where(source > 0, value, np.nan), source


def vendor_vols(
    iv: NDArray[np.floating[Any]], legs: tuple[I64, I64], strike: F64, forward: F64, years: F64
) -> F64:
    """x by the vendor's volatility of the out-of-the-money leg, else of the other; NaN where there is none.

    Args:
        iv: of each row of the chain, per year.
        legs: the rows of the calls and of the puts, -1 where there is none, shape (n,) each.
        strike, forward, years: shape (n,).
    """
    vols = []
    for rows in legs:
        vol = by_node(rows, iv)
        vol[~((vol >= _VENDOR_VOLS[0]) & (vol <= _VENDOR_VOLS[1]))] = np.nan
        vols.append(vol)
    otm_is_call = strike >= forward
    first, second = np.where(otm_is_call, vols[0], vols[1]), np.where(otm_is_call, vols[1], vols[0])
    x = np.where(np.isnan(first), second, first) * np.sqrt(np.maximum(years, 0.0))
    x[~((x > 0) & (x < kernels.MAX_TOTAL_VOL) & np.isfinite(forward))] = np.nan
    return x
