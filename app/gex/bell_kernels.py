"""The compiled profile: sums of bells over prices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inner, kernel
from app.gex.special import INVERSE_SQRT_2_PI, fast_exp, fast_log

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


# --- the profile ------------------------------------------------------------------------------------
# G(S') / (0.01 S') is the sum of height exp(-(a ln S' + c)²/2), where a = 1/x and c = (ln(F/S) - ln K)/x + x/2.


# Beyond this many standard deviations a bell adds nothing that float64 shows.
_REACH = 9.0


@kernel
def bell_terms(
    spot: float,
    forward: F64,
    discount: F64,
    strike: F64,
    x: F64,
    weight: F64,
    slope: F64,
    offset: F64,
    height: F64,
) -> None:
    """Slope, offset and height of each node's bell into the last three, shape (n,) each, from F, D, K, x and s w M."""
    scale = 0.01 * INVERSE_SQRT_2_PI / spot
    for i in range(strike.size):
        a = 1.0 / x[i]
        slope[i] = a
        offset[i] = fast_log(forward[i] / (spot * strike[i])) * a + 0.5 * x[i]
        height[i] = scale * weight[i] * discount[i] * forward[i] * a


@kernel
def replace_terms(
    nodes: I64,
    log_spot: float,
    unit: float,
    series: I64,
    log_carry: F64,
    discounted: F64,
    log_strike: F64,
    x: F64,
    call_shares: F64,
    put_shares: F64,
    call: F64,
    put: F64,
    slope: F64,
    offset: F64,
    height: F64,
    strike: I64,
    by_call: F64,
    by_put: F64,
    change: F64,
) -> float:
    """Give these nodes the exposures and bells of their present x, carry and shares, and their strikes the difference.

    Args:
        nodes: shape (n,); x, shares, call to height: of all nodes, shape (m,); `series` and `strike` are their groups.
        log_carry, discounted: ln(F/S) and D F / S of each series; NaN, like x, where unknown: such nodes add nothing.
        unit: 0.01 S per 1 % move, 1 per point.
        by_call, by_put: exposure by strike, shape (k,).
        change: gets slope, offset and height of the new bells, then of the old ones with the sign turned, shape (3, 2 n).

    Returns:
        How much the sum of absolute exposures grows.
    """
    n, grown = nodes.size, 0.0
    for j in range(n):
        i, s = nodes[j], series[nodes[j]]
        change[0, n + j], change[1, n + j], change[2, n + j] = slope[i], offset[i], -height[i]
        good = x[i] > 0.0 and discounted[s] > 0.0
        a = 1.0 / x[i] if good else 1.0
        c = (log_carry[s] - log_strike[i]) * a + 0.5 / a if good else 0.0
        scale = INVERSE_SQRT_2_PI * discounted[s] * a if good else 0.0
        d = a * log_spot + c
        each = unit * scale * fast_exp(-0.5 * d * d)
        grown += abs(call_shares[i] * each) - abs(call[i]) + abs(put_shares[i] * each) - abs(put[i])
        by_call[strike[i]] += call_shares[i] * each - call[i]
        by_put[strike[i]] += put_shares[i] * each - put[i]
        call[i], put[i] = call_shares[i] * each, put_shares[i] * each
        slope[i], offset[i], height[i] = a, c, 0.01 * (call_shares[i] + put_shares[i]) * scale
        change[0, j], change[1, j], change[2, j] = a, c, height[i]
    return grown


@kernel
def bell_sum(log_spot: float, slope: F64, offset: F64, height: F64) -> float:
    """Sum of height exp(-(slope log_spot + offset)²/2), exact at one price."""
    total = 0.0
    for i in range(slope.size):
        d = slope[i] * log_spot + offset[i]
        total += height[i] * fast_exp(-0.5 * d * d)
    return total


@kernel
def bell_slope(log_spot: float, slope: F64, offset: F64, height: F64) -> tuple[float, float]:
    """The same sum, and its derivative by ln S'."""
    total, rise = 0.0, 0.0
    for i in range(slope.size):
        d = slope[i] * log_spot + offset[i]
        each = height[i] * fast_exp(-0.5 * d * d)
        total += each
        rise -= each * d * slope[i]
    return total, rise


@kernel
def bell_points(points: F64, slope: F64, offset: F64, height: F64, out: F64) -> None:
    """Add the bells to `out` at these log prices, ascending, shape (points,): each where it is above 1e-17 of its top."""
    for i in range(slope.size):
        lo = np.searchsorted(points, (-_REACH - offset[i]) / slope[i])
        hi = np.searchsorted(points, (_REACH - offset[i]) / slope[i])
        for j in range(lo, hi):
            d = slope[i] * points[j] + offset[i]
            out[j] += height[i] * fast_exp(-0.5 * d * d)


# A bell is wide when the grid spans at most this many of its standard deviations: its values then neither under- nor
# overflow from one end to the other.
_WIDE = 26.0
_BLOCK = 128


@kernel
def bell_grid(log_low: float, step: float, slope: F64, offset: F64, height: F64, out: F64) -> None:
    """The same sum at log_low + j step, shape (levels,), within 1e-12 of its terms' own size.

    At equal steps a Gaussian is g[j+1] = g[j] r[j] with r[j+1] = r[j] q: three exps for a wide bell, then two
    multiplications a level. Narrow bells (near expiry) take their exps directly, at the few levels they reach.
    """
    span = step * (out.size - 1)
    out[:] = 0.0
    g, r, q = np.empty(slope.size), np.empty(slope.size), np.empty(slope.size)
    wide = 0
    for i in range(slope.size):
        first = slope[i] * log_low + offset[i]
        width = slope[i] * span
        if first > _REACH or first + width < -_REACH:
            continue
        if width <= _WIDE:
            g[wide], r[wide], q[wide] = first, slope[i] * step, height[i]
            wide += 1
        else:
            _add_narrow(first, slope[i] * step, height[i], out)
    for i in range(wide):
        d, s, h = g[i], r[i], q[i]
        g[i] = h * fast_exp(-0.5 * d * d)
        r[i] = fast_exp(-d * s - 0.5 * s * s)
        q[i] = fast_exp(-s * s)
    for begin in range(0, wide, _BLOCK):
        end = min(begin + _BLOCK, wide)
        _add_wide(g[begin:end], r[begin:end], q[begin:end], out)


@inner
def _add_narrow(first: float, step: float, height: float, out: F64) -> None:
    """Add one bell at the levels within its reach; `first` is d at level 0, `step` its growth a level."""
    lo = max(0, int(np.ceil((-_REACH - first) / step)))
    hi = min(out.size, int(np.floor((_REACH - first) / step)) + 1)
    part = out[lo:hi]
    for j in range(part.size):
        d = first + (lo + j) * step
        part[j] += height * fast_exp(-0.5 * d * d)


@inner
def _add_wide(g: F64, r: F64, q: F64, out: F64) -> None:
    """Add a block of bells at every level, by the recurrence; uses up g and r."""
    # four levels a pass: each value is loaded and stored once for four uses
    for j in range(0, out.size - 3, 4):
        t0, t1, t2, t3 = 0.0, 0.0, 0.0, 0.0
        for i in range(g.size):
            a, b, c = g[i], r[i], q[i]
            t0 += a
            a *= b
            b *= c
            t1 += a
            a *= b
            b *= c
            t2 += a
            a *= b
            b *= c
            t3 += a
            g[i] = a * b
            r[i] = b * c
        out[j] += t0
        out[j + 1] += t1
        out[j + 2] += t2
        out[j + 3] += t3
    for j in range(out.size - out.size % 4, out.size):
        total = 0.0
        for i in range(g.size):
            total += g[i]
            g[i] *= r[i]
            r[i] *= q[i]
        out[j] += total
