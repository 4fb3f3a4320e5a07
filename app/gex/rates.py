"""The interest rate that the options themselves imply: the slope of C - P in K is -D (gex-math, section 1)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from app.gex import rate_kernels

F64 = NDArray[np.float64]

# A series counts when it has this many pairs, and so much time that D differs from 1 by more than noise.
_MIN_PAIRS = 8
_MIN_YEARS = 7 / 365
_MONEYNESS = 0.35
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
    slope, error = np.empty((2, len(years)))
    low, high = spot * math.exp(-_MONEYNESS), spot * math.exp(_MONEYNESS)
    wanted = years >= _MIN_YEARS
    rate_kernels.parity_lines(starts, strike, gap, spread, wanted, low, high, _MIN_PAIRS, slope, error)
    falling = slope < 0
    rate = -np.log(-slope[falling]) / years[falling]
    kept = (rate >= LOWEST) & (rate <= HIGHEST)
    found = np.column_stack([rate, error[falling] / years[falling]])[kept]
    return _weighted_median(found) if len(found) else math.nan


def _weighted_median(pairs: F64) -> float:
    """Median of the first column, weighted by the inverse of the second."""
    ordered = pairs[np.argsort(pairs[:, 0])]
    below = np.cumsum(1.0 / (ordered[:, 1] + _ERROR_FLOOR))
    return float(ordered[np.searchsorted(below, 0.5 * below[-1]), 0])
