"""Compiled work on the quotes' columns: a frame's changes written onto them, signed flow (gex-math, section 5), cleaning.

One compiled call writes a whole frame: item by item through NumPy or memoryviews costs three times as much.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.chain import QUOTE_COLUMNS, Quotes
from app.market.jit import compiled, warm
from app.market.updates import STREAMED, UNCHANGED, OptionChanges

_LATEST = 2.0**62  # of a time in ms: what is beyond isn't one
_NOT_COMPUTED = -999.0


@compiled
def signed_size(size: float, price: float, before: float, bid: float, ask: float) -> float:
    """+size for a customer's buy, -size for a sale, 0 where nothing tells.

    At or above the ask is a buy, at or below the bid a sale; between them the side of the mid; on the mid, or without a
    two-sided quote, the tick rule against the price `before`. NaN prices tell nothing.
    """
    if 0 < bid <= ask:
        mid = (bid + ask) / 2
        if price >= ask or price > mid:
            return size
        if price <= bid or price < mid:
            return -size
    if price > before:
        return size
    if price < before:
        return -size
    return 0.0


def columns_of(quotes: Quotes) -> tuple[NDArray[Any], ...]:
    """The columns as `scatter` takes them."""
    return tuple(getattr(quotes, name) for name in QUOTE_COLUMNS)


class Rows(dict[str, int]):
    """The row of each contract; -1 for one that isn't there. A subscript, for `get` costs half as much again."""

    def __missing__(self, key: str) -> int:
        return -1


def scatter(changes: OptionChanges, index: Rows, columns: tuple[NDArray[Any], ...], at_ms: int) -> int:
    """Write the changes of a frame, in its order; how many were of contracts not in `index`, or held an impossible time."""
    if not changes:
        return 0
    # through struct: half the price of making an array from Python's numbers
    rows = struct.pack(f"{len(changes)}q", *map(index.__getitem__, changes.keys))
    return int(_scatter(np.frombuffer(rows, np.int64), changes.values, at_ms, *columns))


@compiled
def _scatter(
    rows: Any, values: Any, at_ms: int,
    bid: Any, ask: Any, last: Any, bid_size: Any, ask_size: Any, last_size: Any, volume: Any, open_interest: Any,
    flow: Any, iv: Any, delta: Any, gamma: Any, theta: Any, vega: Any, quote_ms: Any, trade_ms: Any, updated_ms: Any,
    streaming: Any,
) -> int:  # fmt: skip
    """`values` has a column for each of `rows` (-1: none of ours), its rows in the order of STREAMED."""
    refused = 0
    for i in range(len(rows)):
        row = rows[i]
        if row < 0:
            refused += 1
            continue
        (
            new_bid, new_ask, new_last, new_volume, new_interest, new_volatility, new_bid_size, new_ask_size,
            new_last_size, new_delta, new_gamma, new_theta, new_vega, new_quote_ms, new_trade_ms,
        ) = values[0, i], values[1, i], values[2, i], values[3, i], values[4, i], values[5, i], values[6, i], values[7, i], values[8, i], values[9, i], values[10, i], values[11, i], values[12, i], values[13, i], values[14, i]  # fmt: skip  # noqa: E501
        # Flow comes first: it is judged by the quote that stood before.
        if not streaming[row]:
            # The image of a contract: what traded before it was seen by nobody, and is no flow.
            streaming[row] = True
            new_day = new_volume != UNCHANGED and new_volume < volume[row]
            if new_day or np.isnan(flow[row]):
                flow[row] = 0.0
        elif new_volume >= 0 and volume[row] >= 0:
            size = new_volume - volume[row]
            if size < 0:  # the day's count began anew
                flow[row] = 0.0
            elif size > 0:
                before = last[row]
                price = before if new_last == UNCHANGED else new_last
                flow[row] += signed_size(size, price, before, bid[row], ask[row])
        if new_bid != UNCHANGED:
            bid[row] = new_bid
        if new_ask != UNCHANGED:
            ask[row] = new_ask
        if new_last != UNCHANGED:
            last[row] = new_last
        if new_volume != UNCHANGED:
            volume[row] = new_volume
        if new_interest != UNCHANGED:
            open_interest[row] = new_interest
        if new_volatility != UNCHANGED:
            iv[row] = new_volatility * 0.01
        if new_bid_size != UNCHANGED:
            bid_size[row] = new_bid_size
        if new_ask_size != UNCHANGED:
            ask_size[row] = new_ask_size
        if new_last_size != UNCHANGED:
            last_size[row] = new_last_size
        if new_delta != UNCHANGED:
            delta[row] = new_delta
        if new_gamma != UNCHANGED:
            gamma[row] = new_gamma
        if new_theta != UNCHANGED:
            theta[row] = new_theta
        if new_vega != UNCHANGED:
            vega[row] = new_vega
        impossible = False
        if new_quote_ms != UNCHANGED:
            if new_quote_ms < _LATEST:
                quote_ms[row] = max(np.int64(new_quote_ms), 0)
            else:
                impossible = True
        if new_trade_ms != UNCHANGED:
            if new_trade_ms < _LATEST:
                trade_ms[row] = max(np.int64(new_trade_ms), 0)
            else:
                impossible = True
        refused += impossible
        updated_ms[row] = at_ms
    return refused


def cleaned(quotes: Quotes, latest_ms: int) -> Quotes:
    """A copy in which what the wire marks as not known is not known, times after `latest_ms` included."""
    copy = Quotes(*(column.copy() for column in columns_of(quotes)))
    _clean(
        (copy.bid, copy.ask, copy.last),
        (copy.bid_size, copy.ask_size, copy.last_size, copy.volume, copy.open_interest),
        copy.iv,
        (copy.delta, copy.gamma, copy.theta, copy.vega),
        (copy.quote_ms, copy.trade_ms),
        latest_ms,
    )
    return copy


@compiled
def _clean(prices: Any, counts: Any, iv: Any, greeks: Any, times: Any, latest_ms: int) -> None:
    for column in prices:
        _drop_negative(column)
    for column in counts:
        _drop_negative(column)
    for i in range(len(iv)):
        if not 0 < iv[i] < np.inf:
            iv[i] = np.nan
    for greek in greeks:
        for i in range(len(greek)):
            # without a volatility, greeks are leftovers
            if np.isnan(iv[i]) or greek[i] == _NOT_COMPUTED or np.isinf(greek[i]):
                greek[i] = np.nan
    for column in times:
        for i in range(len(column)):
            if not 0 <= column[i] <= latest_ms:
                column[i] = 0


@compiled
def _drop_negative(values: Any) -> None:
    for i in range(len(values)):
        if values[i] < 0 or np.isinf(values[i]):
            values[i] = np.nan


def warm_up() -> None:
    """Compile before the first frame."""
    warm(_run)


def _run() -> None:
    values = np.full((len(STREAMED), 1), UNCHANGED)
    rows = np.zeros(1, np.int64)
    rows.flags.writeable = False  # as those that come out of bytes
    _scatter(rows, values, 1, *columns_of(Quotes.unknown(1)))
    cleaned(Quotes.unknown(1), 1)
