"""What a stream says of contracts and underlyings: only what changed.

What has not changed is UNCHANGED in a contract's update, a number so that whole frames can be written at once, and UNSET in
an underlying's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

__all__ = [
    "STREAMED",
    "UNCHANGED",
    "UNSET",
    "Maybe",
    "MaybeTime",
    "OptionChanges",
    "OptionUpdate",
    "UnderlyingUpdate",
]

UNCHANGED = -math.inf  # JSON can't say it

Maybe = float | UnsetType
MaybeTime = int | UnsetType


class OptionUpdate(NamedTuple):
    """A contract's changes, as the wire counts them: `volatility` in percent, -999 where nothing was computed."""

    key: str  # the 21 characters
    bid: float = UNCHANGED
    ask: float = UNCHANGED
    last: float = UNCHANGED
    volume: float = UNCHANGED
    open_interest: float = UNCHANGED
    volatility: float = UNCHANGED
    bid_size: float = UNCHANGED
    ask_size: float = UNCHANGED
    last_size: float = UNCHANGED
    delta: float = UNCHANGED
    gamma: float = UNCHANGED
    theta: float = UNCHANGED
    vega: float = UNCHANGED
    quote_ms: float = UNCHANGED
    trade_ms: float = UNCHANGED


# The fields of an OptionUpdate behind its key, in order.
STREAMED = OptionUpdate._fields[1:]


@dataclass(frozen=True, eq=False, slots=True)
class OptionChanges:
    """The changes of contracts that came together, in their order.

    Attributes:
        keys: n contracts; one may be there twice.
        values: shape (15, n), float64, contiguous: a row for each of STREAMED, UNCHANGED where nothing was said.
    """

    keys: list[str]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, updates: Iterable[Sequence[Any]]) -> OptionChanges:
        """From OptionUpdates, or tuples like them."""
        rows = list(updates)
        if not rows:
            return cls([], np.zeros((len(STREAMED), 0)))
        keys, *columns = zip(*rows, strict=True)
        values = np.fromiter(chain.from_iterable(columns), np.float64, len(STREAMED) * len(keys))
        return cls(list(keys), values.reshape(len(STREAMED), len(keys)))

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[OptionUpdate]:
        return (OptionUpdate(*row) for row in zip(self.keys, *self.values.tolist(), strict=True))

    def __add__(self, other: OptionChanges) -> OptionChanges:
        return OptionChanges(self.keys + other.keys, np.hstack([self.values, other.values]))

    def take(self, places: list[int]) -> OptionChanges:
        """Those at these places."""
        return OptionChanges([self.keys[i] for i in places], np.ascontiguousarray(self.values[:, places]))


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
