"""Single values written into the quotes' columns: the inner loop between the stream and the chain."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from app.market.chain import Quotes
from app.market.flow import signed_size
from app.market.updates import UNSET, Maybe, OptionUpdate


class Cells:
    """The quotes' columns as memoryviews: one item written through them costs a third of NumPy's item assignment."""

    __slots__ = tuple(f.name for f in fields(Quotes))
    bid: Any
    ask: Any
    last: Any
    bid_size: Any
    ask_size: Any
    last_size: Any
    volume: Any
    open_interest: Any
    flow: Any
    iv: Any
    delta: Any
    gamma: Any
    theta: Any
    vega: Any
    quote_ms: Any
    trade_ms: Any
    updated_ms: Any
    streaming: Any

    def __init__(self, quotes: Quotes) -> None:
        for name in self.__slots__:
            setattr(self, name, memoryview(getattr(quotes, name)))

    def write(self, row: int, update: OptionUpdate, at_ms: int) -> None:
        """One contract's changes. Flow comes first: it is judged by the quote that stood before."""
        if self.streaming[row]:
            if update.volume is not UNSET:
                self._count_flow(row, update.volume, update.last)
        else:
            self._begin(row, update)
        if update.bid is not UNSET:
            self.bid[row] = update.bid
        if update.ask is not UNSET:
            self.ask[row] = update.ask
        if update.last is not UNSET:
            self.last[row] = update.last
        if update.bid_size is not UNSET:
            self.bid_size[row] = update.bid_size
        if update.ask_size is not UNSET:
            self.ask_size[row] = update.ask_size
        if update.last_size is not UNSET:
            self.last_size[row] = update.last_size
        if update.volume is not UNSET:
            self.volume[row] = update.volume
        if update.quote_ms is not UNSET:
            self.quote_ms[row] = update.quote_ms
        if update.trade_ms is not UNSET:
            self.trade_ms[row] = update.trade_ms
        if update.volatility is not UNSET:
            self.iv[row] = update.volatility * 0.01
        if update.delta is not UNSET:
            self.delta[row] = update.delta
        if update.gamma is not UNSET:
            self.gamma[row] = update.gamma
        if update.theta is not UNSET:
            self.theta[row] = update.theta
        if update.vega is not UNSET:
            self.vega[row] = update.vega
        if update.open_interest is not UNSET:
            self.open_interest[row] = update.open_interest
        self.updated_ms[row] = at_ms

    def _begin(self, row: int, update: OptionUpdate) -> None:
        """The image of a contract: what traded before it was seen by nobody, and is no flow."""
        self.streaming[row] = True
        new_day = update.volume is not UNSET and update.volume < self.volume[row]
        if new_day or math.isnan(self.flow[row]):
            self.flow[row] = 0.0

    def _count_flow(self, row: int, volume: float, last: Maybe) -> None:
        """Add what traded since the last message, signed by the quote that stood before it."""
        if not (volume >= 0 and self.volume[row] >= 0):
            return
        size = volume - self.volume[row]
        if size < 0:  # the day's count began anew
            self.flow[row] = 0.0
        elif size > 0:
            before = self.last[row]
            price = before if last is UNSET else last
            self.flow[row] += signed_size(size, price, before, self.bid[row], self.ask[row])
