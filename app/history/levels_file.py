"""Daily levels in the forms that other platforms import: CSV, a line of labelled prices, a Pine script for TradingView."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from app.market.calendar import EXCHANGE_TZ, close_time

COLUMNS = (
    "day", "symbol", "as_of", "spot", "flip", "flip_low", "flip_high", "call_wall", "put_wall", "absolute_gamma_strike",
    "max_pain", "net_gex", "call_gex", "put_gex", "regime", "source",
)  # fmt: skip
LABELS = {
    "flip": "Gamma flip",
    "call_wall": "Call wall",
    "put_wall": "Put wall",
    "absolute_gamma_strike": "Absolute gamma",
    "max_pain": "Max pain",
}
_COLOURS = {
    "flip": "color.orange",
    "call_wall": "color.green",
    "put_wall": "color.red",
    "absolute_gamma_strike": "color.blue",
    "max_pain": "color.gray",
}

# Rows this near the close are the closing ones: the last may be some minutes old, and index options trade on until 16:15.
_BEFORE_CLOSE, _AFTER_CLOSE = -timedelta(minutes=5), timedelta(minutes=15)


def rows_of(symbol: str, days: pa.Table) -> list[dict[str, Any]]:
    """The closing levels of `History.days` by day: one dictionary of COLUMNS each; None is unknown."""
    return [_row(symbol, row) for row in days.to_pylist()]


def to_csv(rows: Iterable[dict[str, Any]]) -> str:
    """A header and a line a day; unknown is empty, never 0."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return out.getvalue()


def to_line(row: dict[str, Any]) -> str:
    """`SPX 2026-11-20: Gamma flip, 6685.2, Call wall, 6700`: the levels that are known, for indicators that take a text.

    Of a day that isn't over, `SPX 2026-11-20 as of 13:05 ET: ...`.
    """
    known = [f"{label}, {_price(row[name])}" for name, label in LABELS.items() if row[name] is not None]
    return f"{_title(row)}: {', '.join(known)}"


def to_pine(row: dict[str, Any]) -> str:
    """A Pine script (version 6) that draws the levels: pasted into TradingView's editor as it is."""
    lines = [
        "//@version=6",
        f'indicator("GEX levels {_title(row)}", overlay = true)',
    ]
    for name, label in LABELS.items():
        if row[name] is not None:
            lines.append(f'hline({_price(row[name])}, "{label}", {_COLOURS[name]})')
    return "\n".join(lines) + "\n"


def _title(row: dict[str, Any]) -> str:
    """Whose levels these are, and of which day; a chart elsewhere can't tell made-up ones, and those not of the close."""
    made_up = " (simulated)" if row["source"] == "simulator" else ""
    return f"{row['symbol']} {row['day']}{_as_of(row)}{made_up}"


def _as_of(row: dict[str, Any]) -> str:
    """` as of 13:05 ET` of a day whose last row isn't of its close, as one that isn't over; else nothing."""
    last = datetime.fromisoformat(row["as_of"]).astimezone(EXCHANGE_TZ)
    day = date.fromisoformat(row["day"])
    close = datetime.combine(day, close_time(day), EXCHANGE_TZ)
    return "" if _BEFORE_CLOSE <= last - close <= _AFTER_CLOSE else f" as of {last:%H:%M} ET"


def _row(symbol: str, row: dict[str, Any]) -> dict[str, Any]:
    net = row["net_gex"]
    known = {name: row[name] for name in COLUMNS if name in row and name not in ("day", "as_of")}
    return {
        **dict.fromkeys(COLUMNS),
        **known,
        "day": row["day"].isoformat(),
        "symbol": symbol,
        "as_of": row["last"].strftime("%Y-%m-%dT%H:%MZ"),
        "regime": None if not net else "long_gamma" if net > 0 else "short_gamma",
    }


def _price(value: float) -> str:
    return f"{value:.0f}" if math.isclose(value, round(value), abs_tol=1e-9) else f"{value:.2f}"
