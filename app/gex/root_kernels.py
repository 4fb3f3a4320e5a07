"""The compiled search for the profile's roots: the sum of bells at single prices, between levels, and where it is zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.bell_kernels import REACH
from app.gex.jit import inline, inner, kernel
from app.gex.special import as_bits, as_float, fast_exp

F64 = NDArray[np.float64]


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
    heights, largest = 0.0, 0
    for i in range(slope.size):
        heights += abs(height[i])
        largest = max(largest, as_bits(slope[i]))
    steepest = as_float(largest)
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
def _cubic(t: float, a: float, b: float, c: float, d: float) -> float:
    """Lagrange's cubic through a, b, c and d, at -1, 0, 1 and 2."""
    return (
        -t * (t - 1) * (t - 2) / 6 * a
        + (t + 1) * (t - 1) * (t - 2) / 2 * b
        - (t + 1) * t * (t - 2) / 2 * c
        + (t + 1) * t * (t - 1) / 6 * d
    )


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
        value = _cubic(t, a, b, c, d)
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
            place = (between[j] - levels[0]) / step
            i = min(max(int(place), 1), n - 3)
            inside[j] += _cubic(place - i, wide[i - 1], wide[i], wide[i + 1], wide[i + 2])
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
    lo = np.searchsorted(points, (-REACH - offset) / slope)
    hi = np.searchsorted(points, (REACH - offset) / slope)
    for j in range(lo, hi):
        d = slope * points[j] + offset
        out[j] += height * fast_exp(-0.5 * d * d)
