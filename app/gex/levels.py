"""The levels that are strikes: walls, absolute gamma, max pain (gex-math section 4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.params import Walls

F64 = NDArray[np.float64]


def walls(strike: F64, call: F64, put: F64, definition: Walls) -> tuple[float | None, float | None]:
    """Call wall and put wall; None where there is no such exposure. Unknown exposures (NaN) are passed over.

    "gross": the largest call and the largest put exposure, whatever their sign. "net": the largest positive and the
    largest negative net strike.
    """
    if definition == "net":
        return _largest(strike, call + put), _largest(strike, -(call + put))
    return _largest(strike, np.abs(call)), _largest(strike, np.abs(put))


def absolute_gamma_strike(strike: F64, call: F64, put: F64) -> float | None:
    """The strike with the most gamma, calls and puts added without their signs; of unknown ones (NaN) there is none."""
    return _largest(strike, np.abs(_known(call)) + np.abs(_known(put)))


def max_pain(strike: F64, call_shares: F64, put_shares: F64) -> float | None:
    """The strike at which all options together are worth least at expiry; None without open interest.

    Args:
        strike: ascending, shape (k,).
        call_shares, put_shares: open interest times multiplier, shape (k,).
    """
    if not (np.sum(call_shares) + np.sum(put_shares) > 0):
        return None
    # going up a strike, puts lose and calls gain what is held on their side of it
    steps = np.diff(strike)
    call_worth, put_worth = np.zeros((2, len(strike)))
    np.cumsum(np.cumsum(call_shares[:-1]) * steps, out=call_worth[1:])
    np.cumsum((np.cumsum(put_shares[:0:-1]) * steps[::-1]), out=put_worth[-2::-1])
    return float(strike[np.argmin(call_worth + put_worth)])


def _largest(strike: F64, size: F64) -> float | None:
    if not size.size:
        return None
    i = int(np.argmax(_known(size)))
    return float(strike[i]) if size[i] > 0 else None


def _known(values: F64) -> F64:
    return np.where(np.isnan(values), 0.0, values)
