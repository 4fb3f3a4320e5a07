"""The compiled pass that adds exposures up: by strike, series, cell and bucket, with what they rest on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inline, inner, kernel
from app.gex.node_kernels import (
    add_series,
    count_reasons,
    count_sources,
    covered,
    mark,
)
from app.gex.series_kernels import at_the_money, wings

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DAYS, _HOURS = 365.0, 365.0 * 24.0


# What a strike or a cell has seen: a side's contracts in the sums with weight, contracts held but not in them, any in them.
_CALL_HELD, _CALL_LOST, _PUT_HELD, _PUT_LOST, _ANY = 1, 2, 4, 8, 16


@inline
def _unknown(seen: int) -> bool:
    """Whether contracts of a side are held and none of them is in the sums."""
    return (seen & 3) == _CALL_LOST or (seen & 12) == _PUT_LOST


@kernel
def add_nodes(
    starts: I64,
    ending: Bools,
    live: Bools,
    strike: I64,
    cell: I64,
    multiplier: F64,
    values: F64,
    weight: tuple[F64, F64],
    gex: tuple[F64, F64],
    used: tuple[Bools, Bools],
    lost: tuple[Bools, Bools],
    open_interest: tuple[F64, F64],
    volume: tuple[F64, F64],
    strikes: F64,
    greeks: F64,
    cells: F64,
) -> None:
    """Nodes by strike and by cell into the last three.

    Args:
        starts: of the layout; ending, live: of each series, shape (s,): expires today; chosen and not settled.
        strike, cell, multiplier: of the layout; values: delta, vanna and charm, shape (3, m); others of calls and of puts.
        strikes: shape (2, 4, k), by leg: exposure, open interest, volume, and shares that are held.
        greeks: shape (4, k): delta, vanna, charm of what doesn't and of what does end today.
        cells: net exposure, shape (cells,).

    An exposure is NaN where contracts of its side (a net one, a greek: of a side) are held and none of them is in the sums,
    in a cell also where nothing is; a count is NaN where none is known.
    """
    n = strikes.shape[2]
    sums, seen, counted = np.zeros((n, 12)), np.zeros((n, 2), np.uint8), np.zeros(n, np.uint8)
    cell_seen = np.zeros(cells.size, np.uint8)
    cells[:] = 0.0
    for s in range(ending.size):
        if not live[s]:
            continue
        today = 1 if ending[s] else 0
        for i in range(starts[s], starts[s + 1]):
            k, net, bits, known = strike[i], 0.0, 0, 0
            row = sums[k]
            for leg in range(2):
                row[4 * leg] += gex[leg][i]
                net += gex[leg][i]
                bits |= _ANY if used[leg][i] else 0
                bits |= (1 if weight[leg][i] != 0.0 else 0) << 2 * leg
                bits |= (2 if lost[leg][i] else 0) << 2 * leg
                held, traded = open_interest[leg][i], volume[leg][i]
                is_held, is_traded = held == held, traded == traded
                row[4 * leg + 1] += held if is_held else 0.0
                row[4 * leg + 2] += traded if is_traded else 0.0
                row[4 * leg + 3] += held * multiplier[i] if is_held else 0.0
                known |= (1 if is_held else 0) << 2 * leg
                known |= (2 if is_traded else 0) << 2 * leg
            row[8] += values[0, i]
            row[9] += values[1, i]
            row[10 + today] += values[2, i]
            seen[k, today] |= np.uint8(bits)
            counted[k] |= np.uint8(known)
            cells[cell[i]] += net
            cell_seen[cell[i]] |= np.uint8(bits)
    _tell_strikes(sums, seen, counted, strikes, greeks)
    for c in range(cells.size):
        if cell_seen[c] < _ANY or _unknown(cell_seen[c]):
            cells[c] = np.nan


@inner
def _tell_strikes(
    sums: F64, seen: NDArray[np.uint8], counted: NDArray[np.uint8], strikes: F64, greeks: F64
) -> None:
    """What `add_nodes` has added up and seen at each strike, shape (k, ...), into its results by strike."""
    for k in range(sums.shape[0]):
        row, both = sums[k], seen[k, 0] | seen[k, 1]
        for leg in range(2):
            side, known = both >> 2 * leg & 3, counted[k] >> 2 * leg
            strikes[leg, 0, k] = np.nan if side == 2 else row[4 * leg]
            strikes[leg, 1, k] = row[4 * leg + 1] if known & 1 else np.nan
            strikes[leg, 2, k] = row[4 * leg + 2] if known & 2 else np.nan
            strikes[leg, 3, k] = row[4 * leg + 3]
        greeks[0, k], greeks[1, k] = row[8], row[9]
        if _unknown(both):
            greeks[0, k], greeks[1, k] = np.nan, np.nan
        greeks[2, k] = np.nan if _unknown(seen[k, 0]) else row[10]
        greeks[3, k] = np.nan if _unknown(seen[k, 1]) else row[11]


@kernel
def add_up(
    starts: I64,
    series: I64,
    node_strike: I64,
    node_date: I64,
    rows: tuple[I64, I64],
    chosen: Bools,
    alive: Bools,
    forward: F64,
    spot: float,
    x: F64,
    source: I8,
    open_interest: tuple[F64, F64],
    volume: tuple[F64, F64],
    gex: tuple[F64, F64],
    used: tuple[Bools, Bools],
    by_open_interest: bool,
    by_volume: bool,
    strike_shown: Bools,
    date_shown: Bools,
    sums: F64,
    reasons: I64,
    sources: I64,
    held: F64,
) -> None:
    """Sums by series under one convention, and counts of what they rest on, into the last six.

    Args:
        starts to rows: of the layout; rows: the calls' and the puts'.
        chosen, alive, forward: of each series, shape (s,); x, source: of each node, shape (m,).
        open_interest to used: the calls' and the puts', shape (m,) each; gex, used as of `node_kernels.expose_leg`.
        by_open_interest, by_volume: what the convention counts by.
        strike_shown, date_shown: whether any live chosen node is there, shape (k,) and (dates,).
        sums: by leg and series, shape (2, s, 6), as of `add_series`.
        reasons, sources: counts as of `count_reasons`, `count_sources`.
        held: known open interest, of live contracts and of those in the sums, shape (2,).
    """
    chosen_nodes, live, node_alive = np.empty((3, series.size), np.bool_)
    node_forward = np.empty(series.size)
    for s in range(chosen.size):
        part = slice(starts[s], starts[s + 1])
        chosen_nodes[part], node_alive[part], live[part] = chosen[s], alive[s], chosen[s] and alive[s]
        node_forward[part] = forward[s]
    mark(node_strike, live, strike_shown)
    mark(node_date, live, date_shown)
    sums[:], reasons[:], held[:] = 0.0, 0, 0.0
    count_sources(source, used[0], used[1], sources)
    for leg in range(2):
        add_series(starts, rows[leg], gex[leg], used[leg], open_interest[leg], sums[leg])
        count_reasons(
            rows[leg], chosen_nodes, used[leg], node_alive, spot > 0.0, node_forward, x, by_open_interest,
            open_interest[leg], by_volume, volume[leg], reasons,
        )  # fmt: skip
        whole, summed = covered(live, used[leg], open_interest[leg])
        held[0] += whole
        held[1] += summed


@kernel
def charm_by_time(alive: Bools, ending: Bools, strike_greeks: F64, series_greeks: F64) -> None:
    """From charm per year to per day and per hour, in place: rows 2 and 3 of both; NaN where nothing counts so."""
    today, later = False, False
    for s in range(alive.size):
        today |= alive[s] and ending[s]
        later |= alive[s] and not ending[s]
        charm = series_greeks[2, s]
        series_greeks[2, s] = np.nan if ending[s] else charm / _DAYS
        series_greeks[3, s] = charm / _HOURS if ending[s] else np.nan
    for k in range(strike_greeks.shape[1]):
        strike_greeks[2, k] = strike_greeks[2, k] / _DAYS if later else np.nan
        strike_greeks[3, k] = strike_greeks[3, k] / _HOURS if today else np.nan


@kernel
def describe_series(
    starts: I64,
    strike: F64,
    years: F64,
    forward: F64,
    spot: float,
    source: I8,
    x: F64,
    call_mid: F64,
    put_mid: F64,
    reach: float,
    sums: F64,
    greeks: F64,
    out: F64,
) -> None:
    """What is said of each series into `out`, shape (17, s), NaN where unknown.

    Forward, x at the money, volatilities per year at the money and at `reach` below and above, straddle, 1-sigma move, the
    four of `greeks`, and the six of `sums`, calls and puts together.
    """
    at_the_money(starts, strike, forward, source, x, call_mid, put_mid, out[1], out[5])
    wings(starts, strike, forward, source, x, reach, out[3], out[4])
    for s in range(forward.size):
        root = np.sqrt(years[s]) if years[s] > 0.0 else np.nan
        out[0, s] = forward[s]
        out[2, s], out[3, s], out[4, s] = out[1, s] / root, out[3, s] / root, out[4, s] / root
        out[6, s] = spot * (np.exp(out[1, s]) - 1.0)
        for j in range(4):
            out[7 + j, s] = greeks[j, s]
        for j in range(6):
            out[11 + j, s] = sums[0, s, j] + sums[1, s, j]
        for j in range(17):
            out[j, s] = out[j, s] if np.isfinite(out[j, s]) else np.nan


@kernel
def add_buckets(code: I64, shown: Bools, sums: F64, greeks: F64, out: F64) -> None:
    """Series added up by `code`, and all of them in the last row, into `out`, shape (codes + 1, 13).

    The first and the last series that is shown (-1: none), exposure of calls, of puts and gross, open interest and how many
    know theirs, contracts listed, contracts in the sums, and the four greeks (NaN where no series with contracts has one).
    """
    last = out.shape[0] - 1
    out[:] = 0.0
    out[:, :2], out[:, 9:] = -1.0, np.nan
    for s in range(code.size):
        if not shown[s]:
            continue
        for at in (code[s], last):
            row = out[at]
            row[0] = s if row[0] < 0.0 else row[0]
            row[1] = s
            row[2] += sums[0, s, 0]
            row[3] += sums[1, s, 0]
            for j in range(1, 6):
                row[3 + j] += sums[0, s, j] + sums[1, s, j]
            for j in range(4):
                some = sums[0, s, 5] + sums[1, s, 5] > 0.0 and np.isfinite(greeks[j, s])
                if some:
                    row[9 + j] = greeks[j, s] + (0.0 if np.isnan(row[9 + j]) else row[9 + j])


@kernel
def walls(call: F64, put: F64, net: bool) -> tuple[int, int]:
    """Where the call wall and the put wall are among strikes with these exposures, shape (k,) each; -1 where there is none.

    The largest size of each, or (net) the largest positive and the largest negative sum; unknown ones are passed over.
    """
    upper, lower, most, least = -1, -1, 0.0, 0.0
    for k in range(call.size):
        both = call[k] + put[k]
        up, down = both if net else abs(call[k]), -both if net else abs(put[k])
        upper, most = (k, up) if up > most else (upper, most)
        lower, least = (k, down) if down > least else (lower, least)
    return upper, lower


@kernel
def most_gamma(call: F64, put: F64) -> int:
    """Where the sizes of both, shape (k,) each, add up to most, unknown ones being nothing; -1 where there is none."""
    place, most = -1, 0.0
    for k in range(call.size):
        size = (0.0 if np.isnan(call[k]) else abs(call[k])) + (0.0 if np.isnan(put[k]) else abs(put[k]))
        place, most = (k, size) if size > most else (place, most)
    return place


@kernel
def least_worth(strike: F64, call: F64, put: F64) -> int:
    """At which strike, ascending, all options together are worth least at expiry; -1 where no shares are held, (k,) each."""
    n, worth = strike.size, np.zeros(strike.size)
    calls, puts, rising, falling = 0.0, 0.0, 0.0, 0.0
    # going up a strike, calls gain and puts lose what is held on their side of it
    for k in range(1, n):
        calls += call[k - 1]
        rising += calls * (strike[k] - strike[k - 1])
        worth[k] = rising
    place, least = -1, np.inf
    for k in range(n - 1, -1, -1):
        if k < n - 1:
            puts += put[k + 1]
            falling += puts * (strike[k + 1] - strike[k])
        both = worth[k] + falling
        place, least = (k, both) if both <= least else (place, least)
    held = calls + puts + (call[n - 1] + put[0] if n > 0 else 0.0)
    return place if held > 0.0 else -1
