"""Black's formula on the forward, and its inverse: vectorised, exact in the far wings.

    >>> x = total_vol(black(5000.0, 5100.0, 0.05, "C"), 5000.0, 5100.0, "C")
    >>> round(float(x), 12)
    0.05

"Total volatility" is sigma sqrt(T). Prices are undiscounted: divide a market price by D first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.gex import vol_kernels

F64 = NDArray[np.float64]


def black(F: ArrayLike, K: ArrayLike, x: ArrayLike, right: Any) -> F64:
    """Undiscounted Black-76 price in $, broadcast.

    Args:
        F: forward, $.
        K: strike, $.
        x: total volatility; 0 gives the intrinsic value, above 4 is taken as 4.
        right: "C" or "P" (or b"C", b"P", or True for calls), scalar or array.

    Returns:
        Prices; NaN where F, K or x is unknown, not positive (x: negative) or infinite.
    """
    forward, strike, vol, call = _broadcast(F, K, x, right)
    with np.errstate(all="ignore"):
        y = np.abs(np.log(forward / strike))
        valid = (forward > 0) & (strike > 0) & (vol >= 0) & np.isfinite(y) & np.isfinite(vol)
        intrinsic = np.maximum(np.where(call, forward - strike, strike - forward), 0.0)
    live = valid & (vol > 1e-9) & (y < 38 * vol)
    out = np.where(valid, intrinsic, np.nan)
    b = np.empty(int(live.sum()))
    vol_kernels.normalised_black(y[live], np.minimum(vol[live], vol_kernels.MAX_TOTAL_VOL), b)
    out[live] += b * np.sqrt(forward[live] * strike[live])
    return out


def total_vol(price: ArrayLike, F: ArrayLike, K: ArrayLike, right: Any) -> F64:
    """The total volatility at which `black` gives this undiscounted price, broadcast.

    Exact to some 1e-12 where the price resolves it: an in-the-money price resolves only its time value.

    Returns:
        x; NaN where the price is unknown, at or below intrinsic, or at or above its bound (x over 4).
    """
    value, forward, strike, call = _broadcast(price, F, K, right)
    with np.errstate(all="ignore"):
        intrinsic = np.maximum(np.where(call, forward - strike, strike - forward), 0.0)
        return otm_total_vol(value - intrinsic, forward, strike)


def otm_total_vol(time_value: F64, forward: F64, strike: F64, guess: F64 | None = None) -> F64:
    """The same for prices out of the money (time values), arrays of one shape (n,) or scalars' shape ().

    Args:
        time_value: undiscounted price less intrinsic value, $.
        forward, strike: $.
        guess: x known to be near, such as the last one: saves a step where it is given and finite.
    """
    value = np.asarray(time_value)
    if not value.shape == np.shape(forward) == np.shape(strike):
        value, forward, strike = np.broadcast_arrays(value, forward, strike)
    shape, n = value.shape, value.size
    value, forward, strike = (
        np.ascontiguousarray(column, np.float64).reshape(n) for column in (value, forward, strike)
    )
    start = np.empty(0) if guess is None else np.ascontiguousarray(guess, np.float64).reshape(n)
    x = np.empty(n)
    if vol_kernels.invert_prices(value, forward, strike, start, x):
        vol_kernels.settle_slowly(value, forward, strike, x)
    return x.reshape(shape)


def _broadcast(
    a: ArrayLike, b: ArrayLike, c: ArrayLike, right: Any
) -> tuple[F64, F64, F64, NDArray[np.bool_]]:
    given = np.asarray(right)
    call = given if given.dtype.kind == "b" else np.isin(given, ["C"] if given.dtype.kind == "U" else [b"C"])
    floats = [np.asarray(v, dtype=np.float64) for v in (a, b, c)]
    x, y, z, calls = np.broadcast_arrays(*floats, call)
    return x, y, z, calls
