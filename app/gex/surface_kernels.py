"""The compiled ways from quotes to volatilities: at the mid, at bid and ask, and what may stand in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex.jit import inline, kernel
from app.gex.node_kernels import other_value, time_values
from app.gex.vol_kernels import MAX_TOTAL_VOL, invert_prices, settle_slowly, step_to_quotes

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A vendor's volatility outside of these, per year, is no volatility.
LOWEST_VENDOR_VOL, HIGHEST_VENDOR_VOL = 0.005, 10.0
# Nodes a pass: what is worked out of their series stays near the processor.
_PASS = 512


@kernel
def price_nodes(
    nodes: I64,
    series: I64,
    strike: F64,
    forward: F64,
    discount: F64,
    years: F64,
    american: Bools,
    call_mid: F64,
    put_mid: F64,
    call_bid: F64,
    put_bid: F64,
    call_offered: F64,
    put_offered: F64,
    call_row: I64,
    put_row: I64,
    iv: F32,
    warm: bool,
    x: F64,
    source: I8,
    vendor: F64,
    limit: F64,
) -> None:
    """x of these nodes, shape (n,), as their quotes tell it (source 1 out of the money, 2 the other leg), else NaN (0).

    For the latter also what may stand in: the vendor's x, and the most that offers without a bid allow; NaN where unknown.

    Args:
        series to put_row: of all nodes, shape (m,), but forward, discount and years: of series, shape (s,).
        iv: the vendor's volatilities, a fraction per year, by row of the chain.
        warm: whether x holds values that are near.
        x to limit: shape (m,), changed at these nodes.
    """
    n = nodes.size
    columns, found, leg, bare = np.empty((4, n)), np.empty(n), np.empty(n, np.int8), np.empty(n, np.int64)
    time_values(
        nodes, series, strike, forward, discount, american, call_mid, put_mid, call_bid, put_bid, call_offered,
        put_offered, x, columns, leg,
    )  # fmt: skip
    for offers in range(2):
        guess = columns[3, :n] if warm and offers == 0 else columns[3, :0]
        if invert_prices(columns[0, :n], columns[1, :n], columns[2, :n], guess, found[:n]):
            settle_slowly(columns[0, :n], columns[1, :n], columns[2, :n], found[:n])
        if offers == 1:
            break
        left = 0
        for j in range(n):
            i, good = nodes[j], found[j] > 0.0
            x[i], source[i] = found[j] if good else np.nan, leg[j] if good else 0
            if not good:
                f, s, call_out = columns[1, j], series[i], strike[i] >= columns[1, j]
                vol = vendor_vol(call_row[i], put_row[i], iv, call_out) * np.sqrt(max(years[s], 0.0))
                vendor[i] = vol if vol > 0.0 and vol < MAX_TOTAL_VOL and f > 0.0 else np.nan
                bare[left], columns[1, left], columns[2, left] = i, f, strike[i]
                columns[0, left] = (call_offered[i] if call_out else put_offered[i]) / discount[s]
                left += 1
        n = left
    for j in range(n):
        limit[bare[j]] = found[j]


@inline
def vendor_vol(call_row: int, put_row: int, iv: F32, call_out: bool) -> float:
    """The vendor's volatility per year of the out-of-the-money leg, else of the other; NaN where none is sane."""
    first, second = (call_row, put_row) if call_out else (put_row, call_row)
    vol = np.float64(iv[first]) if first >= 0 else np.nan
    if not (vol >= LOWEST_VENDOR_VOL and vol <= HIGHEST_VENDOR_VOL):
        vol = np.float64(iv[second]) if second >= 0 else np.nan
    return vol if vol >= LOWEST_VENDOR_VOL and vol <= HIGHEST_VENDOR_VOL else np.nan


@kernel
def vendor_vols(call_row: I64, put_row: I64, iv: F32, strike: F64, forward: float, out: F64) -> None:
    """The same of one series' nodes into `out`, shape (n,)."""
    for i in range(out.size):
        out[i] = vendor_vol(call_row[i], put_row[i], iv, strike[i] >= forward)


@kernel
def band(
    series: I64,
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
    """x with all quotes at bid and at ask into the last two, shape (m,), by one step from the mid; `finish_band` ends it.

    Args: as for `price_nodes`.
    """
    f, d = np.empty(_PASS), np.empty(_PASS)
    for begin in range(0, x.size, _PASS):
        part = slice(begin, min(begin + _PASS, x.size))
        n = part.stop - begin
        for i in range(n):
            f[i], d[i] = forward[series[begin + i]], discount[series[begin + i]]
        step_to_quotes(
            strike[part], f[:n], d[:n], source[part], call_bid[part], put_bid[part], call_ask[part], put_ask[part],
            x[part], low[part], high[part],
        )  # fmt: skip


@kernel
def finish_band(
    series: I64,
    strike: F64,
    forward: F64,
    discount: F64,
    source: I8,
    call: F64,
    put: F64,
    x: F64,
    up: bool,
    out: F64,
) -> None:
    """Invert in full, in place, where one step from the mid to these prices of the legs wasn't enough (out < 0).

    Where there is none it is x itself, which `up` (at ask) or not (at bid) it never falls below or exceeds.
    """
    far = 0
    for i in range(x.size):
        far += 1 if out[i] < 0.0 else 0
    nodes, columns, found = np.empty(far, np.int64), np.empty((4, far)), np.empty(far)
    j = 0
    for i in range(x.size):
        if out[i] < 0.0:
            s = series[i]
            nodes[j], columns[1, j], columns[2, j], columns[3, j] = i, forward[s], strike[i], -out[i]
            columns[0, j] = other_value(strike[i], forward[s], discount[s], source[i], call[i], put[i])
            j += 1
    if invert_prices(columns[0], columns[1], columns[2], columns[3], found):
        settle_slowly(columns[0], columns[1], columns[2], found)
    for j in range(far):
        out[nodes[j]] = found[j]
    for i in range(x.size):
        beyond = out[i] >= x[i] if up else out[i] <= x[i]
        out[i] = out[i] if beyond else x[i]
