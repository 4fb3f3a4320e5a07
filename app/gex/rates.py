"""The interest rate that the options themselves imply: the slope of C - P in K is -D (gex-math, section 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

# A series counts when it has this many pairs, and so much time that D differs from 1 by more than noise.
_MIN_PAIRS = 8
_MIN_YEARS = 7 / 365
_MONEYNESS = 0.35
_ROUNDS = 4
# Rates differ by maturity: no series' certainty counts for more than this, or the longest would decide alone.
_ERROR_FLOOR = 5e-4
LOWEST, HIGHEST = -0.05, 0.5


def parity_rate(
    starts: NDArray[np.int64], strike: F64, gap: F64, spread: F64, years: F64, spot: float
) -> float:
    """The rate per year pooled over the expiries; NaN when too few pairs are quoted.

    Each series gives -ln(slope)/T by a robust weighted line; the pool is their median, weighted by certainty.

    Args:
        starts: where each series' nodes begin, and one past the last, shape (s + 1,).
        strike, gap, spread: K, C - P (NaN where a leg isn't usable) and the sum of both spreads, $, shape (m,).
        years: T of each series, shape (s,).
        spot: S in $.
    """
    found = []
    near = np.isfinite(gap) & (np.abs(np.log(strike / spot)) < _MONEYNESS)
    for s in np.flatnonzero(years >= _MIN_YEARS):
        part = slice(starts[s], starts[s + 1])
        use = near[part]
        if use.sum() >= _MIN_PAIRS:
            slope, error = _line(strike[part][use], gap[part][use], spread[part][use])
            if slope < 0:
                found.append((-np.log(-slope) / years[s], error / years[s]))
    kept = [(rate, error) for rate, error in found if LOWEST <= rate <= HIGHEST]
    return _weighted_median(np.array(kept)) if kept else float("nan")


def _line(x: F64, y: F64, spread: F64) -> tuple[float, float]:
    """Slope of y over x and its standard error; outliers lose their weight (Tukey's biweight)."""
    base = 1.0 / (spread + 0.01) ** 2
    weight, slope = base, -1.0
    for _ in range(_ROUNDS):
        xm, ym = np.average(x, weights=weight), np.average(y, weights=weight)
        slope = float(np.sum(weight * (x - xm) * (y - ym)) / np.sum(weight * (x - xm) ** 2))
        residual = (y - ym - slope * (x - xm)) * np.sqrt(base)
        scale = 1.4826 * float(np.median(np.abs(residual))) + 1e-9
        weight = base * np.clip(1 - (residual / (6 * scale)) ** 2, 1e-12, None) ** 2
    spread_x = float(np.sum(base * (x - np.average(x, weights=base)) ** 2))
    return slope, (scale + 1e-6) / float(np.sqrt(spread_x))


def _weighted_median(pairs: F64) -> float:
    """Median of the first column, weighted by the inverse of the second."""
    ordered = pairs[np.argsort(pairs[:, 0])]
    below = np.cumsum(1.0 / (ordered[:, 1] + _ERROR_FLOOR))
    return float(ordered[np.searchsorted(below, 0.5 * below[-1]), 0])
