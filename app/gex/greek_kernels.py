"""The compiled greeks, and the exposures that they add up to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import kernel
from app.gex.special import INVERSE_SQRT_2_PI, SQRT_HALF, fast_erfcx, fast_exp, fast_log

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


@kernel
def gamma_density(forward: F64, discount: F64, strike: F64, x: F64, out: F64) -> None:
    """D F phi(d1) / x = gamma S² into `out`, $ a share, shape (n,); NaN where F or x is."""
    for i in range(x.size):
        good = forward[i] > 0.0 and x[i] > 0.0
        vol = x[i] if good else 1.0
        d = fast_log(forward[i] / strike[i] if good else 1.0) / vol + 0.5 * vol
        each = INVERSE_SQRT_2_PI * discount[i] * forward[i] * fast_exp(-0.5 * d * d) / vol
        out[i] = each if good else np.nan


@kernel
def normal_cdf(d: F64, out: F64) -> None:
    """N(d) into `out`, exact in the lower tail too, shape (n,)."""
    for i in range(d.size):
        size = min(abs(d[i]), 37.0)
        tail = 0.5 * fast_exp(-0.5 * size * size) * fast_erfcx(size * SQRT_HALF)
        out[i] = 1.0 - tail if d[i] > 0.0 else tail


@kernel
def dealer_greeks(
    series: I64,
    years: F64,
    forward: F64,
    discount: F64,
    spot: float,
    rate: float,
    strike: F64,
    x: F64,
    call: F64,
    put: F64,
    out: F64,
) -> None:
    """Dollars of delta, of vanna per volatility point and of charm per year of each node into `out`, shape (3, m).

    Calls and puts together (gex-math, sections 2 and 3; exp(-qT) = D F / S).

    Args:
        years, forward, discount: of each series, shape (s,); series: of each node, shape (m,).
        strike, x: of each node; NaN where x is unknown.
        call, put: signed shares that are in the sums, 0 where none is.
    """
    for i in range(strike.size):
        s = series[i]
        t, f = years[s], forward[s]
        good = x[i] > 0.0 and f > 0.0 and t > 0.0 and (call[i] != 0.0 or put[i] != 0.0)
        vol = x[i] if good else 1.0
        t = t if good else 1.0
        d1 = fast_log(f / strike[i] if good else 1.0) / vol + 0.5 * vol
        drift = fast_log(f / spot if good else 1.0) / t
        size = min(abs(d1), 37.0)
        bell = fast_exp(-0.5 * size * size)
        tail = 0.5 * bell * fast_erfcx(size * SQRT_HALF)
        up, down = (1.0 - tail, tail) if d1 > 0.0 else (tail, 1.0 - tail)
        carried = discount[s] * f if good else 0.0
        delta = carried * (call[i] * up - put[i] * down)
        both = carried * INVERSE_SQRT_2_PI * bell * (call[i] + put[i])
        d2 = d1 - vol
        out[0, i] = delta
        out[1, i] = -0.01 * both * d2 * np.sqrt(t) / vol
        out[2, i] = (rate - drift) * delta - both * (2.0 * drift * t - d2 * vol) / (2.0 * t * vol)


@kernel
def add_greeks(
    group: I64,
    series: I64,
    ending: Bools,
    values: F64,
    call_weight: F64,
    put_weight: F64,
    call_lost: Bools,
    put_lost: Bools,
    out: F64,
) -> None:
    """Those values by group into `out`, shape (4, groups): delta, vanna, charm of what doesn't and of what does end today.

    NaN where contracts of a side are held and none of them is in the sums. `ending` is of each series.
    """
    seen = np.zeros((2, out.shape[1]), np.uint8)
    out[:] = 0.0
    for i in range(group.size):
        k, today = group[i], 1 if ending[series[i]] else 0
        out[0, k] += values[0, i]
        out[1, k] += values[1, i]
        out[2 + today, k] += values[2, i]
        bits = (1 if call_weight[i] != 0.0 else 0) | (2 if call_lost[i] else 0)
        bits |= (4 if put_weight[i] != 0.0 else 0) | (8 if put_lost[i] else 0)
        seen[today, k] |= np.uint8(bits)
    for k in range(out.shape[1]):
        later, now = seen[0, k], seen[1, k]
        both = later | now
        if both & 3 == 2 or both & 12 == 8:
            out[0, k], out[1, k] = np.nan, np.nan
        if later & 3 == 2 or later & 12 == 8:
            out[2, k] = np.nan
        if now & 3 == 2 or now & 12 == 8:
            out[3, k] = np.nan
