"""How the rows of a chain belong together: series (a root on a date), nodes (a strike of a series, its call and its put).

It depends on the contracts alone, so it is made once and kept for as long as they are.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from app.market.chain import Contracts
from app.market.symbols import exercised_early

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# What an option contract delivers unless it says otherwise.
STANDARD_MULTIPLIER = 100.0
_LARGEST_STRIKE = 1e8


@dataclass(frozen=True, slots=True)
class Series:
    """One root on one expiry date, settled in one way: it has one forward."""

    root: str
    expiry: date
    settlement: str
    settle_ms: int


@dataclass(frozen=True, eq=False)
class Layout:
    """Rows r of the chain, nodes m and series s.

    Attributes:
        series: in order of settlement, s of them.
        starts: where each series' nodes begin, and one past the last, shape (s + 1,).
        settle_ms: shape (s,).
        strike: of each node, ascending within a series, shape (m,).
        node_series: the series of each node, shape (m,).
        call_row, put_row: the chain's row of each leg, -1 where it isn't listed, shape (m,).
        multiplier: shares per contract of the node, shape (m,).
        row_node: the node of each row, -1 for rows that can't be used, shape (r,).
        dates: expiry dates, ascending; series_date gives each series' position there, shape (s,).
        strikes: all strikes, ascending, shape (k,); node_strike gives each node's position there, shape (m,).
        excluded: rows that no computation can use, by reason: masks of shape (r,).
        adjusted: series with a non-standard deliverable, shape (s,).
    """

    series: tuple[Series, ...]
    starts: I64
    settle_ms: I64
    strike: F64
    node_series: I64
    call_row: I64
    put_row: I64
    multiplier: F64
    row_node: I64
    dates: tuple[date, ...]
    series_date: I64
    strikes: F64
    node_strike: I64
    excluded: dict[str, Bools]
    adjusted: Bools

    @cached_property
    def nodes(self) -> I64:
        """All of them, shape (m,)."""
        return np.arange(len(self.strike))

    @cached_property
    def everywhere(self) -> I64:
        """All series, shape (s,)."""
        return np.arange(len(self.series))

    @cached_property
    def ordinals(self) -> I64:
        """The expiry date of each series as a day number, shape (s,)."""
        return np.array([s.expiry.toordinal() for s in self.series], np.int64)

    @cached_property
    def log_strike(self) -> F64:
        """ln K of each node, shape (m,)."""
        return np.log(self.strike)

    @cached_property
    def excluded_counts(self) -> dict[str, int]:
        """How many rows no computation can use, by reason."""
        return {reason: int(rows.sum()) for reason, rows in self.excluded.items()}

    @cached_property
    def american(self) -> Bools:
        """Whether each node's options can be exercised before they expire, shape (m,)."""
        return np.array([exercised_early(s.root) for s in self.series], bool)[self.node_series]

    @cached_property
    def node_date(self) -> I64:
        """Each node's position among `dates`, shape (m,)."""
        return self.series_date[self.node_series]

    @cached_property
    def node_cell(self) -> I64:
        """Each node's position in a table of dates by strikes, row after row, shape (m,)."""
        return self.node_date * len(self.strikes) + self.node_strike

    @property
    def row_series(self) -> I64:
        """The series of each row, -1 for rows that can't be used, shape (r,)."""
        if not len(self.node_series):
            return np.full(len(self.row_node), -1)
        return np.where(self.row_node >= 0, self.node_series[self.row_node], -1)


_layouts: WeakKeyDictionary[Contracts, Layout] = WeakKeyDictionary()
_lock = threading.Lock()


def layout_of(contracts: Contracts) -> Layout:
    """The layout of these contracts, kept while they live."""
    with _lock:
        found = _layouts.get(contracts)
    if found is None:
        found = build_layout(contracts)
        with _lock:
            _layouts[contracts] = found
    return found


def build_layout(contracts: Contracts) -> Layout:
    """Group the rows. Of contracts listed twice the first counts."""
    invalid = _invalid(contracts)
    duplicate = ~invalid & _repeated(contracts, ~invalid)
    rows = np.flatnonzero(~(invalid | duplicate))
    kept = contracts.take(rows)
    series_code, series = _series(kept)
    multiplier = np.where(kept.multiplier > 0, kept.multiplier, STANDARD_MULTIPLIER)
    order = np.lexsort((kept.is_call, ~kept.standard, multiplier, kept.strike, series_code))
    key = np.rec.fromarrays([series_code, kept.strike, multiplier, kept.standard])[order]
    first = np.ones(len(order), bool)
    first[1:] = key[1:] != key[:-1]
    node = np.cumsum(first) - 1
    heads = order[first]
    legs = [_leg_rows(node, order, rows, kept.is_call == is_call, len(heads)) for is_call in (True, False)]
    row_node = np.full(len(contracts), -1)
    row_node[rows[order]] = node
    node_series = series_code[heads]
    dates = tuple(sorted({s.expiry for s in series}))
    strikes, node_strike = np.unique(kept.strike[heads], return_inverse=True)
    adjusted = np.zeros(len(series), bool)
    adjusted[series_code[~kept.standard]] = True
    return Layout(
        series=series,
        starts=np.searchsorted(node_series, np.arange(len(series) + 1)),
        settle_ms=np.array([s.settle_ms for s in series], np.int64),
        strike=np.ascontiguousarray(kept.strike[heads]),
        node_series=node_series,
        call_row=legs[0],
        put_row=legs[1],
        multiplier=multiplier[heads],
        row_node=row_node,
        dates=dates,
        series_date=np.array([dates.index(s.expiry) for s in series], np.int64),
        strikes=strikes,
        node_strike=node_strike,
        excluded={"invalid": invalid, "duplicate": duplicate},
        adjusted=adjusted,
    )


def _invalid(contracts: Contracts) -> Bools:
    """Rows that name no contract: no strike, right, date or settlement instant."""
    right = np.isin(contracts.right, [b"C", b"P"])
    strike = (contracts.strike > 0) & (contracts.strike <= _LARGEST_STRIKE)
    return ~(right & strike & ~np.isnat(contracts.expiry) & (contracts.settle_ms > 0))


def _repeated(contracts: Contracts, among: Bools) -> Bools:
    """Rows whose contract stands earlier already: the same symbol, or where there is none the same terms."""
    terms: list[NDArray[Any]] = [
        contracts.symbol,
        contracts.root,
        contracts.expiry.astype(np.int64),
        contracts.right,
        contracts.strike,
    ]
    named = contracts.symbol != b""
    keys = [terms[0], *(np.where(named, np.zeros(1, t.dtype), t) for t in terms[1:])]
    rows = np.flatnonzero(among)
    order = rows[np.lexsort([k[rows] for k in keys])]
    same = np.ones(max(len(order) - 1, 0), bool)
    for k in keys:
        same &= k[order[1:]] == k[order[:-1]]
    out = np.zeros(len(contracts), bool)
    # lexsort is stable: the first of equals is the earliest row
    out[order[1:][same]] = True
    return out


def _series(kept: Contracts) -> tuple[I64, tuple[Series, ...]]:
    """The series of each row, and all series in order of settlement."""
    roots, root_code = np.unique(kept.root, return_inverse=True)
    days = kept.expiry.astype(np.int64)
    am = kept.settlement == b"A"
    code = (days * 2 + ~am) * max(len(roots), 1) + root_code
    _, heads, inverse = np.unique(code, return_index=True, return_inverse=True)
    series = tuple(
        Series(
            root=kept.root[i].decode("ascii", "replace"),
            expiry=kept.expiry[i].item(),
            settlement="AM" if am[i] else "PM",
            settle_ms=int(kept.settle_ms[i]),
        )
        for i in heads
    )
    return inverse.astype(np.int64), series


def _leg_rows(node: I64, order: I64, rows: I64, is_leg: Bools, n: int) -> I64:
    out = np.full(n, -1)
    mine = is_leg[order]
    out[node[mine]] = rows[order[mine]]
    return out
