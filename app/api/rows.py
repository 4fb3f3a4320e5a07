"""A chain's columns as rows, and rows as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex import Surface, contract_gamma
from app.models import OptionData

CSV = "text/csv"

# Quotes' columns that need no more than NaN for null.
_NUMBERS = (
    "bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest", "iv", "delta", "gamma",
)  # fmt: skip
OPTION_FIELDS = tuple(OptionData.model_fields)


def to_csv(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A header line and one line per row; unknown is empty. Text can't start a formula in a spreadsheet."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return out.getvalue().encode()


def option_rows(surface: Surface, at: NDArray[np.intp]) -> list[dict[str, Any]]:
    """The contracts at these positions of the chain, as OptionData's fields."""
    contracts, quotes = surface.chain.contracts.take(at), surface.chain.quotes.take(at)
    columns: dict[str, list[Any]] = {
        "symbol": _texts(contracts.symbol),
        "root": _texts(contracts.root),
        "expiry": [day.isoformat() for day in contracts.expiry.astype(object)],
        "right": _texts(contracts.right),
        "strike": contracts.strike.tolist(),
        "multiplier": _numbers(contracts.multiplier),
        "settlement": ["AM" if text == "A" else "PM" for text in _texts(contracts.settlement)],
        "settles_at": [_instant(ms) for ms in contracts.settle_ms.tolist()],
        "standard": contracts.standard.tolist(),
        "model_gamma": _numbers(contract_gamma(surface)[at]),
        "quote_at": [_instant(ms) for ms in quotes.quote_ms.tolist()],
        "trade_at": [_instant(ms) for ms in quotes.trade_ms.tolist()],
        "streaming": quotes.streaming.tolist(),
        **{name: _numbers(getattr(quotes, name)) for name in _NUMBERS},
    }
    return [
        dict(zip(OPTION_FIELDS, values, strict=True))
        for values in zip(*(columns[name] for name in OPTION_FIELDS), strict=True)
    ]


def _texts(column: NDArray[np.bytes_]) -> list[str]:
    return [value.decode("ascii", "replace") for value in column.tolist()]


def _numbers(column: NDArray[Any]) -> list[float | None]:
    # float32 columns as the decimal they were, 0.1 rather than 0.10000000149
    exact = [float(str(value)) for value in column] if column.dtype == np.float32 else column.tolist()
    return [value if np.isfinite(value) else None for value in exact]


def _instant(ms: int) -> str | None:
    if not ms:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value.isoformat() if isinstance(value, (date, datetime)) else value
