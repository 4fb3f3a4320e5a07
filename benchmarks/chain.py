"""The chain that the ingest benchmarks share: 20,000 contracts, 3,000 of them streaming, and contents of frames."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from app.market.book import Book
from app.market.calendar import settle_ms
from app.market.chain import Chain, Contracts, Quotes
from app.market.symbols import OptionSymbol

FIELDS = ("2", "3", "16", "17", "38", "4", "8", "10", "28", "29", "30", "31", "39")
_WHOLE = {"8", "16", "17"}
_TIMES = {"38", "39"}

_OPTIONS = [
    OptionSymbol("SPXW", date(2026, 12, 1) + timedelta(days=7 * week), right, 5000.0 + 5 * step)  # type: ignore[arg-type]
    for week in range(25)
    for step in range(400)
    for right in "CP"
]
KEYS = [str(option) for option in _OPTIONS]
STREAMED_KEYS = random.Random(3).sample(KEYS, 3000)


def book() -> Book:
    """A book of these contracts."""
    n = len(_OPTIONS)
    contracts = Contracts.build(
        {
            "symbol": KEYS,
            "root": ["SPXW"] * n,
            "expiry": [option.expiry for option in _OPTIONS],
            "right": [option.right for option in _OPTIONS],
            "strike": [option.strike for option in _OPTIONS],
            "multiplier": [100.0] * n,
            "settlement": ["P"] * n,
            "settle_ms": [settle_ms(option.expiry, "P") for option in _OPTIONS],
            "standard": [True] * n,
        }
    )
    made = Book("SPX")
    made.merge(Chain("SPX", 6000.0, 1, 1, contracts, Quotes.unknown(n)), date(2026, 1, 1), date(2028, 1, 1))
    return made


def contents(keys: list[str], fields: int, dice: random.Random) -> list[dict[str, Any]]:
    """One content with so many fields for each key."""

    def value(field: str) -> float:
        if field in _TIMES:
            return 1_790_625_599_999
        return dice.randrange(1000) if field in _WHOLE else round(dice.random() * 100, 2)

    return [{"key": key} | {field: value(field) for field in FIELDS[:fields]} for key in keys]
