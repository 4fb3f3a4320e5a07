"""The compiled loops over the series of a chain: forwards, filling in volatilities, what stands at the money."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inline, inner, kernel

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Pairs of call and put that one forward is taken from, and the fewest that will do.
_PAIRS = 20
_MIN_PAIRS = 3


@kernel
def parity_forwards(
    starts: I64,
    strike: F64,
    gap: F64,
    spread: F64,
    wanted: Bools,
    discount: F64,
    centre: float,
    out: F64,
) -> None:
    """Forward of each series that is wanted by put-call parity, into `out`, shape (s,); NaN where fewer than three pairs are
    usable.

    The weighted median of K + (C - P)/D over the 20 usable pairs nearest `centre`, then once more around that.

    Args:
        starts: where each series' nodes begin, and one past the last, shape (s + 1,). Strikes ascend within a series.
        strike, gap, spread: K, C - P (NaN where one isn't usable) and the sum of both spreads in $, shape (m,).
        wanted, discount: shape (s,); centre: a first idea of all forwards.
    """
    value = np.empty(_PAIRS)
    weight = np.empty(_PAIRS)
    for s in range(out.size):
        lo, hi = starts[s], starts[s + 1]
        if not wanted[s]:
            continue
        found, first, last = centre, -1, -1
        for _ in range(2):
            n, left, right = _nearest_pairs(lo, hi, found, strike, gap, spread, discount[s], value, weight)
            if left == first and right == last:
                break  # the same pairs once more
            first, last = left, right
            found = _weighted_median(value, weight, n) if n >= _MIN_PAIRS else np.nan
            if not found > 0.0:
                found = np.nan
                break
        out[s] = found


@kernel
def other_forwards(
    years: F64, alive: Bools, adjusted: Bools, spot: float, rate: float, forward: F64, source: I8
) -> None:
    """What parity's forwards come from (1), and others where parity has none, in place, shape (s,) each.

    A carry that is no carry but a fault of the quotes is thrown out, except of adjusted series. Then the carry ln(F/S)/T of
    the nearest expiry that has one (2), else S exp(rT) (3); settled series have none (NaN, 0).
    """
    for s in range(years.size):
        drift = np.log(forward[s] / spot) if forward[s] > 0.0 else np.nan
        good = alive[s] and (adjusted[s] or abs(drift) <= 0.05 + 0.25 * years[s])
        source[s] = 1 if good and np.isfinite(forward[s]) else 0
    for s in range(years.size):
        if not alive[s]:
            forward[s] = np.nan
        if source[s] != 0 or not alive[s]:
            continue
        nearest = -1
        for donor in range(years.size):
            if source[donor] == 1 and not adjusted[donor]:
                apart = abs(years[donor] - years[s])
                nearest = donor if nearest < 0 or apart < abs(years[nearest] - years[s]) else nearest
        carry = rate if nearest < 0 else np.log(forward[nearest] / spot) / years[nearest]
        forward[s], source[s] = spot * np.exp(carry * years[s]), 3 if nearest < 0 else 2


@kernel
def follow_forwards(
    nodes: I64,
    series: I64,
    starts: I64,
    strike: F64,
    gap: F64,
    spread: F64,
    years: F64,
    alive: Bools,
    adjusted: Bools,
    discount: F64,
    spot: float,
    rate: float,
    parity: F64,
    forward: F64,
    source: I8,
    carry: F64,
) -> Bools:
    """Forwards anew of the series that these nodes, shape (n,), are in, and of those that follow them, in place.

    Others that parity gives keep theirs.

    Args:
        series: of all nodes, shape (m,); others as of `parity_forwards` and `other_forwards`.
        parity, forward, source, carry: what parity says, F, whence, F/S; shape (s,), changed in place.

    Returns:
        Which series have another forward, shape (s,).
    """
    n = years.size
    touched, wanted, kept, moved = (
        np.zeros(n, np.bool_),
        np.empty(n, np.bool_),
        np.empty(n, np.bool_),
        np.empty(n, np.bool_),
    )
    for j in range(nodes.size):
        touched[series[nodes[j]]] = True
    for s in range(n):
        wanted[s] = touched[s] and alive[s]
        kept[s] = not touched[s] and source[s] == 1
    parity_forwards(starts, strike, gap, spread, wanted, discount, spot, parity)
    found = np.where(kept, forward, parity)
    other_forwards(years, alive, adjusted, spot, rate, found, source)
    for s in range(n):
        same = found[s] == forward[s] or (np.isnan(found[s]) and np.isnan(forward[s]))
        moved[s] = not kept[s] and not same
        carry[s] = carry[s] if kept[s] else found[s] / spot
        forward[s] = found[s]
    return moved


@kernel
def count_series(chosen: Bools, alive: Bools, adjusted: Bools, source: I8) -> tuple[int, int, int, int]:
    """Of the chosen and living series, (s,) each: how many there are, carried (2), by rate (3), with adjusted contracts."""
    live, carried, by_rate, unusual = 0, 0, 0, 0
    for s in range(chosen.size):
        if chosen[s] and alive[s]:
            live += 1
            carried += 1 if source[s] == 2 else 0
            by_rate += 1 if source[s] == 3 else 0
            unusual += 1 if adjusted[s] else 0
    return live, carried, by_rate, unusual


@inline
def _nearest_pairs(
    lo: int,
    hi: int,
    centre: float,
    strike: F64,
    gap: F64,
    spread: F64,
    discount: float,
    value: F64,
    weight: F64,
) -> tuple[int, int, int]:
    """Fill value and weight from the usable pairs nearest `centre`; how many, and the first and last node looked at."""
    right = lo + np.searchsorted(strike[lo:hi], centre)
    left = right - 1
    n = 0
    while n < value.size and (left >= lo or right < hi):
        take_left = left >= lo and (right >= hi or centre - strike[left] <= strike[right] - centre)
        i = left if take_left else right
        if take_left:
            left -= 1
        else:
            right += 1
        if not np.isnan(gap[i]):
            value[n] = strike[i] + gap[i] / discount
            weight[n] = 1.0 / (spread[i] + 0.01)
            n += 1
    return n, left + 1, right - 1  # type: ignore[return-value]


@inline
def _weighted_median(value: F64, weight: F64, n: int) -> float:
    """The value at which half of the weight lies on either side; sorts the first n in place."""
    total = 0.0
    for i in range(n):
        v, w = value[i], weight[i]
        total += w
        j = i - 1
        while j >= 0 and value[j] > v:
            value[j + 1] = value[j]
            weight[j + 1] = weight[j]
            j -= 1
        value[j + 1] = v
        weight[j + 1] = w
    below = 0.0
    for i in range(n):
        below += weight[i]
        if below == 0.5 * total and i + 1 < n:
            return 0.5 * (value[i] + value[i + 1])  # type: ignore[no-any-return]
        if below > 0.5 * total:
            return value[i]  # type: ignore[no-any-return]
    return np.nan


@kernel
def fill(series: I64, starts: I64, log_strike: F64, vendor: F64, limit: F64, x: F64, source: I8) -> None:
    """Fill x in these series where no quote tells it (source 0), in place, with its source.

    Between known neighbours linearly in ln K (3); else the vendor's where it is known (4); else, beyond the outermost
    known strikes, the outermost x up to `limit` where there is one (5). Shapes (m,); vendor and limit NaN where unknown.
    """
    for s in series:
        fill_series(starts[s], starts[s + 1], log_strike, vendor, limit, x, source)


@inner
def fill_series(start: int, end: int, log_strike: F64, vendor: F64, limit: F64, x: F64, source: I8) -> None:
    """The same of one series, which goes from node `start` to before `end`."""
    hi = start
    for lo in range(start, end):
        if source[lo] != 0 or lo < hi:
            continue
        hi = lo + 1
        while hi < end and source[hi] == 0:
            hi += 1
        fill_run(lo, hi, start, end, log_strike, vendor, limit, x, source)


@inner
def fill_run(
    lo: int, hi: int, start: int, end: int, log_strike: F64, vendor: F64, limit: F64, x: F64, source: I8
) -> None:
    """The same of nodes lo to hi, of which no quote tells, while quotes tell of their neighbours if the series has any.

    The series goes from node `start` to before `end`.
    """
    if lo > start and hi < end:
        left, right = lo - 1, hi
        width = log_strike[right] - log_strike[left]
        for i in range(lo, hi):
            share = (log_strike[i] - log_strike[left]) / width if width > 0.0 else 0.5
            x[i], source[i] = x[left] + share * (x[right] - x[left]), 3
        return
    outermost = x[lo - 1] if lo > start else (x[hi] if hi < end else np.nan)
    for i in range(lo, hi):
        x[i], source[i] = np.nan, 0
        if vendor[i] > 0.0:
            x[i], source[i] = vendor[i], 4
        elif outermost > 0.0 and limit[i] > 0.0:
            x[i], source[i] = min(outermost, limit[i]), 5


@inline
def _quoted(source: int) -> bool:
    """Whether x comes from a price of its own strike."""
    return source == 1 or source == 2


@kernel
def at_the_money(
    starts: I64,
    strike: F64,
    forward: F64,
    source: I8,
    x: F64,
    call_mid: F64,
    put_mid: F64,
    out_x: F64,
    out_straddle: F64,
) -> None:
    """Total volatility at K = F (linear in ln K between quoted neighbours), and the straddle mid nearest it; NaN if unknown.

    Args:
        starts: where each series' nodes begin, and one past the last, shape (s + 1,).
        strike, source, x, call_mid, put_mid: K, where x comes from, x, and mids (NaN where unknown), shape (m,).
        forward, out_x, out_straddle: shape (s,).
    """
    for s in range(forward.size):
        lo, hi, f = starts[s], starts[s + 1], forward[s]
        out_x[s], out_straddle[s] = np.nan, np.nan
        if not f > 0.0:
            continue
        # the first strike at or above the forward, and the first above it
        above, below = (
            lo + np.searchsorted(strike[lo:hi], f),
            lo + np.searchsorted(strike[lo:hi], f, "right") - 1,
        )
        near, far = above - 1, above
        while below >= lo and not _quoted(source[below]):
            below -= 1
        while above < hi and not _quoted(source[above]):
            above += 1
        if below < lo or above >= hi:
            continue
        width = np.log(strike[above] / strike[below])
        share = np.log(f / strike[below]) / width if width > 0.0 else 0.0
        out_x[s] = x[below] + share * (x[above] - x[below])
        while near >= lo and not call_mid[near] + put_mid[near] > 0.0:
            near -= 1
        while far < hi and not call_mid[far] + put_mid[far] > 0.0:
            far += 1
        if near < lo and far >= hi:
            continue
        nearest = far if near < lo or (far < hi and strike[far] - f < f - strike[near]) else near
        # a straddle far from the forward is no at-the-money straddle
        if abs(np.log(strike[nearest] / f)) <= 0.5 * out_x[s]:
            out_straddle[s] = call_mid[nearest] + put_mid[nearest]


@kernel
def wings(
    starts: I64, strike: F64, forward: F64, source: I8, x: F64, reach: float, low: F64, high: F64
) -> None:
    """x where d1 is `reach` (below the forward, into low) and -`reach` (above it, into high), shape (s,); NaN if unknown.

    At |d1| = 0.6745 that is the put and the call whose forward delta is a quarter. Outwards from the forward x is linear in
    d1 between quoted neighbours, the first crossing counts. Other arguments as for `at_the_money`.
    """
    for s in range(forward.size):
        lo, hi = starts[s], starts[s + 1]
        middle = lo + np.searchsorted(strike[lo:hi], forward[s]) if forward[s] > 0.0 else hi
        low[s] = _wing(middle, lo - 1, -1, forward[s], strike, source, x, reach) if middle < hi else np.nan
        high[s] = _wing(middle - 1, hi, 1, forward[s], strike, source, x, reach) if middle > lo else np.nan


@inner
def _wing(
    first: int, end: int, step: int, forward: float, strike: F64, source: I8, x: F64, reach: float
) -> float:
    """x at the first crossing of d1 = -step reach, going from node `first` to before `end`; NaN where there is none."""
    last_d, last_x = np.nan, np.nan
    for i in range(first, end, step):
        if not _quoted(source[i]):
            continue
        d = np.log(forward / strike[i]) / x[i] + 0.5 * x[i]
        if -step * d >= reach:
            return last_x + (x[i] - last_x) * (-step * reach - last_d) / (d - last_d)  # type: ignore[no-any-return]
        last_d, last_x = d, x[i]
    return np.nan
