"""The compiled profile: sums of bells over prices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inline, inner, kernel
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
def held_terms(nodes: I64, lift: F64, mass: F64, x: F64, slope: F64, offset: F64, height: F64) -> None:
    """The same of these nodes, shape (n,), from what `node_kernels.collapse` keeps of them and x of all, shape (m,)."""
    for j in range(nodes.size):
        vol = x[nodes[j]]
        a = 1.0 / vol
        slope[j], offset[j], height[j] = a, lift[j] * a + 0.5 * vol, mass[j] * a


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
    each, scale = np.empty(n), np.empty(n)
    for j in range(n):
        i, s = nodes[j], series[nodes[j]]
        change[0, n + j], change[1, n + j], change[2, n + j] = slope[i], offset[i], -height[i]
        change[0, j], change[1, j], scale[j] = x[i], log_carry[s] - log_strike[i], discounted[s]
    _new_terms(log_spot, unit, change[0, :n], change[1, :n], scale, each)
    for j in range(n):
        i, k = nodes[j], strike[nodes[j]]
        of_call, of_put = call_shares[i] * each[j], put_shares[i] * each[j]
        grown += abs(of_call) - abs(call[i]) + abs(of_put) - abs(put[i])
        by_call[k] += of_call - call[i]
        by_put[k] += of_put - put[i]
        call[i], put[i] = of_call, of_put
        change[2, j] = 0.01 * (call_shares[i] + put_shares[i]) * scale[j]
        slope[i], offset[i], height[i] = change[0, j], change[1, j], change[2, j]
    return grown


@inner
def _new_terms(log_spot: float, unit: float, slope: F64, offset: F64, scale: F64, each: F64) -> None:
    """From x, ln(F / S K) and D F / S of nodes, shape (n,), to their bells for one share, in place, and its exposure."""
    for j in range(each.size):
        good = slope[j] > 0.0 and scale[j] > 0.0
        a = 1.0 / slope[j] if good else 1.0
        c = offset[j] * a + 0.5 / a if good else 0.0
        top = INVERSE_SQRT_2_PI * scale[j] * a if good else 0.0
        d = a * log_spot + c
        slope[j], offset[j], scale[j], each[j] = a, c, top, unit * top * fast_exp(-0.5 * d * d)


@kernel
def bell_sum(log_spot: float, slope: F64, offset: F64, height: F64) -> float:
    """Sum of height exp(-(slope log_spot + offset)²/2), exact at one price."""
    total = 0.0
    for i in range(slope.size):
        d = slope[i] * log_spot + offset[i]
        total += height[i] * fast_exp(-0.5 * d * d)
    return total


@kernel
def bell_slope(log_spot: float, slope: F64, offset: F64, height: F64) -> tuple[float, float, float]:
    """The same sum, and its first and second derivative by ln S'."""
    total, rise, bend = 0.0, 0.0, 0.0
    for i in range(slope.size):
        d = slope[i] * log_spot + offset[i]
        each = height[i] * fast_exp(-0.5 * d * d)
        total += each
        rise -= each * d * slope[i]
        bend += each * (d * d - 1.0) * slope[i] * slope[i]
    return total, rise, bend


# Halley's steps treble the digits; these many are more than enough, or it is no root.
_STEPS = 8
_ROOT_ERROR = 1e-12


@kernel
def polish(
    start: float, low: float, high: float, steepest: float, slope: F64, offset: F64, height: F64
) -> float:
    """The root of the sum near `start`, by Halley's steps; NaN where they leave low to high or don't settle. Log prices.

    `steepest` is the largest slope, the inverse of the narrowest bell's width: what a step leaves is told by it.
    """
    at = start
    for _ in range(_STEPS):
        total, rise, bend = bell_slope(at, slope, offset, height)
        if rise == 0.0:
            return np.nan
        newton = -total / rise
        turn = 0.5 * newton * bend / rise
        move = newton / (1.0 + turn) if abs(turn) < 0.5 else newton
        at += move
        if not (at >= low and at <= high):
            return np.nan
        left = steepest * steepest * abs(move) ** 3 if abs(turn) < 0.05 else abs(move)
        if left < _ROOT_ERROR or abs(move) < 1e-3 * _ROOT_ERROR:
            return at
    return np.nan


@kernel
def plain_roots(
    log_low: float, step: float, sums: F64, noise: float, slope: F64, offset: F64, height: F64, out: F64
) -> int:
    """Log prices of all roots into `out`, ascending, from the sums at all levels; how many, or -1 where it isn't so plain.

    It isn't where bells are narrower than two levels, a sum is below `noise` times all heights, |sum| dips so deep between
    levels that it may pass zero there, or a root doesn't settle: then a closer look is needed.
    """
    heights, steepest = 0.0, 0.0
    for i in range(slope.size):
        heights += abs(height[i])
        steepest = max(steepest, slope[i])
    if steepest * step > 0.5:
        return -1
    for j in range(sums.size):
        if not abs(sums[j]) > noise * heights or (0 < j < sums.size - 1 and _dips(sums, j)):
            return -1
    found = 0
    for j in range(sums.size - 1):
        if (sums[j] > 0.0) == (sums[j + 1] > 0.0):
            continue
        low = log_low + j * step
        root = polish(low + _crossing(sums, j) * step, low, low + step, steepest, slope, offset, height)
        if np.isnan(root):
            return -1
        out[found] = root
        found += 1
    return found


@inline
def _dips(sums: F64, j: int) -> bool:
    """Whether |sum| has a low point at level j that the parabola through its neighbours takes below half of it."""
    a, b, c = sums[j - 1], sums[j], sums[j + 1]
    a, b, c = (a, b, c) if b > 0.0 else (-a, -b, -c)
    low = a >= b and c >= b
    bend = a - 2.0 * b + c
    return low and b - (c - a) * (c - a) / (8.0 * bend if bend > 0.0 else 1e-300) < 0.5 * b  # type: ignore[no-any-return]


@inline
def _crossing(sums: F64, j: int) -> float:
    """Where between levels j and j + 1 the cubic through four levels passes zero, as a share of their distance."""
    i = min(max(j, 1), sums.size - 3)
    a, b, c, d = sums[i - 1], sums[i], sums[i + 1], sums[i + 2]
    low, high = np.float64(j - i), np.float64(j - i + 1)
    up = sums[j + 1] > 0.0
    t = low + sums[j] / (sums[j] - sums[j + 1])
    for _ in range(40):
        left, right = t - low, high - t
        value = (
            -t * (t - 1) * (t - 2) / 6 * a
            + (t + 1) * (t - 1) * (t - 2) / 2 * b
            - (t + 1) * t * (t - 2) / 2 * c
            + (t + 1) * t * (t - 1) / 6 * d
        )
        if (value > 0.0) == up:
            high = t
        else:
            low = t
        rise = (
            -(3 * t * t - 6 * t + 2) / 6 * a
            + (3 * t * t - 4 * t - 1) / 2 * b
            - (3 * t * t - 2 * t - 2) / 2 * c
            + (3 * t * t - 1) / 6 * d
        )
        to = t - value / rise if rise != 0.0 else low
        to = to if to > low and to < high else 0.5 * (low + high)
        moved = abs(to - t)
        t = to
        if moved < 1e-12 or left + right == 0.0:
            break
    return t + i - j  # type: ignore[no-any-return]


# A bell narrower than so many levels of the grid is looked at between them too, at so many points: from 5 of its widths
# below its top, where it is a millionth of it, to 5 above.
NARROW, _NARROWER, LOOKS, _FARTHEST = 0.25, 0.5, 21, 5.0
# The points of the finest lattice that may be marked one by one.
_MARKS = 1 << 16


@kernel
def sample(
    levels: F64, step: float, sums: F64, slope: F64, offset: F64, height: F64, points: F64, values: F64
) -> int:
    """Log prices and the sum at each into the last two: all levels, and points near the tops of narrow bells; how many.

    Args:
        levels, sums: the grid in equal steps, and the sum of all bells on it, shape (levels,).
        slope, offset, height: the bells narrower than 1 / NARROW levels, shape (n,). Between levels each of them is summed,
            while all others are smooth from level to level: a cubic goes through them.
        points, values: shape (levels + LOOKS n,).
    """
    n, wide = levels.size, sums.copy()
    between = points[n:]
    count = _near_tops(levels, step, slope, offset, between)
    inside = values[n : n + count]
    inside[:] = 0.0
    if count:
        for i in range(slope.size):
            _add_bell(levels, slope[i], offset[i], -height[i], wide)
            _add_bell(between[:count], slope[i], offset[i], height[i], inside)
        for j in range(count):
            inside[j] += _cubic((between[j] - levels[0]) / step, wide)
    # both are ascending: from the left, into the room that the levels have
    at, j = 0, 0
    merged, summed = np.empty(n + count), np.empty(n + count)
    for i in range(n):
        while j < count and between[j] < levels[i]:
            merged[at], summed[at] = between[j], inside[j]
            at, j = at + 1, j + 1
        merged[at], summed[at] = levels[i], sums[i]
        at += 1
    points[: n + count], values[: n + count] = merged, summed
    return n + count


@inner
def _near_tops(levels: F64, step: float, slope: F64, offset: F64, out: F64) -> int:
    """Points near the tops of bells narrower than two levels into `out`, ascending, none on a level; how many.

    They are half a bell's width apart, but never nearer than half the width of the narrowest.
    """
    finest = 0.0
    for i in range(slope.size):
        finest = max(finest, slope[i])
    if finest * step <= _NARROWER:
        return 0
    apart, low, span = 0.5 / finest, levels[0], levels[-1] - levels[0]
    marking = span / apart < _MARKS
    marks = np.zeros(int(span / apart) + 2 if marking else 0, np.bool_)
    count = 0
    for i in range(slope.size):
        if slope[i] * step <= _NARROWER:
            continue
        for k in range(LOOKS):
            look = _FARTHEST * (2.0 * k / (LOOKS - 1) - 1.0)
            place = np.rint(((look - offset[i]) / slope[i] - low) / apart)
            at = place * apart
            if not (at > 0.0 and at < span) or abs(at - np.rint(at / step) * step) <= 1e-6 * apart:
                continue
            if marking:
                marks[int(place)] = True
            else:
                out[count] = place
                count += 1
    if marking:
        for place in range(marks.size):
            if marks[place]:
                out[count] = place
                count += 1
    else:
        out[:count] = np.sort(out[:count])
    kept = 0
    for j in range(count):
        point = out[j] * apart + low
        if kept == 0 or point != out[kept - 1]:
            out[kept] = point
            kept += 1
    return kept


@inner
def _add_bell(points: F64, slope: float, offset: float, height: float, out: F64) -> None:
    """Add one bell to `out` at these log prices, ascending, where it is above 1e-17 of its top."""
    lo = np.searchsorted(points, (-_REACH - offset) / slope)
    hi = np.searchsorted(points, (_REACH - offset) / slope)
    for j in range(lo, hi):
        d = slope * points[j] + offset
        out[j] += height * fast_exp(-0.5 * d * d)


@inline
def _cubic(place: float, values: F64) -> float:
    """Lagrange's cubic through the four levels around a place, counted in levels."""
    i = min(max(int(place), 1), values.size - 3)
    t = place - i
    a, b, c, d = values[i - 1], values[i], values[i + 1], values[i + 2]
    return (  # type: ignore[no-any-return]
        -t * (t - 1) * (t - 2) / 6 * a
        + (t + 1) * (t - 1) * (t - 2) / 2 * b
        - (t + 1) * t * (t - 2) / 2 * c
        + (t + 1) * t * (t - 1) / 6 * d
    )


# A bell is wide when the grid spans at most this many of its standard deviations: its values then neither under- nor
# overflow from one end to the other.
_WIDE = 26.0
_BLOCK = 128
# A sum of bells is smooth: of those wider than _COARSE points of a grid with 2, 4, 8 or 16 times the step, a polynomial
# through 16 of its points is exact to 2e-13 of their height in between, so no level needs looking at but these.
_STRIDES = 5
_COARSE = 7.0
_BEFORE, _AFTER = 7, 8


def _weights() -> F64:
    """Lagrange's polynomials of those 16 points, at sixteenths of the distance between the middle two, shape (16, 16)."""
    at = np.arange(_BEFORE + 1 + _AFTER)
    places = _BEFORE + np.arange(1 << (_STRIDES - 1)) / (1 << (_STRIDES - 1))
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
    out[:] = 0.0
    span = step * (out.size - 1)
    g, r, q = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    points, used = np.zeros((_STRIDES, out.size + _BEFORE + _AFTER)), np.zeros(_STRIDES, np.bool_)
    for begin in range(0, slope.size, _BLOCK):
        # neighbours are strikes of one series, so much alike in width: a block goes by its narrowest
        a, c, h = (
            slope[begin : begin + _BLOCK],
            offset[begin : begin + _BLOCK],
            height[begin : begin + _BLOCK],
        )
        steepest, narrow = 0.0, 0
        for i in range(a.size):
            first, width = a[i] * log_low + c[i], a[i] * span
            reaches = first <= _REACH and first + width >= -_REACH
            steepest = max(steepest, a[i] if reaches and width <= _WIDE else 0.0)
            narrow += 1 if reaches and width > _WIDE else 0
        if narrow:
            for i in range(a.size):
                first, width = a[i] * log_low + c[i], a[i] * span
                if first <= _REACH and first + width >= -_REACH and width > _WIDE:
                    _add_narrow(first, a[i] * step, h[i], out)
        if steepest == 0.0:
            continue
        finest = steepest * step * _COARSE
        k = (finest <= 0.5) + (finest <= 0.25) + (finest <= 0.125) + (finest <= 0.0625)
        start, apart = log_low - (_BEFORE << k) * step if k > 0 else log_low, step * (1 << k)
        for i in range(a.size):
            first, width = a[i] * log_low + c[i], a[i] * span
            wide = first <= _REACH and first + width >= -_REACH and width <= _WIDE
            d, s = a[i] * start + c[i] if wide else 0.0, a[i] * apart if wide else 0.0
            g[i] = (h[i] if wide else 0.0) * fast_exp(-0.5 * d * d)
            r[i] = fast_exp(-d * s - 0.5 * s * s)
            q[i] = fast_exp(-s * s)
        size = (out.size - 1 >> k) + 1 + (_BEFORE + _AFTER if k > 0 else 0)
        _add_wide(g[: a.size], r[: a.size], q[: a.size], points[k, :size])
        used[k] = True
    out += points[0, : out.size]
    for k in range(1, _STRIDES):
        if used[k]:
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
