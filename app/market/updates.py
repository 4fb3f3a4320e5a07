"""What a stream says of one contract or one underlying: only what changed.

What has not changed is UNCHANGED in a contract's update, a number so that whole frames can be written at once, and UNSET in
an underlying's.
"""

from __future__ import annotations

import math
from typing import Protocol

from msgspec import UNSET, UnsetType

__all__ = ["STREAMED", "UNCHANGED", "UNSET", "Maybe", "MaybeTime", "OptionUpdate", "UnderlyingUpdate"]

UNCHANGED = -math.inf  # JSON can't say it

Maybe = float | UnsetType
MaybeTime = int | UnsetType


# The fields of an OptionUpdate behind its key, in order.
STREAMED = (
    "bid",
    "ask",
    "last",
    "volume",
    "open_interest",
    "volatility",
    "bid_size",
    "ask_size",
    "last_size",
    "delta",
    "gamma",
    "theta",
    "vega",
    "quote_ms",
    "trade_ms",
)


class OptionUpdate(Protocol):
    """A contract's changes, as the wire counts them: `volatility` in percent, -999 where nothing was computed.

    A msgspec Struct with these fields in this order; those of STREAMED are floats, UNCHANGED where nothing was said.
    """

    key: str  # the 21 characters
    bid: float
    ask: float
    last: float
    volume: float
    open_interest: float
    volatility: float
    bid_size: float
    ask_size: float
    last_size: float
    delta: float
    gamma: float
    theta: float
    vega: float
    quote_ms: float
    trade_ms: float


class UnderlyingUpdate(Protocol):
    """An underlying's changes."""

    key: str  # as the wire writes it: $SPX
    bid: Maybe
    ask: Maybe
    last: Maybe
    volume: Maybe
    close: Maybe
    change: Maybe
    mark: Maybe
    quote_ms: MaybeTime
    trade_ms: MaybeTime
    percent_change: Maybe
