"""The compiled profile: sums of bells over prices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inline, inner, kernel
from app.gex.special import INVERSE_SQRT_2_PI, as_bits, as_float, fast_exp, fast_log

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


# --- the profile ------------------------------------------------------------------------------------
# G(S') / (0.01 S') is the sum of height exp(-(a ln S' + c)²/2), where a = 1/x and c = (ln(F/S) - ln K)/x + x/2.


# Beyond this many standard deviations a bell adds nothing that float64 shows.
REACH = 9.0


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
def held_terms(nodes: I64, lift: F64, mass: F64, x: F64, slope: F64, offset: F64, height: F64) -> None:
    """The same of these nodes, shape (n,), from what `node_kernels.collapse` keeps of them and x of all, shape (m,)."""
    for j in range(nodes.size):
        vol = x[nodes[j]]
        a = 1.0 / vol
        slope[j], offset[j], height[j] = a, lift[j] * a + 0.5 * vol, mass[j] * a


@inner
def new_terms(log_spot: float, unit: float, slope: F64, offset: F64, scale: F64, each: F64) -> None:
    """From x, ln(F / S K) and D F / S of nodes, shape (n,), to their bells for one share, in place, and its exposure.

    Where x or D F / S is unknown the bell is nothing, with slope 0.
    """
    for j in range(each.size):
        good = slope[j] > 0.0 and scale[j] > 0.0
        x = slope[j] if good else 1.0
        a = 1.0 / x if good else 0.0
        c = offset[j] * a + 0.5 * x if good else 0.0
        top = INVERSE_SQRT_2_PI * scale[j] * a if good else 0.0
        d = a * log_spot + c
        slope[j], offset[j], scale[j], each[j] = a, c, top, unit * top * fast_exp(-0.5 * d * d)


# A bell is wide when the grid spans at most this many of its standard deviations: its values then neither under- nor
# overflow from one end to the other.
_WIDE = 26.0
_BLOCK = 128
# A sum of bells is smooth: of those wider than _COARSE points of a grid with 2, 4, 8 or 16 times the step, a polynomial
# through 16 of its points is exact to 2e-13 of their height in between, so no level needs looking at but these.
STRIDES = 5
_COARSE = 7.0
_BEFORE, _AFTER = 7, 8
PADDING = _BEFORE + _AFTER


def _weights() -> F64:
    """Lagrange's polynomials of those 16 points, at sixteenths of the distance between the middle two, shape (16, 16)."""
    at = np.arange(_BEFORE + 1 + _AFTER)
    places = _BEFORE + np.arange(1 << (STRIDES - 1)) / (1 << (STRIDES - 1))
    others = [at[at != i] for i in at]
    return np.stack(
        [np.prod((places[:, None] - o) / (i - o), axis=1) for i, o in zip(at, others, strict=True)], axis=1
    )


_WEIGHTS = _weights()


@kernel
def bell_grid(log_low: float, step: float, slope: F64, offset: F64, height: F64, out: F64) -> None:
    """The same sum at log_low + j step, shape (levels,), within 1e-12 of its terms' own size.

    At equal steps a Gaussian is g[j+1] = g[j] r[j] with r[j+1] = r[j] q: three exps for a wide bell, then two
    multiplications a point. The wider it is the fewer points it needs. Narrow bells (near expiry) take their exps directly,
    at the few levels they reach.
    """
    points = np.zeros((STRIDES, out.size + PADDING))
    add_points(log_low, step, slope, offset, height, points)
    spread_points(points, out)


@kernel
def add_points(log_low: float, step: float, slope: F64, offset: F64, height: F64, points: F64) -> None:
    """Add these bells, shape (n,) each, to what a grid's sum follows from by `spread_points`.

    Row k of `points`, shape (5, levels + 15), holds the sum of those bells that every 2^k-th level tells of.
    """
    levels = points.shape[1] - PADDING
    span = step * (levels - 1)
    g, r, q = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    for begin in range(0, slope.size, _BLOCK):
        # neighbours are strikes of one series, so much alike in width: a block goes by its narrowest
        a, c, h = (
            slope[begin : begin + _BLOCK],
            offset[begin : begin + _BLOCK],
            height[begin : begin + _BLOCK],
        )
        largest, narrow = 0, 0
        for i in range(a.size):
            first, width = a[i] * log_low + c[i], a[i] * span
            reaches = (first <= REACH) & (first + width >= -REACH)
            largest = max(largest, as_bits(a[i]) if reaches & (width <= _WIDE) else 0)
            narrow += 1 if reaches & (width > _WIDE) else 0
        steepest = as_float(largest)
        if narrow:
            for i in range(a.size):
                first, width = a[i] * log_low + c[i], a[i] * span
                if first <= REACH and first + width >= -REACH and width > _WIDE:
                    _add_narrow(first, a[i] * step, h[i], points[0, :levels])
        if steepest == 0.0:
            continue
        finest = steepest * step * _COARSE
        k = (finest <= 0.5) + (finest <= 0.25) + (finest <= 0.125) + (finest <= 0.0625)
        start, apart = log_low - (_BEFORE << k) * step if k > 0 else log_low, step * (1 << k)
        for i in range(a.size):
            first, width = a[i] * log_low + c[i], a[i] * span
            wide = first <= REACH and first + width >= -REACH and width <= _WIDE
            d, s = a[i] * start + c[i] if wide else 0.0, a[i] * apart if wide else 0.0
            g[i] = (h[i] if wide else 0.0) * fast_exp(-0.5 * d * d)
            r[i] = fast_exp(-d * s - 0.5 * s * s)
            q[i] = fast_exp(-s * s)
        _add_wide(g[: a.size], r[: a.size], q[: a.size], points[k, : points_of(k, points.shape[1])])


@inline
def points_of(k: int, width: int) -> int:
    """How many of a row's points count in row k of `add_points`, of rows of this width."""
    levels = width - PADDING
    return (levels - 1 >> k) + 1 + (PADDING if k > 0 else 0)


@kernel
def spread_points(points: F64, out: F64) -> None:
    """The sum at every level into `out`, shape (levels,), from the points of its bells."""
    out[:] = points[0, : out.size]
    for k in range(1, STRIDES):
        used = False
        for j in range(points_of(k, points.shape[1])):
            used |= points[k, j] != 0.0
        if used:
            _add_between(points[k], 1 << k, out)


@inner
def _add_between(points: F64, stride: int, out: F64) -> None:
    """Add to every level the polynomial through the 16 points around it; the first _BEFORE points lie before level 0."""
    n, finest = _WEIGHTS.shape[1], _WEIGHTS.shape[0] // stride
    for level in range(out.size):
        around, weights = points[level // stride : level // stride + n], _WEIGHTS[level % stride * finest]
        total = 0.0
        for i in range(n):
            total += weights[i] * around[i]
        out[level] += total


@inner
def _add_narrow(first: float, step: float, height: float, out: F64) -> None:
    """Add one bell at the levels within its reach; `first` is d at level 0, `step` its growth a level."""
    lo = max(0, int(np.ceil((-REACH - first) / step)))
    hi = min(out.size, int(np.floor((REACH - first) / step)) + 1)
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
