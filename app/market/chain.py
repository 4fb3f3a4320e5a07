"""An underlying's option chain as NumPy columns.

`Contracts` is what a contract is and never changes; `Quotes` is what the market says of it and changes all day; a `Chain`
is both at one instant, with the underlying's own quote. All three are immutable: who wants to change a chain uses
`app.market.book.Book`.

Unknown is NaN in a float column and 0 in a `_ms` column, never a made-up number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Session = Literal["open", "closed", "unknown"]
Source = Literal["schwab", "simulator", "file"]
Floats = NDArray[np.floating[Any]]

CONTRACT_COLUMNS: dict[str, str] = {
    "symbol": "S21",  # OSI form, root padded to six
    "root": "S6",  # unpadded
    "expiry": "<M8[D]",
    "right": "S1",  # b"C" or b"P"
    "strike": "<f8",
    "multiplier": "<f8",  # shares per contract; NaN where unknown
    "settlement": "S1",  # b"A" or b"P"
    "settle_ms": "<i8",  # the settlement instant
    "standard": "?",  # False for adjusted deliverables
}

QUOTE_COLUMNS: dict[str, str] = {
    "bid": "<f8",  # $ per share
    "ask": "<f8",
    "last": "<f8",
    "bid_size": "<f4",  # contracts
    "ask_size": "<f4",
    "last_size": "<f4",
    "volume": "<f4",  # contracts today
    "open_interest": "<f4",  # contracts
    "flow": "<f4",  # customers' signed volume today, contracts (gex-math, section 5)
    "iv": "<f4",  # the vendor's volatility, as a fraction per year
    "delta": "<f4",  # the vendor's greeks
    "gamma": "<f4",
    "theta": "<f4",  # $ per day
    "vega": "<f4",  # $ per volatility point
    "quote_ms": "<i8",  # the exchange's time of the quote; 0 when unknown
    "trade_ms": "<i8",
    "updated_ms": "<i8",  # when this process last heard of the contract; 0 when never
    "streaming": "?",  # True where the stream, not the sweep, keeps the row
}


@dataclass(frozen=True, eq=False, slots=True)
class Underlying:
    """The quote of the underlying itself. None is unknown."""

    symbol: str
    description: str = ""
    last: float | None = None
    bid: float | None = None
    ask: float | None = None
    mark: float | None = None
    close: float | None = None
    change: float | None = None
    percent_change: float | None = None
    volume: float | None = None
    quote_ms: int = 0
    trade_ms: int = 0


class _Columns:
    """Shared by Contracts and Quotes: columns of one length."""

    def __len__(self) -> int:
        first = fields(self)[0].name  # type: ignore[arg-type]
        return len(getattr(self, first))

    def _taken(self, rows: Any) -> dict[str, Any]:
        return {f.name: getattr(self, f.name)[rows] for f in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Contracts(_Columns):
    """What each contract is, one row each; columns and dtypes are CONTRACT_COLUMNS."""

    symbol: NDArray[np.bytes_]
    root: NDArray[np.bytes_]
    expiry: NDArray[np.datetime64]
    right: NDArray[np.bytes_]
    strike: NDArray[np.float64]
    multiplier: NDArray[np.float64]
    settlement: NDArray[np.bytes_]
    settle_ms: NDArray[np.int64]
    standard: NDArray[np.bool_]

    @classmethod
    def build(cls, columns: Mapping[str, Iterable[Any]]) -> Contracts:
        """From any sequences of equal length, one per column."""
        return cls(**_typed(columns, CONTRACT_COLUMNS))

    @classmethod
    def empty(cls) -> Contracts:
        return cls.build({name: [] for name in CONTRACT_COLUMNS})

    @cached_property
    def is_call(self) -> NDArray[np.bool_]:
        """True for calls, shape (n,)."""
        return np.equal(self.right, b"C")

    @cached_property
    def identity(self) -> str:
        """A digest of every column: two sets with the same digest are the same contracts in the same order."""
        digest = hashlib.blake2b(digest_size=12)
        for f in fields(self):
            digest.update(np.ascontiguousarray(getattr(self, f.name)).tobytes())
        return digest.hexdigest()

    def take(self, rows: Any) -> Contracts:
        """The chosen rows: a boolean mask, integer positions or a slice."""
        return Contracts(**self._taken(rows))


@dataclass(frozen=True, eq=False)
class Quotes(_Columns):
    """What the market says of each contract, in the order of the Contracts; columns and dtypes are QUOTE_COLUMNS."""

    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    last: NDArray[np.float64]
    bid_size: NDArray[np.float32]
    ask_size: NDArray[np.float32]
    last_size: NDArray[np.float32]
    volume: NDArray[np.float32]
    open_interest: NDArray[np.float32]
    flow: NDArray[np.float32]
    iv: NDArray[np.float32]
    delta: NDArray[np.float32]
    gamma: NDArray[np.float32]
    theta: NDArray[np.float32]
    vega: NDArray[np.float32]
    quote_ms: NDArray[np.int64]
    trade_ms: NDArray[np.int64]
    updated_ms: NDArray[np.int64]
    streaming: NDArray[np.bool_]

    @classmethod
    def unknown(cls, n: int) -> Quotes:
        """n rows of which nothing is known."""
        return cls(**{name: unknown_column(dtype, n) for name, dtype in QUOTE_COLUMNS.items()})

    @classmethod
    def build(cls, n: int, columns: Mapping[str, Iterable[Any]]) -> Quotes:
        """From any sequences of length n; columns that are absent are unknown."""
        given = _typed(columns, {name: QUOTE_COLUMNS[name] for name in columns})
        rest = {name: unknown_column(dtype, n) for name, dtype in QUOTE_COLUMNS.items() if name not in given}
        return cls(**given, **rest)

    def take(self, rows: Any) -> Quotes:
        """The chosen rows: a boolean mask, integer positions or a slice."""
        return Quotes(**self._taken(rows))


@dataclass(frozen=True, eq=False)
class Chain:
    """One underlying's whole option chain at one instant.

    Attributes:
        symbol: the underlying in its canonical form, SPX.
        spot: the underlying's price in $; NaN when unknown.
        spot_ms: the market's own time of that price, ms since the epoch (UTC); 0 when unknown.
        as_of_ms: the instant that the chain describes: settlement is judged against it.
        rate: the chain's interest rate as a fraction per year; NaN when it has none.
        dividend_yield: as a fraction per year; NaN when unknown.
        session: whether the options market is open.
        source: who says all this.
        delayed: True when the vendor marks its quotes as delayed.
        missing_expiries: how many listed expiry dates have contracts that have not been read yet: no sum over the chain is
            whole while this isn't 0.
        missing_dates: which ones, ascending; empty where only their number is known.
        rejected: contracts of the source that could not be read, counted by reason.
    """

    symbol: str
    spot: float
    spot_ms: int
    as_of_ms: int
    contracts: Contracts
    quotes: Quotes
    rate: float = float("nan")
    dividend_yield: float = float("nan")
    session: Session = "unknown"
    source: Source = "file"
    delayed: bool = False
    underlying: Underlying = field(default_factory=lambda: Underlying(symbol=""))
    missing_expiries: int = 0
    missing_dates: tuple[date, ...] = ()
    rejected: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.contracts)

    @cached_property
    def heard_ms(self) -> int:
        """When anything of a contract was heard last, on the clock of `as_of_ms`; 0 when never."""
        return int(self.quotes.updated_ms.max(initial=0))

    def __repr__(self) -> str:
        return f"Chain({self.symbol}, {len(self)} contracts, spot {self.spot}, as of {self.as_of_ms})"

    def take(self, rows: Any) -> Chain:
        """The same chain with the chosen contracts only."""
        return replace(self, contracts=self.contracts.take(rows), quotes=self.quotes.take(rows))


def unknown_column(dtype: str, n: int) -> NDArray[Any]:
    """n values that say "not known": NaN for floats, 0 for times, False for flags."""
    kind = np.dtype(dtype)
    return np.full(n, np.nan, kind) if kind.kind == "f" else np.zeros(n, kind)


def _typed(columns: Mapping[str, Iterable[Any]], dtypes: dict[str, str]) -> dict[str, NDArray[Any]]:
    arrays = {name: np.asarray(columns[name], dtype=dtype) for name, dtype in dtypes.items()}
    if len({len(a) for a in arrays.values()}) > 1:
        lengths = {name: len(a) for name, a in arrays.items()}
        raise ValueError(f"columns differ in length: {lengths}")
    return arrays
