"""The compiled lines through put-call parity, whose slopes tell the interest rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inner, kernel

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Rounds of reweighting a line; each shrinks what outliers count for.
_ROUNDS = 4


@kernel
def parity_lines(
    starts: I64,
    strike: F64,
    gap: F64,
    spread: F64,
    wanted: Bools,
    lowest: float,
    highest: float,
    fewest: int,
    slope: F64,
    error: F64,
) -> None:
    """The slope of C - P over K of each series that is wanted, and its standard error, into the last two, shape (s,).

    A robust line through the pairs quoted between these strikes; NaN where they are fewer than `fewest`. Other arguments as
    for `series_kernels.parity_forwards`.
    """
    slope[:], error[:] = np.nan, np.nan
    most = 0
    for s in range(wanted.size):
        most = max(most, starts[s + 1] - starts[s])
    x, y, base = np.empty(most), np.empty(most), np.empty(most)
    for s in range(wanted.size):
        n = 0
        for i in range(starts[s], starts[s + 1] if wanted[s] else starts[s]):
            if np.isfinite(gap[i]) and strike[i] > lowest and strike[i] < highest:
                x[n], y[n], base[n] = strike[i], gap[i], 1.0 / ((spread[i] + 0.01) * (spread[i] + 0.01))
                n += 1
        if n >= fewest:
            slope[s], error[s] = _robust_line(x[:n], y[:n], base[:n])


@inner
def _robust_line(x: F64, y: F64, base: F64) -> tuple[float, float]:
    """Slope of y over x and its standard error under weights `base`; outliers lose theirs (Tukey's biweight)."""
    weight, size, other = base.copy(), np.empty(x.size), np.empty(x.size)
    slope, scale = np.nan, np.nan
    for _ in range(_ROUNDS):
        xm, ym, _spread, slope = _weighted_line(x, y, weight)
        for i in range(x.size):
            size[i] = abs(y[i] - ym - slope * (x[i] - xm)) * np.sqrt(base[i])
        other[:] = size
        scale = 1.4826 * _median(other) + 1e-9
        for i in range(x.size):
            far = size[i] / (6.0 * scale)
            kept = max(1.0 - far * far, 1e-12)
            weight[i] = base[i] * kept * kept
    return slope, (scale + 1e-6) / np.sqrt(_weighted_line(x, y, base)[2])


@inner
def _median(values: F64) -> float:
    """The median, by Hoare's selection; reorders the values. NumPy's takes seconds to compile."""
    n, low, high = values.size, 0, values.size - 1
    middle = n // 2
    while low < high:
        pivot, i, j = values[(low + high) // 2], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            break
    upper = values[middle]
    if n % 2 == 1:
        return upper  # type: ignore[no-any-return]
    lower = values[0]
    for i in range(1, middle):
        lower = max(lower, values[i])
    return 0.5 * (lower + upper)  # type: ignore[no-any-return]


@inner
def _weighted_line(x: F64, y: F64, weight: F64) -> tuple[float, float, float, float]:
    """Means of x and y, the weighted sum of squares of x around its own, and the slope of y over x."""
    total, xm, ym = 0.0, 0.0, 0.0
    for i in range(x.size):
        total += weight[i]
        xm += weight[i] * x[i]
        ym += weight[i] * y[i]
    xm, ym = xm / total, ym / total
    squares, products = 0.0, 0.0
    for i in range(x.size):
        squares += weight[i] * (x[i] - xm) * (x[i] - xm)
        products += weight[i] * (x[i] - xm) * (y[i] - ym)
    return xm, ym, squares, products / squares
