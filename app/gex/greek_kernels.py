"""The compiled greeks, and the exposures that they add up to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inner, kernel
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
    starts: I64,
    live: Bools,
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
    sums: F64,
) -> None:
    """Dollars of delta, of vanna per volatility point and of charm per year of each node into `out`, shape (3, m).

    Calls and puts together (gex-math, sections 2 and 3; exp(-qT) = D F / S); what a series adds up to into `sums`, (3, s).

    Args:
        starts: where each series' nodes begin, and one past the last, shape (s + 1,).
        live: whether each series is chosen and hasn't settled, shape (s,): others have no exposure.
        years, forward, discount: of each series, shape (s,).
        strike, x: of each node, shape (m,); NaN where x is unknown.
        call, put: signed shares that are in the sums, 0 where none is.
    """
    for s in range(years.size):
        part = slice(starts[s], starts[s + 1])
        if not (live[s] and forward[s] > 0.0):
            out[:, part] = 0.0
            sums[:, s] = 0.0
            continue
        sums[0, s], sums[1, s], sums[2, s] = _series_greeks(
            years[s],
            forward[s],
            discount[s] * forward[s],
            np.log(forward[s] / spot) / years[s],
            rate,
            strike[part],
            x[part],
            call[part],
            put[part],
            out[0, part],
            out[1, part],
            out[2, part],
        )


@inner
def _series_greeks(
    t: float,
    forward: float,
    carried: float,
    drift: float,
    rate: float,
    strike: F64,
    x: F64,
    call: F64,
    put: F64,
    delta: F64,
    vanna: F64,
    charm: F64,
) -> tuple[float, float, float]:
    root, a, b, c = np.sqrt(t), 0.0, 0.0, 0.0
    for i in range(strike.size):
        good = x[i] > 0.0
        vol = x[i] if good else 1.0
        d1 = fast_log(forward / strike[i]) / vol + 0.5 * vol
        d2 = d1 - vol
        size = min(abs(d1), 37.0)
        bell = fast_exp(-0.5 * size * size)
        tail = 0.5 * bell * fast_erfcx(size * SQRT_HALF)
        up = 1.0 - tail if d1 > 0.0 else tail
        held = carried if good else 0.0
        first = held * (call[i] * up - put[i] * (1.0 - tail if d1 <= 0.0 else tail))
        both = held * INVERSE_SQRT_2_PI * bell * (call[i] + put[i]) / vol
        delta[i] = first
        vanna[i] = -0.01 * root * both * d2
        charm[i] = (rate - drift) * first - both * (drift - 0.5 * d2 * vol / t)
        a += delta[i]
        b += vanna[i]
        c += charm[i]
    return a, b, c
