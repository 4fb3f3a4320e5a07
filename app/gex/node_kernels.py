"""The compiled loops over nodes (a strike of a series): quotes, exposures, and what they add up to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inline, kernel
from app.gex.special import INVERSE_SQRT_2_PI, fast_log

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A quote whose spread is above its mid says too little; nickels and dimes may, they can't be quoted tighter.
_WIDEST_SPREAD = 1.0
_SMALL_SPREAD = 0.25
_LARGEST_PRICE = 1e8
_LARGEST_COUNT = 1e9


@inline
def usable(low: float, high: float) -> tuple[float, float, float, float]:
    """Bid, ask, mid and offer of a quote, NaN where it isn't usable: bid > 0, ask >= bid and a sane spread."""
    sane = (low >= 0.0) & (high >= 0.0) & (low <= _LARGEST_PRICE) & (high <= _LARGEST_PRICE)
    middle, spread = 0.5 * (low + high), high - low
    narrow = (spread >= 0.0) & ((spread <= _WIDEST_SPREAD * middle) | (spread <= _SMALL_SPREAD))
    good, bare = sane & (low > 0.0) & narrow, sane & (low == 0.0) & (high > 0.0)
    return (
        low if good else np.nan,
        high if good else np.nan,
        middle if good else np.nan,
        high if bare else np.nan,
    )


@kernel
def marked(marks: Bools) -> I64:
    """Where the marks are, ascending."""
    out, n = np.empty(marks.size, np.int64), 0
    for i in range(marks.size):
        out[n] = i  # written over by the next one unless it counts: quicker than asking
        n += marks[i]
    return out[:n]


@kernel
def read_quotes(
    nodes: I64, rows: I64, bids: F64, asks: F64, bid: F64, ask: F64, mid: F64, offered: F64
) -> None:
    """Usable quotes of these nodes, shape (n,), into the last four, shape (m,), NaN where there is none.

    Usable is bid > 0, ask >= bid and a sane spread; `offered` is the ask where nobody bids. `rows` are a leg's rows of the
    chain, -1 where no contract is listed, shape (m,); bids and asks the chain's columns, shape (r,).
    """
    for j in range(nodes.size):
        i = nodes[j]
        listed, row = rows[i] >= 0, max(rows[i], 0)
        low, high = bids[row] if listed else np.nan, asks[row] if listed else np.nan
        bid[i], ask[i], mid[i], offered[i] = usable(low, high)


@kernel
def pair_up(
    nodes: I64,
    call_bid: F64,
    call_ask: F64,
    call_mid: F64,
    put_bid: F64,
    put_ask: F64,
    put_mid: F64,
    gap: F64,
    spread: F64,
) -> None:
    """C - P and the sum of both spreads of these nodes, $, shape (n,), into the last two; NaN where a leg isn't usable."""
    for j in range(nodes.size):
        i = nodes[j]
        gap[i] = call_mid[i] - put_mid[i]
        spread[i] = (call_ask[i] - call_bid[i]) + (put_ask[i] - put_bid[i])


@kernel
def read_counts(rows: I64, counts: F32, signed: bool, out: F64) -> None:
    """Contracts held or traded in these rows of the chain's column into `out`, shape (n,).

    NaN where unknown, absurd, (unless signed) negative or where the row is -1.
    """
    for i in range(rows.size):
        found = np.float64(counts[rows[i]]) if rows[i] >= 0 else np.nan
        whole = abs(found) <= _LARGEST_COUNT and (signed or found >= 0.0)
        out[i] = found if whole else np.nan


@kernel
def time_values(
    nodes: I64,
    series: I64,
    strikes: F64,
    forwards: F64,
    discounts: F64,
    american: Bools,
    call_mid: F64,
    put_mid: F64,
    call_bid: F64,
    put_bid: F64,
    call_offered: F64,
    put_offered: F64,
    guesses: F64,
    columns: F64,
    source: I8,
) -> None:
    """Undiscounted time value, F, K and the guess of some nodes, shape (n,), into `columns`, shape (4, n), and the leg.

    The leg is 1 out of the money, 2 the other one, 0 neither (NaN). An in-the-money price tells its time value only when
    even its bid is above intrinsic value and it doesn't contradict what the other leg is offered at. An American one never
    does: what it holds besides is the right to exercise early.

    Args:
        series to guesses: of all nodes, shape (m,), but forwards and discounts: of series, shape (s,).
    """
    for j in range(nodes.size):
        i = nodes[j]
        forward = forwards[series[i]]
        columns[0, j], source[j] = _time_value(
            strikes[i], forward, discounts[series[i]], american[i], call_mid[i], put_mid[i], call_bid[i],
            put_bid[i], call_offered[i], put_offered[i],
        )  # fmt: skip
        columns[1, j], columns[2, j], columns[3, j] = forward, strikes[i], guesses[i]


@inline
def _time_value(
    strike: float,
    forward: float,
    discount: float,
    american: bool,
    call_mid: float,
    put_mid: float,
    call_bid: float,
    put_bid: float,
    call_offered: float,
    put_offered: float,
) -> tuple[float, int]:
    call_out = strike >= forward
    apart = abs(forward - strike)
    otm = (call_mid if call_out else put_mid) / discount
    if otm > 0.0 and not np.isnan(forward):
        return otm, 1
    itm = (put_mid if call_out else call_mid) / discount - apart
    least = (put_bid if call_out else call_bid) / discount - apart
    most = (call_offered if call_out else put_offered) / discount
    if not american and least > 0.0 and not itm > most:
        return itm, 2
    return np.nan, 0


@inline
def other_value(
    strike: float, forward: float, discount: float, source: int, call: float, put: float
) -> float:
    """The same from other prices of the legs, of the leg that `source` names; NaN where it names none."""
    call_out = strike >= forward
    if source == 1:
        return (call if call_out else put) / discount
    if source == 2:
        return (put if call_out else call) / discount - abs(forward - strike)
    return np.nan


@kernel
def expose_leg(
    rows: I64,
    chosen: Bools,
    live: Bools,
    density: F64,
    multiplier: F64,
    counts: F64,
    factor: float,
    unit: float,
    weight: F64,
    gex: F64,
    used: Bools,
    lost: Bools,
) -> None:
    """Signed shares and exposure of the calls or puts, shape (m,) each, into the last four.

    Args:
        counts: contracts by the convention's weight, NaN where unknown; factor: the dealers' sign.
        density: gamma S² in $ a share, NaN where unknown; unit: what turns it into the convention's unit.
        used: gets whether the contract is in the sums; lost: whether it is held, or may be, and isn't.
    """
    for i in range(rows.size):
        shares = factor * counts[i] * multiplier[i]
        each = density[i] * unit
        use = chosen[i] and np.isfinite(shares) and np.isfinite(each)
        weight[i] = shares if use else 0.0
        used[i] = use
        gex[i] = shares * each if use else 0.0
        lost[i] = live[i] and rows[i] >= 0 and not use and shares != 0.0


@kernel
def mark(group: I64, among: Bools, out: Bools) -> None:
    """True in `out` for each group that has a member in `among`."""
    out[:] = False
    for i in range(group.size):
        if among[i]:
            out[group[i]] = True


@kernel
def add_series(starts: I64, rows: I64, gex: F64, used: Bools, open_interest: F64, out: F64) -> None:
    """Add one leg's nodes to their series' row of `out`, shape (s, 6): net, gross, open interest, and how many contracts
    have a known one, are listed, are in the sums. Series s has the nodes from starts[s] to starts[s + 1]."""
    for s in range(out.shape[0]):
        part = slice(starts[s], starts[s + 1])
        net, gross, held, known, listed, summed = 0.0, 0.0, 0.0, 0, 0, 0
        exposure, counts, row, use = gex[part], open_interest[part], rows[part], used[part]
        for i in range(exposure.size):
            counted = not np.isnan(counts[i])
            net += exposure[i]
            gross += abs(exposure[i])
            held += counts[i] if counted else 0.0
            known += 1 if counted else 0
            listed += 1 if row[i] >= 0 else 0
            summed += 1 if use[i] else 0
        out[s, 0] += net
        out[s, 1] += gross
        out[s, 2] += held
        out[s, 3] += known
        out[s, 4] += listed
        out[s, 5] += summed


@kernel
def count_reasons(
    rows: I64,
    chosen: Bools,
    used: Bools,
    live: Bools,
    spot_known: bool,
    forward: F64,
    total_vol: F64,
    by_open_interest: bool,
    open_interest: F64,
    by_volume: bool,
    volume: F64,
    out: I64,
) -> None:
    """Count a leg's chosen contracts that aren't in the sums under the first reason that holds, into `out`, shape (7,).

    Reasons: settled, no spot, no forward, no price, open interest, volume or flow unknown.
    """
    for i in range(rows.size):
        if not chosen[i] or used[i] or rows[i] < 0:
            continue
        if not live[i]:
            out[0] += 1
        elif not spot_known:
            out[1] += 1
        elif np.isnan(forward[i]):
            out[2] += 1
        elif np.isnan(total_vol[i]):
            out[3] += 1
        elif by_open_interest and np.isnan(open_interest[i]):
            out[4] += 1
        elif by_volume and np.isnan(volume[i]):
            out[5] += 1
        else:
            out[6] += 1


@kernel
def count_sources(source: I8, call_used: Bools, put_used: Bools, out: I64) -> None:
    """Contracts in the sums by where their volatility comes from, into `out`, shape (sources,)."""
    out[:] = 0
    for i in range(source.size):
        out[source[i]] += np.int64(call_used[i]) + np.int64(put_used[i])


@kernel
def covered(live: Bools, used: Bools, open_interest: F64) -> tuple[float, float]:
    """A leg's known open interest: that of live contracts, and that of contracts in the sums."""
    whole, part = 0.0, 0.0
    for i in range(live.size):
        held = 0.0 if np.isnan(open_interest[i]) else open_interest[i]
        whole += held if live[i] else 0.0
        part += held if used[i] else 0.0
    return whole, part


@kernel
def mean_trusts(
    call_gex: F64,
    put_gex: F64,
    vol_trust: F64,
    vol_source: I8,
    forward_trust: F64,
    forward_source: I8,
    series: I64,
    low: F64,
    high: F64,
    total_vol: F64,
    call_row: I64,
    put_row: I64,
    quote_ms: I64,
    now_ms: int,
    half_age_ms: float,
    out: F64,
) -> None:
    """Means weighted by absolute exposure of four trusts into `out`: volatility source, forward source, spread, age.

    The spread's is 1 / (1 + half the distance of x at bid and at ask over x), the age's 1 / (1 + age / half_age_ms) of
    the leg that was quoted last; an unknown spread counts 0, an unknown age (0) half. NaN where there is no exposure.
    """
    total, by_vol, by_forward, by_spread, by_age = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(series.size):
        g = abs(call_gex[i]) + abs(put_gex[i])
        if not g > 0.0:
            continue
        spread = 1.0 / (1.0 + 0.5 * (high[i] - low[i]) / total_vol[i])
        newest = max(
            quote_ms[call_row[i]] if call_row[i] >= 0 else 0, quote_ms[put_row[i]] if put_row[i] >= 0 else 0
        )
        age = np.float64(max(now_ms - newest, 0)) if newest > 0 else half_age_ms
        total += g
        by_vol += g * vol_trust[vol_source[i]]
        by_forward += g * forward_trust[forward_source[series[i]]]
        by_spread += g * spread if np.isfinite(spread) else 0.0
        by_age += g / (1.0 + age / half_age_ms)
    out[0], out[1], out[2], out[3] = by_vol / total, by_forward / total, by_spread / total, by_age / total


@kernel
def collapse(
    call_weight: F64,
    put_weight: F64,
    series: I64,
    forward: F64,
    discount: F64,
    strike: F64,
    spot: float,
    nodes: I64,
    lift: F64,
    mass: F64,
) -> int:
    """The nodes with weight, call and put together, and what is left of their bells but x; how many there are.

    ln(F / (S K)) into `lift` and 0.01 w D F / (S sqrt(2 pi)) into `mass`, shape (m,) each, of which the first so many count.
    """
    n = 0
    for i in range(series.size):
        weight, s = call_weight[i] + put_weight[i], series[i]
        if weight != 0.0:
            nodes[n], lift[n], mass[n] = i, forward[s] / (spot * strike[i]), weight * discount[s] * forward[s]
            n += 1
    scale = 0.01 * INVERSE_SQRT_2_PI / spot
    for j in range(n):
        lift[j] = fast_log(lift[j])
        mass[j] *= scale
    return n
