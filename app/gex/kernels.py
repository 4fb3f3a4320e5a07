"""The compiled mathematics: implied total volatility and the profile. Plain NumPy and SciPy twins are in the tests.

`math.exp` under numba takes one number at a time; `fast_exp` and its kin have no branches, so that the compiler turns them
into vector instructions. Kernels expect finite arguments in their stated ranges: whoever calls one filters first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from app.gex.jit import inline, inner, kernel

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def _bit_cast(source: Any, target: Any) -> Any:
    """A function for kernels that reads the bits of one 64-bit type as another."""

    def cast(_context: Any, _value: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), generate

    return intrinsic(cast)


_as_float = _bit_cast(types.int64, types.float64)
_as_bits = _bit_cast(types.float64, types.int64)


@inline
def fast_exp(value: float) -> float:
    """e to the value, 2e-16 relative, for |value| up to 700; below -700 it is as good as zero."""
    bounded = min(max(value, -700.0), 700.0)
    n = np.floor(bounded * 1.4426950408889634 + 0.5)
    r = (bounded - n * 0.6931471803691238) - n * 1.9082149292705877e-10
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * _as_float((np.int64(n) + 1023) << 52)  # type: ignore[no-any-return]


@inline
def fast_log(value: float) -> float:
    """The natural logarithm of a positive normal number, 1e-16 absolute near one and relative elsewhere."""
    bits = _as_bits(value)
    # the mantissa between sqrt(1/2) and sqrt(2)
    shifted = bits - 0x3FE6A09E667F3BCD
    n = shifted >> 52
    m = _as_float(bits - (n << 52))
    s = (m - 1.0) / (m + 1.0)
    w = s * s
    # atanh(s) / s in s²
    p = -39.5674752381055
    p = ((p * w + 4.750206427454088) * w - 0.14887216674177992) * w + 0.09661111199763861
    p = ((p * w + 0.11103061517899958) * w + 0.14285776919940743) * w + 0.19999999753899866
    p = (p * w + 0.3333333333372939) * w + 0.9999999999999987
    return 2.0 * s * p + np.float64(n) * 0.6931471805599453  # type: ignore[no-any-return]


@inline
def fast_erfcx(z: float) -> float:
    """exp(z²) erfc(z), 4e-14 relative, for z of -1.5 and more."""
    # erfcx(z) (z + 4.5) as a polynomial in u, interpolated at Chebyshev nodes; four chains that run side by side
    scale = 1.0 / (z + 4.5)
    u = (z - 1.5) * scale
    v = u * u * u * u
    a = (
        (2.5937506170184526e-06 * v - 9.102123267776159e-05) * v - 0.0022410621730336467
    ) * v - 0.024317673765099343
    a = ((a * v + 1.9604775908163914) * v + 10.36795017648603) * v + 1.9295124987259271
    b = (
        (4.949117148364032e-07 * v + 8.281842046589759e-06) * v - 0.00010336643046887021
    ) * v - 0.01688846686041685
    b = ((b * v - 0.42753625178602694) * v - 9.799678389312215) * v - 3.9609125396457383
    c = (
        (-7.205332318941752e-07 * v + 6.988715742611224e-06) * v + 0.0004940097196342523
    ) * v + 0.009187196826507225
    c = ((c * v - 0.11393900666653428) * v + 7.538595574740092) * v + 6.597287030757213
    d = (
        (-2.963071757996522e-06 * v - 1.0263487099480156e-05) * v + 0.0016807545967081011
    ) * v + 0.12480919757870809
    d = (d * v - 4.54575902262332) * v - 9.074342058331982
    return ((d * u + c) * u + b) * u * scale + a * scale


# --- the normalised Black price and its inverse --------------------------------------------------
# b(y, x): undiscounted price of the out-of-the-money option over sqrt(F K), with y = |ln(F/K)| and total volatility x.
# With h = y/x and t = x/2 it is exp(-(h² + t²)/2) (erfcx((h-t)/√2) - erfcx((h+t)/√2)) / 2 (P. Jäckel, Let's be rational).

_SQRT_HALF = 0.7071067811865476
_SQRT_2_OVER_PI = 0.7978845608028654
_INVERSE_SQRT_2_PI = 0.3989422804014327
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
        low = fast_erfcx((h - t) * _SQRT_HALF)
        high = fast_erfcx((h + t) * _SQRT_HALF)
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


@kernel
def refine_total_vol(log_b: F64, y: F64, x: F64, steps: int) -> None:
    """Halley's steps on ln b(y, x) = log_b, in place. From `seed_total_vol` three give all digits."""
    for _ in range(steps):
        for i in range(x.size):
            h = y[i] / x[i]
            t = 0.5 * x[i]
            gap = fast_erfcx((h - t) * _SQRT_HALF) - fast_erfcx((h + t) * _SQRT_HALF)
            error = fast_log(0.5 * gap) - 0.5 * (h * h + t * t) - log_b[i]
            slope = _SQRT_2_OVER_PI / gap
            newton = error / slope
            bend = h * h / x[i] - 0.5 * t - slope
            factor = max(1.0 - 0.5 * newton * bend, 0.3)
            moved = min(max(x[i] - newton / factor, 0.3 * x[i]), 3.0 * x[i])
            x[i] = min(max(moved, 1e-9), MAX_TOTAL_VOL)


@kernel
def settle_total_vol(b: F64, before: F64, x: F64) -> int:
    """Mark in x what has no price (NaN) and what still moves (the negative of itself); returns how many move.

    Halley's steps converge cubically: a last move below 1e-5 leaves 1e-15.
    """
    moving = 0
    for i in range(x.size):
        good = b[i] > 0.0
        still = abs(x[i] - before[i]) <= 1e-5 * x[i]
        moving += 1 if good and not still else 0
        known = good and (x[i] < MAX_TOTAL_VOL or not still)
        x[i] = (x[i] if still else -x[i]) if known else np.nan
    return moving


# Rows a pass: what belongs to them stays near the processor from price to volatility.
_PASS = 512


@kernel
def invert_prices(time_value: F64, forward: F64, strike: F64, guess: F64, x: F64) -> int:
    """x of undiscounted out-of-the-money prices, shape (n,): NaN where there is none; returns how many don't settle.

    Those that don't are left as the negative of where they are. `guess` is of shape (n,) with NaN where there is none, or
    of shape (0,): then every row starts from the seed, and takes a step more.
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
            refine_total_vol(log_b[:n], y[:n], found, 2)
        else:
            if start_from(guess[begin:end], b[:n], found):
                seed_total_vol(b[:n], sinh_y[:n], other[:n])
                for i in range(n):
                    found[i] = found[i] if guess[begin + i] > 0.0 else other[i]
            refine_total_vol(log_b[:n], y[:n], found, 1)
        other[:n] = found
        refine_total_vol(log_b[:n], y[:n], found, 1)
        moving += settle_total_vol(b[:n], other[:n], found)
    return moving


@kernel
def start_from(guess: F64, b: F64, x: F64) -> int:
    """The guesses into x, a tenth where there is none; returns how many rows with a price have none."""
    bare = 0
    for i in range(x.size):
        known = guess[i] > 0.0
        x[i] = guess[i] if known else 0.1
        bare += 1 if b[i] > 0.0 and not known else 0
    return bare


@kernel
def gamma_density(forward: F64, discount: F64, strike: F64, x: F64, out: F64) -> None:
    """D F phi(d1) / x = gamma S² into `out`, $ a share, shape (n,); NaN where F or x is."""
    for i in range(x.size):
        good = forward[i] > 0.0 and x[i] > 0.0
        vol = x[i] if good else 1.0
        d = fast_log(forward[i] / strike[i] if good else 1.0) / vol + 0.5 * vol
        each = _INVERSE_SQRT_2_PI * discount[i] * forward[i] * fast_exp(-0.5 * d * d) / vol
        out[i] = each if good else np.nan


# --- the profile ------------------------------------------------------------------------------------
# G(S') / (0.01 S') is the sum of height exp(-(a ln S' + c)²/2), where a = 1/x and c = (ln(F/S) - ln K)/x + x/2.


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
    scale = 0.01 * _INVERSE_SQRT_2_PI / spot
    for i in range(strike.size):
        a = 1.0 / x[i]
        slope[i] = a
        offset[i] = fast_log(forward[i] / (spot * strike[i])) * a + 0.5 * x[i]
        height[i] = scale * weight[i] * discount[i] * forward[i] * a


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
    for j in range(n):
        i, s = nodes[j], series[nodes[j]]
        change[0, n + j], change[1, n + j], change[2, n + j] = slope[i], offset[i], -height[i]
        good = x[i] > 0.0 and discounted[s] > 0.0
        a = 1.0 / x[i] if good else 1.0
        c = (log_carry[s] - log_strike[i]) * a + 0.5 / a if good else 0.0
        scale = _INVERSE_SQRT_2_PI * discounted[s] * a if good else 0.0
        d = a * log_spot + c
        each = unit * scale * fast_exp(-0.5 * d * d)
        grown += abs(call_shares[i] * each) - abs(call[i]) + abs(put_shares[i] * each) - abs(put[i])
        by_call[strike[i]] += call_shares[i] * each - call[i]
        by_put[strike[i]] += put_shares[i] * each - put[i]
        call[i], put[i] = call_shares[i] * each, put_shares[i] * each
        slope[i], offset[i], height[i] = a, c, 0.01 * (call_shares[i] + put_shares[i]) * scale
        change[0, j], change[1, j], change[2, j] = a, c, height[i]
    return grown


@kernel
def bell_sum(log_spot: float, slope: F64, offset: F64, height: F64) -> float:
    """Sum of height exp(-(slope log_spot + offset)²/2), exact at one price."""
    total = 0.0
    for i in range(slope.size):
        d = slope[i] * log_spot + offset[i]
        total += height[i] * fast_exp(-0.5 * d * d)
    return total


@kernel
def bell_slope(log_spot: float, slope: F64, offset: F64, height: F64) -> tuple[float, float]:
    """The same sum, and its derivative by ln S'."""
    total, rise = 0.0, 0.0
    for i in range(slope.size):
        d = slope[i] * log_spot + offset[i]
        each = height[i] * fast_exp(-0.5 * d * d)
        total += each
        rise -= each * d * slope[i]
    return total, rise


# Beyond this many standard deviations a bell adds nothing that float64 shows.
_REACH = 9.0
# A bell is wide when the grid spans at most this many of its standard deviations: its values then neither under- nor
# overflow from one end to the other.
_WIDE = 26.0
_BLOCK = 128


@kernel
def bell_grid(log_low: float, step: float, slope: F64, offset: F64, height: F64, out: F64) -> None:
    """The same sum at log_low + j step, shape (levels,), within 1e-12 of its terms' own size.

    At equal steps a Gaussian is g[j+1] = g[j] r[j] with r[j+1] = r[j] q: three exps for a wide bell, then two
    multiplications a level. Narrow bells (near expiry) take their exps directly, at the few levels they reach.
    """
    span = step * (out.size - 1)
    out[:] = 0.0
    g, r, q = np.empty(slope.size), np.empty(slope.size), np.empty(slope.size)
    wide = 0
    for i in range(slope.size):
        first = slope[i] * log_low + offset[i]
        width = slope[i] * span
        if first > _REACH or first + width < -_REACH:
            continue
        if width <= _WIDE:
            g[wide], r[wide], q[wide] = first, slope[i] * step, height[i]
            wide += 1
        else:
            _add_narrow(first, slope[i] * step, height[i], out)
    for i in range(wide):
        d, s, h = g[i], r[i], q[i]
        g[i] = h * fast_exp(-0.5 * d * d)
        r[i] = fast_exp(-d * s - 0.5 * s * s)
        q[i] = fast_exp(-s * s)
    for begin in range(0, wide, _BLOCK):
        end = min(begin + _BLOCK, wide)
        _add_wide(g[begin:end], r[begin:end], q[begin:end], out)


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


@kernel
def normal_cdf(d: F64, out: F64) -> None:
    """N(d) into `out`, exact in the lower tail too, shape (n,)."""
    for i in range(d.size):
        size = min(abs(d[i]), 37.0)
        tail = 0.5 * fast_exp(-0.5 * size * size) * fast_erfcx(size * _SQRT_HALF)
        out[i] = 1.0 - tail if d[i] > 0.0 else tail
