"""Which contracts to stream when there are more than the stream takes: those whose gamma weighs most.

A strike's call and put are chosen together: the forward comes from their parity, and one leg fresh and the other a minute
old would bend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.chain import Chain, Contracts

F64 = NDArray[np.float64]

# A pair that streams stays until another is this much heavier: keys shouldn't change with every tick of spot.
HYSTERESIS = 1.3


@dataclass(frozen=True, eq=False, slots=True)
class Weights:
    """How much each contract of a chain matters, shape (n,): its share of the chain's gross gamma, 0 where unknown."""

    contracts: Contracts
    share: F64
    distance: F64  # |ln(strike / spot)|: among equals the nearest comes first

    def streaming(self, streaming: NDArray[np.bool_]) -> float | None:
        """The share of gross gamma in the rows that stream; None where no gamma is known."""
        total = float(self.share.sum())
        return float(self.share[streaming].sum()) / total if total > 0 else None


class Pair(NamedTuple):
    """The contracts of one strike of one series, and what they weigh together."""

    weight: float
    distance: float
    keys: tuple[str, ...]


def weigh(chain: Chain, gamma: F64) -> Weights:
    """Weights by |gamma x open interest x multiplier|; the vendor's gamma where `gamma` (1/$, per row) is NaN."""
    known = np.where(np.isnan(gamma), chain.quotes.gamma, gamma)
    heavy = np.abs(known) * chain.quotes.open_interest * np.nan_to_num(chain.contracts.multiplier, nan=100.0)
    share = np.nan_to_num(heavy.astype(np.float64), nan=0.0, posinf=0.0)
    total = share.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(np.log(chain.contracts.strike / chain.spot))
    return Weights(
        chain.contracts, share / total if total > 0 else share, np.nan_to_num(distance, nan=np.inf)
    )


def pairs_of(weights: Weights) -> list[Pair]:
    """Every strike of every series once; rows of a chain stand in order, a put right after its call."""
    contracts = weights.contracts
    if not len(contracts):
        return []
    same = (
        (contracts.strike[1:] == contracts.strike[:-1])
        & (contracts.expiry[1:] == contracts.expiry[:-1])
        & (contracts.root[1:] == contracts.root[:-1])
    )
    starts = np.flatnonzero(np.concatenate([[True], ~same]))
    total = np.add.reduceat(weights.share, starts).tolist()
    near = weights.distance[starts].tolist()
    names = contracts.symbol.astype(str).tolist()
    ends = [*starts[1:].tolist(), len(names)]
    return [
        Pair(total[i], near[i], tuple(names[start:end]))
        for i, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True))
    ]


def choose(weights: Mapping[str, Weights], limit: int, streaming: frozenset[str]) -> dict[str, list[str]]:
    """The keys to stream, by symbol, heaviest first: at most `limit` in all.

    Each underlying's contracts are weighed by their share of that underlying's own gross gamma, so a stock isn't starved
    by an index; what streams already weighs HYSTERESIS times as much.
    """
    ranked = sorted(
        (_favoured(pair, streaming), pair.distance, symbol, pair.keys)
        for symbol, weight in weights.items()
        for pair in pairs_of(weight)
    )
    chosen: dict[str, list[str]] = {symbol: [] for symbol in weights}
    left = limit
    for _, _, symbol, keys in ranked:
        if len(keys) <= left:
            chosen[symbol] += keys
            left -= len(keys)
        if left <= 0:
            break
    return chosen


def _favoured(pair: Pair, streaming: frozenset[str]) -> float:
    """The weight, negative so that the heaviest sorts first."""
    return -pair.weight * (HYSTERESIS if pair.keys[0] in streaming else 1.0)
