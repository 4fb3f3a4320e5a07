"""What a stream says of one contract or one underlying: only what changed. A field that is UNSET has not changed."""

from __future__ import annotations

from typing import Protocol

from msgspec import UNSET, UnsetType

__all__ = ["UNSET", "Maybe", "MaybeTime", "OptionUpdate", "UnderlyingUpdate"]

Maybe = float | UnsetType
MaybeTime = int | UnsetType


class OptionUpdate(Protocol):
    """A contract's changes, as the wire counts them: `volatility` in percent, -999 where nothing was computed."""

    key: str  # the 21 characters
    bid: Maybe
    ask: Maybe
    last: Maybe
    volume: Maybe
    open_interest: Maybe
    volatility: Maybe
    bid_size: Maybe
    ask_size: Maybe
    last_size: Maybe
    delta: Maybe
    gamma: Maybe
    theta: Maybe
    vega: Maybe
    quote_ms: MaybeTime
    trade_ms: MaybeTime


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
