"""Quotes by node: which are usable, their mids and spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gex.layout import Layout
from app.market.chain import Quotes

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A quote whose spread is above its mid says too little; nickels and dimes may, they can't be quoted tighter.
_WIDEST_SPREAD = 1.0
_SMALL_SPREAD = 0.25
_LARGEST_PRICE = 1e8
_LARGEST_COUNT = 1e9


@dataclass(frozen=True, eq=False)
class Leg:
    """The calls or the puts of all nodes, shape (m,) each; NaN where a node has none.

    Attributes:
        listed: whether the contract is in the chain.
        bid, ask, mid: $; NaN unless the quote is usable: bid > 0, ask >= bid, spread sane.
        offered: the ask where nobody bids (bid 0, ask > 0), an upper limit of the price; NaN elsewhere.
    """

    listed: Bools
    bid: F64
    ask: F64
    mid: F64
    offered: F64

    @property
    def spread(self) -> F64:
        return self.ask - self.bid


def legs_of(layout: Layout, quotes: Quotes) -> tuple[Leg, Leg]:
    """Calls and puts by node."""
    return leg_of(layout.call_row, quotes), leg_of(layout.put_row, quotes)


def by_node(rows: NDArray[np.int64], column: NDArray[np.floating]) -> F64:
    """A column of the chain by node: NaN where the leg isn't listed, shape (m,)."""
    if not len(column):
        return np.full(len(rows), np.nan)
    out = column[rows].astype(np.float64)
    out[rows < 0] = np.nan
    return out


def count_by_node(rows: NDArray[np.int64], column: NDArray[np.floating]) -> F64:
    """Open interest or volume by node: NaN where unknown (also: negative or absurd), shape (m,)."""
    found = by_node(rows, column)
    found[~((found >= 0) & (found <= _LARGEST_COUNT))] = np.nan
    return found


def leg_of(rows: NDArray[np.int64], quotes: Quotes) -> Leg:
    """The contracts in these rows of the chain; -1 stands for one that isn't listed."""
    bid, ask = by_node(rows, quotes.bid), by_node(rows, quotes.ask)
    for column in (bid, ask):
        column[~((column >= 0) & (column <= _LARGEST_PRICE))] = np.nan
    mid = 0.5 * (bid + ask)
    spread = ask - bid
    usable = (bid > 0) & (spread >= 0)
    usable &= (spread <= _WIDEST_SPREAD * mid) | (spread <= _SMALL_SPREAD)
    offered = np.where((bid == 0) & (ask > 0), ask, np.nan)
    for column in (bid, ask, mid):
        column[~usable] = np.nan
    return Leg(rows >= 0, bid, ask, mid, offered)
