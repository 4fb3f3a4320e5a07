"""Quotes by node: which are usable, their mids and spreads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex import node_kernels
from app.gex.layout import Layout
from app.market.chain import Quotes

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


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

    def at(self, nodes: I64) -> Leg:
        """These nodes alone."""
        return Leg(self.listed[nodes], self.bid[nodes], self.ask[nodes], self.mid[nodes], self.offered[nodes])


def legs_of(layout: Layout, quotes: Quotes) -> tuple[Leg, Leg]:
    """Calls and puts by node."""
    return leg_of(layout.call_row, quotes), leg_of(layout.put_row, quotes)


def gathered(rows: I64, column: NDArray[Any]) -> NDArray[Any]:
    """The column's values at these rows, in an array of its own; anything where the row is -1."""
    return column[rows] if len(column) else np.zeros(len(rows), column.dtype)


def by_node(rows: I64, column: NDArray[np.floating]) -> F64:
    """A column of the chain by node: NaN where the leg isn't listed, shape (m,)."""
    out = gathered(rows, column).astype(np.float64)
    out[rows < 0] = np.nan
    return out


def count_by_node(rows: I64, column: NDArray[np.float32], *, signed: bool = False) -> F64:
    """Open interest, volume or (signed) flow by node: NaN where unknown (also: absurd, wrongly negative), shape (m,)."""
    out = np.empty(len(rows))
    node_kernels.read_counts(rows, gathered(rows, column), signed, out)
    return out


def leg_of(rows: I64, quotes: Quotes) -> Leg:
    """The contracts in these rows of the chain; -1 stands for one that isn't listed."""
    bid, ask, mid, offered = np.empty((4, len(rows)))
    node_kernels.read_quotes(
        rows, gathered(rows, quotes.bid), gathered(rows, quotes.ask), bid, ask, mid, offered
    )
    return Leg(rows >= 0, bid, ask, mid, offered)
