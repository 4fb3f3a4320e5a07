"""Symbols: the page's form (`SPX`), the wire's form (`$SPX`), and the 21 characters of an option."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from app.errors import SymbolError

Right = Literal["C", "P"]
Settlement = Literal["A", "P"]

# Underlyings that are indices: the wire writes them with "$".
INDICES = frozenset(
    {"SPX", "NDX", "RUT", "VIX", "XSP", "DJX", "DJI", "COMPX", "OEX", "XEO", "XND", "MRUT", "NANOS"}
)
# The roots whose series settle on the opening prices of the expiry day.
AM_ROOTS = frozenset({"SPX", "NDX", "RUT", "VIX", "VIXW", "DJX", "OEX", "MRUT", "XND"})
# The indices whose options can be exercised before they expire, as those of shares and funds can.
_AMERICAN_INDICES = frozenset({"OEX"})
# Roots that belong to an underlying of another name.
_ROOT_UNDERLYING = {
    "SPXW": "SPX",
    "NDXP": "NDX",
    "RUTW": "RUT",
    "VIXW": "VIX",
    "MRUTW": "MRUT",
    "XSPW": "XSP",
    "XNDW": "XND",
}

_SYMBOL = re.compile(r"^[A-Z][A-Z0-9]{0,5}([./][A-Z]{1,2})?$")
_OPTION = re.compile(r"^([A-Z][A-Z0-9]{0,5}) *(\d{2})(\d{2})(\d{2})([CP])(\d{8})$", re.ASCII)


def canonical(symbol: str) -> str:
    """The form that pages, REST paths and the cache use: upper case, no `$`, `/` for share classes.

    Raises SymbolError for anything that isn't a symbol.
    """
    text = symbol.strip().upper().removeprefix("$").replace(".", "/")
    if not (symbol.isascii() and _SYMBOL.match(text)):  # "ſpx" in upper case is "SPX"
        shown = symbol.strip()[:24]
        raise SymbolError(f"{shown!r} is not a symbol")
    return text


def wire(symbol: str) -> str:
    """The form that Schwab's wire uses: indices carry a `$`."""
    name = canonical(symbol)
    return f"${name}" if name in INDICES else name


def underlying_of(root: str) -> str:
    """The underlying an option root belongs to: SPXW -> SPX, AAPL -> AAPL; a trailing digit marks an adjusted root."""
    name = root.strip().upper()
    return _ROOT_UNDERLYING.get(name, name.rstrip("0123456789") or name)


def exercised_early(root: str) -> bool:
    """Whether the root's options are American: those of shares and funds, not those of indices but for OEX."""
    underlying = underlying_of(root)
    return underlying not in INDICES or underlying in _AMERICAN_INDICES


@dataclass(frozen=True, slots=True)
class OptionSymbol:
    """What the 21 characters of an option symbol say. `str()` gives them back.

    >>> OptionSymbol.parse("SPXW  261016C07685000")
    OptionSymbol(root='SPXW', expiry=datetime.date(2026, 10, 16), right='C', strike=7685.0)
    """

    root: str
    expiry: date
    right: Right
    strike: float

    @classmethod
    def parse(cls, text: str) -> OptionSymbol:
        """Read `SPXW  261016C07685000`, padded or not. Raises SymbolError."""
        match = _OPTION.match(text.strip().upper())
        if not match:
            raise SymbolError(f"{text[:32]!r} is not an option symbol")
        root, year, month, day, right, strike = match.groups()
        try:
            expiry = date(2000 + int(year), int(month), int(day))
        except ValueError as error:
            raise SymbolError(f"{text[:32]!r} has no such date") from error
        return cls(root, expiry, "C" if right == "C" else "P", int(strike) / 1000)

    def __str__(self) -> str:
        return f"{self.root:<6}{self.expiry:%y%m%d}{self.right}{round(self.strike * 1000):08d}"
