"""The compiled way from rows that changed to the sums: each pass as of a whole chain, over the nodes that have to follow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.gex.bell_kernels import add_points, new_terms, points_of, spread_points
from app.gex.jit import inline, inner, kernel
from app.gex.node_kernels import marked, pair_up, usable
from app.gex.series_kernels import fill_run, fill_series, follow_forwards
from app.gex.special import INVERSE_SQRT_2_PI, fast_exp
from app.gex.sum_kernels import most_gamma, walls
from app.gex.surface_kernels import price_nodes

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Above this share of a series' nodes it is added up anew: replacing takes two bells a node, the old one and the new one.
_MANY = 0.5


class Listed(NamedTuple):
    """What stays: shapes as of `Layout` and `Surface`, but for the columns of quotes, shape (r,), which are the engine's.

    `row_place` says which leg of which node a row is: twice the node, and one more for a put; -1 for none.
    """

    row_place: I64
    starts: I64
    node_series: I64
    node_strike: I64
    strike: F64
    log_strike: F64
    american: Bools
    call_row: I64
    put_row: I64
    years: F64
    alive: Bools
    adjusted: Bools
    discount: F64
    bids: F64
    asks: F64
    iv: F32


class Prices(NamedTuple):
    """What quotes tell: usable prices, forwards, shape (s,), and total volatilities, shape (m,).

    Attributes:
        quotes: bid, ask, mid and offered, as of `Leg`, of calls and of puts, shape (2, 4, m).
        gap, spread: C - P and the sum of both spreads.
        parity, carry: the forward that parity gives, and F/S of the one in use.
        priced, priced_source: x as a node's own quotes tell it; vendor, limit: what may stand in (`price_nodes`).
        x, source: with what is filled in.
    """

    quotes: F64
    gap: F64
    spread: F64
    parity: F64
    forward: F64
    forward_source: I8
    carry: F64
    priced: F64
    priced_source: I8
    vendor: F64
    limit: F64
    x: F64
    source: I8


class Sums(NamedTuple):
    """Exposures and what they add up to.

    Attributes:
        call_shares, put_shares: s w M; call, put: exposures, $; slope, offset, height: bells; shape (m,).
        by_call, by_put: exposures by strike, shape (k,).
        series_points, points: of each series' bells and of all, as of `add_points`, shape (s, 5, n) and (5, n).
        levels: the sum of all bells on the grid, shape (levels,).
    """

    call_shares: F64
    put_shares: F64
    call: F64
    put: F64
    slope: F64
    offset: F64
    height: F64
    by_call: F64
    by_put: F64
    series_points: F64
    points: F64
    levels: F64


@kernel
def take_quotes(rows: I64, row_place: I64, bids: F64, asks: F64, every: bool, quotes: F64) -> I64:
    """Read the quotes of these rows of the chain anew, shape (n,); returns the nodes where they differ, ascending.

    Args: as of `Listed` and `Prices`; with `every` all nodes that rows belong to are returned.
    """
    among = np.zeros(quotes.shape[2], np.bool_)
    for j in range(rows.size):
        row, place = rows[j], row_place[rows[j]]
        if place >= 0:
            bid, ask, mid, offered = usable(bids[row], asks[row])
            i, leg = place >> 1, place & 1  # no branch between the legs: nobody can guess which it will be
            same = (
                _same(bid, quotes[leg, 0, i])
                & _same(ask, quotes[leg, 1, i])
                & _same(offered, quotes[leg, 3, i])
            )
            among[i] |= every | (not same)
            quotes[leg, 0, i], quotes[leg, 1, i], quotes[leg, 2, i], quotes[leg, 3, i] = (
                bid,
                ask,
                mid,
                offered,
            )
    return marked(among)


@inline
def _same(a: float, b: float) -> bool:
    """Whether they are equal, or both unknown."""
    return (a == b) | ((a != a) & (b != b))


@kernel
def follow(
    nodes: I64, spot: float, rate: float, unit: float, log_low: float, step: float, listed: Listed, p: Prices, sums: Sums
) -> float:  # fmt: skip
    """Everything that follows from new quotes of these nodes, shape (n,), ascending; how much gross exposure grows.

    Args: spot to step as of `revalue`, `rate` as of `other_forwards`.
    """
    c = listed
    call, put = p.quotes[0], p.quotes[1]
    pair_up(nodes, call[0], call[1], call[2], put[0], put[1], put[2], p.gap, p.spread)
    moved = follow_forwards(
        nodes, c.node_series, c.starts, c.strike, p.gap, p.spread, c.years, c.alive, c.adjusted, c.discount, spot, rate,
        p.parity, p.forward, p.forward_source, p.carry,
    )  # fmt: skip
    stale = np.empty(c.strike.size, np.bool_)
    changed = with_series(nodes, moved, c.starts, stale)
    price_nodes(
        changed, c.node_series, c.strike, p.forward, c.discount, c.years, c.american, call[2], put[2], call[0], put[0],
        call[3], put[3], c.call_row, c.put_row, c.iv, True, p.priced, p.priced_source, p.vendor, p.limit,
    )  # fmt: skip
    if refill(
        changed, c.starts, c.log_strike, p.vendor, p.limit, p.priced, p.priced_source, p.x, p.source, stale
    ):
        changed = marked(stale)
    return revalue(changed, spot, unit, log_low, step, c, p, sums)


@kernel
def with_series(nodes: I64, moved: Bools, starts: I64, stale: Bools) -> I64:
    """These nodes and all of the series that have moved, shape (s,), ascending; marks them in `stale`, shape (m,)."""
    for s in range(moved.size):
        stale[starts[s] : starts[s + 1]] = moved[s]
    for j in range(nodes.size):
        stale[nodes[j]] = True
    return marked(stale)


@kernel
def refill(
    nodes: I64,
    starts: I64,
    log_strike: F64,
    vendor: F64,
    limit: F64,
    priced: F64,
    priced_source: I8,
    x: F64,
    source: I8,
    stale: Bools,
) -> bool:
    """Give these nodes, shape (n,), ascending, the x that quotes tell, and fill anew what no quote tells beside them.

    Marks in `stale`, shape (m,), other nodes whose x changes because of that, and returns whether there are any. Other
    arguments are of all nodes, shape (m,); x and source are changed in place.
    """
    more, first = False, 0
    for s in range(starts.size - 1):
        start, end = starts[s], starts[s + 1]
        last = first
        while last < nodes.size and nodes[last] < end:
            last += 1
        if last - first == end - start:
            x[start:end], source[start:end] = priced[start:end], priced_source[start:end]
            fill_series(start, end, log_strike, vendor, limit, x, source)
        else:
            some = nodes[first:last]
            more |= _refill_some(
                some, start, end, log_strike, vendor, limit, priced, priced_source, x, source, stale
            )
        first = last
    return more


@inner
def _refill_some(
    nodes: I64, start: int, end: int, log_strike: F64, vendor: F64, limit: F64, priced: F64, priced_source: I8, x: F64,
    source: I8, stale: Bools,
) -> bool:  # fmt: skip
    """The same of some nodes of one series, which goes from node `start` to before `end`."""
    for j in range(nodes.size):
        x[nodes[j]], source[nodes[j]] = priced[nodes[j]], priced_source[nodes[j]]
    more, done = False, start  # every run before node `done` is filled
    for j in range(nodes.size):
        i = nodes[j]
        lo, hi = i, i + 1
        while lo > done and priced_source[lo - 1] == 0:
            lo -= 1
        while hi < end and priced_source[hi] == 0:
            hi += 1
        if priced_source[i] == 0 and i >= done:
            more |= _refill_run(lo, hi, start, end, log_strike, vendor, limit, x, source, stale)
        elif priced_source[i] != 0 and lo < i:
            more |= _refill_run(lo, i, start, end, log_strike, vendor, limit, x, source, stale)
        if priced_source[i] != 0 and hi > i + 1:
            more |= _refill_run(i + 1, hi, start, end, log_strike, vendor, limit, x, source, stale)
        done = max(done, hi)
    return more


@inner
def _refill_run(
    lo: int,
    hi: int,
    start: int,
    end: int,
    log_strike: F64,
    vendor: F64,
    limit: F64,
    x: F64,
    source: I8,
    stale: Bools,
) -> bool:
    """Fill nodes lo to hi of a series, start to end, of which no quote tells; whether any not marked before has changed."""
    before, more = x[lo:hi].copy(), False
    fill_run(lo, hi, start, end, log_strike, vendor, limit, x, source)
    for i in range(lo, hi):
        same = _same(x[i], before[i - lo])
        more |= not (same or stale[i])
        stale[i] |= not same
    return more


@kernel
def revalue(
    nodes: I64, spot: float, unit: float, log_low: float, step: float, listed: Listed, p: Prices, sums: Sums
) -> float:  # fmt: skip
    """Give these nodes, shape (n,), ascending, the exposures and bells of their present x, carry and shares, and all sums
    the difference; returns how much the sum of absolute exposures grows.

    Args:
        unit: 0.01 S per 1 % move, 1 per point.
        log_low, step: the grid of log prices.
    """
    grown, first, scratch = 0.0, 0, np.empty((5, 2 * nodes.size))
    for s in range(listed.years.size):
        start, end = listed.starts[s], listed.starts[s + 1]
        last = first
        while last < nodes.size and nodes[last] < end:
            last += 1
        market = np.log(spot), np.log(p.carry[s]), listed.discount[s] * p.carry[s], unit
        if last - first > _MANY * (end - start):
            sums.series_points[s] = 0.0
            grown += _revalue_all(start, end, market, log_low, step, listed, p.x, sums, sums.series_points[s])
        elif last > first:
            some = nodes[first:last]
            grown += _revalue_some(
                some, market, log_low, step, listed, p.x, sums, scratch, sums.series_points[s]
            )
        first = last
    _add_series(sums.series_points, sums.points)
    spread_points(sums.points, sums.levels)
    return grown


@inner
def _add_series(parts: F64, total: F64) -> None:
    """The sum of all series, shape (s, 5, n), into the last, shape (5, n)."""
    total[:] = 0.0
    for s in range(parts.shape[0]):
        for k in range(total.shape[0]):
            row, part = total[k], parts[s, k]
            for j in range(points_of(k, row.size)):
                row[j] += part[j]


Market = tuple[float, float, float, float]


@inner
def _revalue_all(
    start: int, end: int, market: Market, log_low: float, step: float, listed: Listed, x: F64, sums: Sums, points: F64
) -> float:  # fmt: skip
    """The same of a whole series' nodes, whose points are none yet."""
    log_spot, log_carry, discounted, unit = market
    each, top = np.empty((2, end - start))
    slope, offset, height = sums.slope[start:end], sums.offset[start:end], sums.height[start:end]
    call_shares, put_shares = sums.call_shares[start:end], sums.put_shares[start:end]
    slope[:] = x[start:end]
    offset[:] = log_carry - listed.log_strike[start:end]
    top[:] = discounted
    new_terms(log_spot, unit, slope, offset, top, each)
    for i in range(each.size):
        height[i] = 0.01 * (call_shares[i] + put_shares[i]) * top[i]
    add_points(log_low, step, slope, offset, height, points)
    strike = listed.node_strike[start:end]
    grown = _replace(call_shares, each, strike, sums.call[start:end], sums.by_call)
    return grown + _replace(put_shares, each, strike, sums.put[start:end], sums.by_put)


@inner
def _replace(shares: F64, each: F64, strike: I64, exposure: F64, by_strike: F64) -> float:
    """New exposures of some nodes' legs, in place, shape (n,), and by strike; how much larger they are together."""
    grown = 0.0
    for i in range(each.size):
        now = shares[i] * each[i]
        grown += abs(now) - abs(exposure[i])
        by_strike[strike[i]] += now - exposure[i]
        exposure[i] = now
    return grown


@inner
def _revalue_some(
    nodes: I64, market: Market, log_low: float, step: float, listed: Listed, x: F64, sums: Sums, scratch: F64,
    points: F64,
) -> float:  # fmt: skip
    """The same of some nodes of a series, at most as many as half of `scratch` is wide: their old bells are taken out."""
    log_spot, log_carry, discounted, unit = market
    n, grown = nodes.size, 0.0
    slope, offset, height = scratch[0, : 2 * n], scratch[1, : 2 * n], scratch[2, : 2 * n]
    each, top = scratch[3, :n], scratch[4, :n]
    for j in range(n):
        i = nodes[j]
        slope[j], offset[j], top[j] = x[i], log_carry - listed.log_strike[i], discounted
        slope[n + j], offset[n + j], height[n + j] = sums.slope[i], sums.offset[i], -sums.height[i]
    new_terms(log_spot, unit, slope[:n], offset[:n], top, each)
    for j in range(n):
        i, k = nodes[j], listed.node_strike[nodes[j]]
        of_call, of_put = sums.call_shares[i] * each[j], sums.put_shares[i] * each[j]
        grown += abs(of_call) - abs(sums.call[i]) + abs(of_put) - abs(sums.put[i])
        sums.by_call[k] += of_call - sums.call[i]
        sums.by_put[k] += of_put - sums.put[i]
        sums.call[i], sums.put[i] = of_call, of_put
        height[j] = 0.01 * (sums.call_shares[i] + sums.put_shares[i]) * top[j]
        sums.slope[i], sums.offset[i], sums.height[i] = slope[j], offset[j], height[j]
    add_points(log_low, step, slope, offset, height, points)
    return grown


@kernel
def re_expose(spot: float, unit: float, listed: Listed, carry: F64, sums: Sums) -> float:
    """Exposures of all nodes and by strike anew at another spot, the bells as they are; returns the gross exposure."""
    each, gross = np.empty(sums.slope.size), 0.0
    for s in range(carry.size):
        nodes = slice(listed.starts[s], listed.starts[s + 1])
        scale = unit * listed.discount[s] * carry[s] * INVERSE_SQRT_2_PI
        _share_exposures(np.log(spot), scale, sums.slope[nodes], sums.offset[nodes], each[nodes])
    sums.by_call[:] = 0.0
    sums.by_put[:] = 0.0
    for i in range(each.size):
        k = listed.node_strike[i]
        sums.call[i], sums.put[i] = sums.call_shares[i] * each[i], sums.put_shares[i] * each[i]
        sums.by_call[k] += sums.call[i]
        sums.by_put[k] += sums.put[i]
        gross += abs(sums.call[i]) + abs(sums.put[i])
    return gross


@inner
def _share_exposures(log_spot: float, scale: float, slope: F64, offset: F64, out: F64) -> None:
    """A share's exposure by a series' bells, shape (n,); nothing where there is none (slope 0)."""
    for i in range(out.size):
        d = slope[i] * log_spot + offset[i]
        out[i] = scale * slope[i] * fast_exp(-0.5 * d * d) if slope[i] > 0.0 else 0.0


@kernel
def summits(call: F64, put: F64, net: bool) -> tuple[float, float, int, int, int]:
    """Of exposures by strike, shape (k,) each: both sums, and where the walls and the most gamma are (-1: nowhere)."""
    upper, lower = walls(call, put, net)
    return call.sum(), put.sum(), upper, lower, most_gamma(call, put)
