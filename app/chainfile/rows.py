"""What both Cboe readers share: contracts collected one by one, then turned into a chain."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from app.errors import ChainFileError, SymbolError
from app.market.calendar import settle_ms
from app.market.chain import CONTRACT_COLUMNS, Chain, Contracts, Quotes, Underlying
from app.market.symbols import AM_ROOTS, OptionSymbol, Settlement, canonical, underlying_of

_QUOTES = (
    "bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest", "iv", "delta", "gamma", "theta", "vega",
)  # fmt: skip
# Cboe writes 0 where it has computed no volatility.
_ZERO_IS_UNKNOWN = frozenset({"iv"})
_NEVER_NEGATIVE = frozenset({"bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest", "iv"})
_LARGEST = 1e12


class CellError(ValueError):
    """A cell that should hold a number holds something else."""


def number(value: Any) -> float:
    """A cell as a float; NaN where it is empty, null, NaN or infinite. Raises CellError for anything else."""
    if value is None or value == "" or value == "--":
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise CellError(str(value)[:40])
    try:
        found = float(value)
    except (ValueError, OverflowError) as error:
        raise CellError(str(value)[:40]) from error
    return found if abs(found) < _LARGEST else math.nan


@dataclass
class Rows:
    """Contracts read so far, and how many were left out, by reason."""

    contracts: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in CONTRACT_COLUMNS})
    quotes: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _QUOTES})
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, symbol: Any, cells: dict[str, Any]) -> None:
        """Take one contract with its quote, or count why not."""
        try:
            option = OptionSymbol.parse(str(symbol))
            quote = {name: self._cell(name, cells.get(name)) for name in _QUOTES}
        except SymbolError:
            self.rejected["unreadable_symbol"] += 1
            return
        except CellError:
            self.rejected["unreadable_number"] += 1
            return
        settlement: Settlement = "A" if option.root in AM_ROOTS else "P"
        values = {
            "symbol": str(option),
            "root": option.root,
            "expiry": option.expiry,
            "right": option.right,
            "strike": option.strike,
            "multiplier": 100.0,
            "settlement": settlement,
            "settle_ms": settle_ms(option.expiry, settlement),
            "standard": not option.root[-1].isdigit(),
        }
        for name, value in values.items():
            self.contracts[name].append(value)
        for name, found in quote.items():
            self.quotes[name].append(found)

    @staticmethod
    def _cell(name: str, value: Any) -> float:
        found = number(value)
        negative = name in _NEVER_NEGATIVE and found < 0
        return math.nan if negative or (found == 0 and name in _ZERO_IS_UNKNOWN) else found

    def chain(self, *, as_of_ms: int, spot: float, underlying: dict[str, Any]) -> Chain:
        """The chain. Raises ChainFileError when no contract could be read."""
        n = len(self.contracts["symbol"])
        if not n:
            bad = sum(self.rejected.values())
            raise ChainFileError(
                f"none of its {bad} contracts can be read" if bad else "it lists no contracts"
            )
        symbol = canonical(underlying_of(self.contracts["root"][0]))
        return Chain(
            symbol=symbol,
            spot=spot if spot > 0 else math.nan,
            spot_ms=as_of_ms,
            as_of_ms=as_of_ms,
            contracts=Contracts.build(self.contracts),
            quotes=Quotes.build(n, self.quotes),
            session="unknown",
            source="file",
            delayed=True,
            underlying=Underlying(symbol=symbol, **underlying),
            rejected=dict(self.rejected),
        )
