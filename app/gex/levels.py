"""The levels that are strikes: walls, absolute gamma, max pain (gex-math section 4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex import sum_kernels
from app.gex.params import Walls
from app.gex.quotes import plain

F64 = NDArray[np.float64]


def walls(strike: F64, call: F64, put: F64, definition: Walls) -> tuple[float | None, float | None]:
    """Call wall and put wall; None where there is no such exposure. Unknown exposures (NaN) are passed over.

    "gross": the largest call and the largest put exposure, whatever their sign. "net": the largest positive and the
    largest negative net strike.
    """
    upper, lower = sum_kernels.walls(plain(call), plain(put), definition == "net")
    return strike_at(strike, upper), strike_at(strike, lower)


def absolute_gamma_strike(strike: F64, call: F64, put: F64) -> float | None:
    """The strike with the most gamma, calls and puts added without their signs; of unknown ones (NaN) there is none."""
    return strike_at(strike, sum_kernels.most_gamma(plain(call), plain(put)))


def max_pain(strike: F64, call_shares: F64, put_shares: F64) -> float | None:
    """The strike at which all options together are worth least at expiry; None without open interest.

    Args:
        strike: ascending, shape (k,).
        call_shares, put_shares: open interest times multiplier, shape (k,).
    """
    return strike_at(strike, sum_kernels.least_worth(plain(strike), plain(call_shares), plain(put_shares)))


def strike_at(strike: F64, place: int) -> float | None:
    """The strike at that place; None for -1, which is nowhere."""
    return float(strike[place]) if place >= 0 else None
