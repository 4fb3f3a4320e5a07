"""Cboe's "quotedata" CSV: a preamble with the underlying's quote, then a line per strike, calls left and puts right."""

from __future__ import annotations

import csv
import io
import math
import re
from datetime import UTC, datetime
from typing import Any

from app.chainfile.rows import CellError, Rows, number
from app.errors import ChainFileError
from app.market.calendar import EXCHANGE_TZ, to_ms
from app.market.chain import Chain

# The preamble is three lines, four with the "---Example Data---" that some files begin with.
_PREAMBLE = 12
_FIRST_COLUMN = "Expiration Date"
_COLUMNS = {
    "Last Sale": "last",
    "Bid": "bid",
    "Ask": "ask",
    "Volume": "volume",
    "IV": "iv",
    "Delta": "delta",
    "Gamma": "gamma",
    "Open Interest": "open_interest",
}
_NEEDED = {"Bid", "Ask", "Open Interest"}
_DATE = re.compile(
    r"Date:\s*([A-Z][a-z]+) (\d{1,2}),? (\d{4}),? (?:at )?(\d{1,2}):(\d{2}) ([AP]M)(?: ([A-Z]{2,4}))?"
)
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip


def parse_cboe_csv(text: str) -> Chain:
    """The chain of such a file; its instant is the preamble's date. Raises ChainFileError.

    A short line is counted and left out, but a last one that breaks off says that more is missing: no total is right then.
    """
    lines = list(csv.reader(io.StringIO(text, newline="")))
    header = next(
        (i for i, line in enumerate(lines[:_PREAMBLE]) if line and line[0].strip() == _FIRST_COLUMN), None
    )
    if header is None:
        raise ChainFileError('this is no option chain: it has no line that begins with "Expiration Date"')
    preamble = "\n".join(",".join(line) for line in lines[:header])
    symbol_columns, legs = _leg_columns([name.strip() for name in lines[header]])
    if _breaks_off(text, lines[-1], legs):
        raise ChainFileError(f"the file is cut short at line {len(text.splitlines())}")
    rows = Rows()
    for line in lines[header + 1 :]:
        if any(cell.strip() for cell in line):
            _add_line(rows, line, symbol_columns, legs)
    last, change = _labelled(preamble, "Last"), _labelled(preamble, "Change")
    return rows.chain(as_of_ms=_as_of_ms(preamble), spot=last, underlying=_underlying(preamble, last, change))


def _leg_columns(names: list[str]) -> tuple[tuple[int, int], tuple[dict[str, int], dict[str, int]]]:
    """Where the symbols are, and where each column of Quotes is, for calls and for puts."""
    try:
        calls, strike, puts = names.index("Calls"), names.index("Strike"), names.index("Puts")
    except ValueError as error:
        raise ChainFileError("the header line lacks Calls, Strike or Puts") from error
    legs = []
    for start, stop in ((calls, strike), (puts, len(names))):
        part = names[start:stop]
        if not set(part) >= _NEEDED:
            raise ChainFileError(f"the header line lacks {', '.join(sorted(_NEEDED - set(part)))}")
        legs.append({column: start + part.index(name) for name, column in _COLUMNS.items() if name in part})
    return (calls, puts), (legs[0], legs[1])


def _breaks_off(text: str, last: list[str], legs: tuple[dict[str, int], dict[str, int]]) -> bool:
    """Whether the file ends within a row: a whole one has all columns, or at least its line's end."""
    return not text.endswith(("\n", "\r")) and len(last) <= max(legs[1].values())


def _add_line(
    rows: Rows, line: list[str], symbols: tuple[int, int], legs: tuple[dict[str, int], dict[str, int]]
) -> None:
    for at, columns in zip(symbols, legs, strict=True):
        if max(columns.values()) >= len(line):
            rows.rejected["short_row"] += 1
            continue
        rows.add(line[at], {name: line[i].strip() for name, i in columns.items()})


def _labelled(preamble: str, label: str) -> float:
    match = re.search(rf"\b{label}:\s*([^,\s]+)", preamble)
    try:
        return number(match.group(1)) if match else math.nan
    except CellError:
        return math.nan


def _underlying(preamble: str, last: float, change: float) -> dict[str, Any]:
    described = next((line for line in preamble.splitlines() if "Last:" in line), "")
    known = not math.isnan(last) and not math.isnan(change)
    return {
        "description": described.split(",Last:")[0].split("Last:")[0].strip(),
        "last": None if math.isnan(last) else last,
        "change": None if math.isnan(change) else change,
        "close": last - change if known else None,
    }


def _as_of_ms(preamble: str) -> int:
    """The instant in the preamble, New York time unless it says UTC."""
    match = _DATE.search(preamble)
    if not match:
        raise ChainFileError("the lines before the header tell no date")
    month, day, year, hour, minute, half, zone = match.groups()
    try:
        instant = datetime(
            int(year),
            _MONTHS.index(month) + 1,
            int(day),
            int(hour) % 12 + (12 if half == "PM" else 0),
            int(minute),
            tzinfo=UTC if zone in ("UTC", "GMT") else EXCHANGE_TZ,
        )
    except ValueError as error:
        raise ChainFileError(f"{match.group(0)!r} is no date") from error
    return to_ms(instant)
