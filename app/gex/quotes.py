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


@dataclass(frozen=True, eq=False)
class Leg:
    """The calls or the puts of all nodes, shape (m,) each; NaN where a node has none.

    Attributes:
        bid, ask, mid: $; NaN unless the quote is usable: bid > 0, ask >= bid, spread sane.
        offered: the ask where nobody bids (bid 0, ask > 0), an upper limit of the price; NaN elsewhere.
    """

    bid: F64
    ask: F64
    mid: F64
    offered: F64


def legs_of(layout: Layout, quotes: Quotes) -> tuple[Leg, Leg]:
    """Calls and puts by node."""
    return leg_of(layout.nodes, layout.call_row, quotes), leg_of(layout.nodes, layout.put_row, quotes)


def plain(column: NDArray[Any]) -> NDArray[Any]:
    """The column, in an array of its own where it can't be written: kernels are compiled for those that can."""
    return column if column.flags.writeable and column.flags.c_contiguous else column.copy()


def count_by_node(rows: I64, column: NDArray[np.float32], *, signed: bool = False) -> F64:
    """Open interest, volume or (signed) flow by node: NaN where unknown (also: absurd, wrongly negative), shape (m,)."""
    out = np.empty(len(rows))
    node_kernels.read_counts(rows, plain(column), signed, out)
    return out


def leg_of(nodes: I64, rows: I64, quotes: Quotes) -> Leg:
    """The contracts of all nodes, which are in these rows of the chain; -1 stands for one that isn't listed."""
    leg = Leg(*np.empty((4, len(rows))))
    node_kernels.read_quotes(
        nodes, rows, plain(quotes.bid), plain(quotes.ask), leg.bid, leg.ask, leg.mid, leg.offered
    )
    return leg
