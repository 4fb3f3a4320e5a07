"""The compiled Black price and its inverse. Plain NumPy and SciPy twins of all kernels are in the tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inner, kernel
from app.gex.special import SQRT_HALF, fast_erfcx, fast_exp, fast_log

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]

# --- the normalised Black price and its inverse --------------------------------------------------
# b(y, x): undiscounted price of the out-of-the-money option over sqrt(F K), with y = |ln(F/K)| and total volatility x.
# With h = y/x and t = x/2 it is exp(-(h² + t²)/2) (erfcx((h-t)/√2) - erfcx((h+t)/√2)) / 2 (P. Jäckel, Let's be rational).

_SQRT_2_OVER_PI = 0.7978845608028654
# Above this total volatility a price no longer tells one from another, and fast_erfcx ends.
MAX_TOTAL_VOL = 4.0
# Below this normalised price nothing but rounding is left; beyond this moneyness (sinh) no option is listed.
_SMALLEST_PRICE = 1e-60
_FARTHEST = 1e4


@kernel
def normalised_black(y: F64, x: F64, out: F64) -> None:
    """b(y, x) into `out`, shape (n,) each; y >= 0, 0 < x <= MAX_TOTAL_VOL."""
    for i in range(y.size):
        h = y[i] / x[i]
        t = 0.5 * x[i]
        low = fast_erfcx((h - t) * SQRT_HALF)
        high = fast_erfcx((h + t) * SQRT_HALF)
        out[i] = 0.5 * fast_exp(-0.5 * (h * h + t * t)) * (low - high)


@kernel
def normalise(time_value: F64, forward: F64, strike: F64, b: F64, log_b: F64, y: F64, sinh_y: F64) -> None:
    """From prices to b, ln b, y = |ln(F/K)| and |F - K| / sqrt(F K), shape (n,) each, for the inversion.

    Where there is no such price (NaN, nothing, or more than its bound) b is negative, and the rest belongs to some price
    that has an inverse: whoever calls throws that row away.
    """
    for i in range(time_value.size):
        f, k, p = forward[i], strike[i], time_value[i]
        root = np.sqrt(f * k)
        price, bound, apart = p / root, min(f, k) / root, abs(f - k) / root
        good = price > _SMALLEST_PRICE and price < bound and apart < _FARTHEST
        b[i] = price if good else -1.0
        log_b[i] = fast_log(price if good else 0.1)
        y[i] = abs(fast_log(f / k)) if good else 0.0
        sinh_y[i] = apart if good else 0.0


@kernel
def seed_total_vol(b: F64, sinh_y: F64, x: F64) -> None:
    """A first x for price b, near the money within 0.1 %: the Bachelier inverse, a function of b over moneyness alone.

    `sinh_y` is |F - K| / sqrt(F K). The six coefficients are a least-squares fit of h/a over w = 1/sqrt(1 + a), where
    a = atanh of the time value's complement; exact inversion follows in `refine_total_vol`.
    """
    for i in range(b.size):
        price = b[i] if b[i] > 0.0 else 0.1
        u = sinh_y[i] / price
        log_u = fast_log(1.0 + u)
        ratio = 1.0 + 0.5 * u if u < 1e-5 else u / log_u
        w = 1.0 / np.sqrt(1.0 + 0.5 * log_u)
        p = 8.3043404 * w - 32.963042
        p = ((p * w + 50.144731) * w - 35.289775) * w + 11.057068
        p = ((p * w - 2.624811) * w + 2.1693841) * w
        x[i] = min(max(2.0 * price * ratio / p, 1e-9), MAX_TOTAL_VOL)


# Where the second and third term of a step's series are below this, the fourth order is better than the third.
_CONVERGES = 0.3


@kernel
def refine_total_vol(log_b: F64, y: F64, x: F64, steps: int) -> None:
    """Householder's steps of the fourth order on ln b(y, x) = log_b, in place. From `seed_total_vol` two give all digits.

    A step too long for its series is one of Halley's, bounded.
    """
    for _ in range(steps):
        for i in range(x.size):
            h = y[i] / x[i]
            t = 0.5 * x[i]
            gap = fast_erfcx((h - t) * SQRT_HALF) - fast_erfcx((h + t) * SQRT_HALF)
            error = log_b[i] - fast_log(0.5 * gap) + 0.5 * (h * h + t * t)
            slope = _SQRT_2_OVER_PI / gap
            newton = error / slope
            bend = h * h / x[i] - 0.5 * t - slope
            third = bend * bend - 3.0 * h * h / (x[i] * x[i]) - 0.25 - slope * bend
            half, last = 0.5 * bend * newton, third * newton * newton / 6.0
            fourth = newton * (1.0 + half) / (1.0 + 2.0 * half + last)
            halley = newton / max(1.0 + half, 0.3)
            moved = x[i] + (fourth if abs(half) + abs(last) < _CONVERGES else halley)
            x[i] = min(max(min(max(moved, 0.3 * x[i]), 3.0 * x[i]), 1e-9), MAX_TOTAL_VOL)


# Steps of the fourth order: a last move below this share of x leaves 1e-15 of it.
_SETTLED = 2e-4


@kernel
def settle_total_vol(b: F64, before: F64, x: F64) -> int:
    """Mark in x what has no price (NaN) and what still moves (the negative of itself); returns how many move."""
    moving = 0
    for i in range(x.size):
        good = b[i] > 0.0
        still = abs(x[i] - before[i]) <= _SETTLED * x[i]
        moving += 1 if good and not still else 0
        known = good and (x[i] < MAX_TOTAL_VOL or not still)
        x[i] = (x[i] if still else -x[i]) if known else np.nan
    return moving


# Steps that all rows of a pass may take; a few rows may take one more.
_ROUNDS = 3
# Rows a pass: what belongs to them stays near the processor from price to volatility.
_PASS = 512


@kernel
def invert_prices(time_value: F64, forward: F64, strike: F64, guess: F64, x: F64) -> int:
    """x of undiscounted out-of-the-money prices, shape (n,): NaN where there is none; returns how many don't settle.

    Those that don't are left as the negative of where they are. `guess` is of shape (n,) with NaN where there is none, or
    of shape (0,): then every row starts from the seed.
    """
    b, log_b, y, sinh_y, other = (
        np.empty(_PASS),
        np.empty(_PASS),
        np.empty(_PASS),
        np.empty(_PASS),
        np.empty(_PASS),
    )
    moving = 0
    for begin in range(0, x.size, _PASS):
        end = min(begin + _PASS, x.size)
        n = end - begin
        found = x[begin:end]
        normalise(
            time_value[begin:end], forward[begin:end], strike[begin:end], b[:n], log_b[:n], y[:n], sinh_y[:n]
        )
        if guess.size == 0:
            seed_total_vol(b[:n], sinh_y[:n], found)
        elif start_from(guess[begin:end], b[:n], found):
            seed_total_vol(b[:n], sinh_y[:n], other[:n])
            for i in range(n):
                found[i] = found[i] if guess[begin + i] > 0.0 else other[i]
        for _ in range(_ROUNDS):
            other[:n] = found
            refine_total_vol(log_b[:n], y[:n], found, 1)
            if refine_few(b[:n], log_b[:n], y[:n], other[:n], found):
                break
        moving += settle_total_vol(b[:n], other[:n], found)
    return moving


@inner
def refine_few(b: F64, log_b: F64, y: F64, before: F64, x: F64) -> bool:
    """One more step, in place, for the rows that still move, where they are few (else nothing, and False).

    A quote that changed leaves most of its series where they were, but for what its forward moves: there one step is enough.
    `before` becomes what the rows' last step started from, as `settle_total_vol` wants it.
    """
    few = np.empty(x.size // 4, np.int64)
    n = 0
    for i in range(x.size):
        if b[i] > 0.0 and not abs(x[i] - before[i]) <= _SETTLED * x[i]:
            if n == few.size:
                return False
            few[n] = i
            n += 1
    levels, places, at = np.empty(n), np.empty(n), np.empty(n)
    for j in range(n):
        levels[j], places[j], at[j] = log_b[few[j]], y[few[j]], x[few[j]]
    refine_total_vol(levels, places, at, 1)
    for j in range(n):
        before[few[j]], x[few[j]] = x[few[j]], at[j]
    return True


@kernel
def start_from(guess: F64, b: F64, x: F64) -> int:
    """The guesses into x, a tenth where there is none; returns how many rows with a price have none."""
    bare = 0
    for i in range(x.size):
        known = guess[i] > 0.0
        x[i] = guess[i] if known else 0.1
        bare += 1 if b[i] > 0.0 and not known else 0
    return bare


# A step of the fourth order that moves x by less than this share of itself leaves a millionth of x, or less.
_CLOSE = 0.03


@kernel
def step_to_quotes(
    strike: F64,
    forward: F64,
    discount: F64,
    source: I8,
    call_bid: F64,
    put_bid: F64,
    call_ask: F64,
    put_ask: F64,
    x: F64,
    low: F64,
    high: F64,
) -> None:
    """From x at the mid to x at bid and at ask, by one step of the fourth order on ln b, shape (n,) each.

    NaN where x comes from no quote (source 0, 3 and more) or a price has no value; the negative of itself where a step is
    too long to be trusted. The two share what is costly: b and its derivatives at the mid.
    """
    for i in range(x.size):
        otm, quoted = source[i] == 1, source[i] == 1 or source[i] == 2
        use_call = (strike[i] >= forward[i]) == otm
        apart = 0.0 if otm else abs(forward[i] - strike[i])
        low[i] = (call_bid[i] if use_call else put_bid[i]) / discount[i] - apart if quoted else np.nan
        high[i] = (call_ask[i] if use_call else put_ask[i]) / discount[i] - apart if quoted else np.nan
    _step(strike, forward, x, low, high)


@inner
def _step(strike: F64, forward: F64, x: F64, low: F64, high: F64) -> None:
    """The same from the time values at bid and at ask, in place: without branches."""
    for i in range(x.size):
        for_bid, for_ask = low[i] > 0.0, high[i] > 0.0
        some = for_bid or for_ask
        f, k, vol = forward[i] if some else 1.0, strike[i] if some else 1.0, x[i] if some else 1.0
        h, t = abs(fast_log(f / k)) / vol, 0.5 * vol
        gap = fast_erfcx((h - t) * SQRT_HALF) - fast_erfcx((h + t) * SQRT_HALF)
        at = 0.5 * (h * h + t * t)
        scale = 0.5 * gap * np.sqrt(f * k)
        slope = _SQRT_2_OVER_PI / gap
        bend = h * h / vol - 0.5 * t - slope
        third = bend * bend - 3.0 * h * h / (vol * vol) - 0.25 - slope * bend
        to_bid = (fast_log((low[i] if for_bid else 1.0) / scale) + at) / slope
        to_ask = (fast_log((high[i] if for_ask else 1.0) / scale) + at) / slope
        down = to_bid * (1.0 + 0.5 * bend * to_bid) / (1.0 + to_bid * (bend + third * to_bid / 6.0))
        up = to_ask * (1.0 + 0.5 * bend * to_ask) / (1.0 + to_ask * (bend + third * to_ask / 6.0))
        under = vol + down if abs(to_bid) + abs(down) <= _CLOSE * vol else -vol
        over = vol + up if abs(to_ask) + abs(up) <= _CLOSE * vol else -vol
        low[i] = under if for_bid else np.nan
        high[i] = over if for_ask else np.nan


@kernel
def settle_slowly(time_value: F64, forward: F64, strike: F64, x: F64) -> None:
    """Go on, in place, where `invert_prices` left the negative of x: NaN where it never settles. Shapes (n,)."""
    b, log_b, y, sinh_y, at = np.empty(1), np.empty(1), np.empty(1), np.empty(1), np.empty(1)
    for i in range(x.size):
        if x[i] < 0.0:
            one = slice(i, i + 1)
            normalise(time_value[one], forward[one], strike[one], b, log_b, y, sinh_y)
            at[0] = -x[i]
            refine_total_vol(log_b, y, at, 30)
            before = at[0]
            refine_total_vol(log_b, y, at, 1)
            settled = abs(at[0] - before) <= 1e-9 * at[0] and at[0] < MAX_TOTAL_VOL
            x[i] = at[0] if settled else np.nan
