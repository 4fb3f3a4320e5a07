"""Cboe's delayed-quote JSON: `data.options` lists the contracts, `data` holds the underlying's quote."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from app.chainfile.rows import CellError, Rows, number
from app.errors import ChainFileError
from app.market.calendar import to_ms
from app.market.chain import Chain

_RENAMED = {"last": "last_trade_price"}
_SAME = (
    "bid", "ask", "bid_size", "ask_size", "volume", "open_interest", "iv", "delta", "gamma", "theta", "vega",
)  # fmt: skip
_FIELDS = {**_RENAMED, **{name: name for name in _SAME}}


def is_cboe_json(doc: Any) -> bool:
    """Whether the document has this shape."""
    return isinstance(doc, dict) and isinstance(doc.get("data"), dict) and "options" in doc["data"]


def parse_cboe_json(doc: dict[str, Any]) -> Chain:
    """The chain of such a document; its instant is `timestamp`, which is UTC. Raises ChainFileError."""
    data, options = doc["data"], doc["data"]["options"]
    if not isinstance(options, list):
        raise ChainFileError("its options are no list")
    rows = Rows()
    for option in options:
        if isinstance(option, dict):
            rows.add(option.get("option"), {name: option.get(wire) for name, wire in _FIELDS.items()})
        else:
            rows.rejected["not_an_object"] += 1
    spot = next((v for v in map(_or_nan, (data.get("current_price"), data.get("close"))) if v > 0), math.nan)
    return rows.chain(as_of_ms=_as_of_ms(doc.get("timestamp")), spot=spot, underlying=_underlying(data))


def _underlying(data: dict[str, Any]) -> dict[str, Any]:
    names = {
        "last": "current_price",
        "bid": "bid",
        "ask": "ask",
        "close": "prev_day_close",
        "change": "price_change",
        "percent_change": "price_change_percent",
        "volume": "volume",
    }
    found = {name: _or_nan(data.get(wire)) for name, wire in names.items()}
    # Cboe sends 0 for the quote of an index, which has none
    return {
        name: None if math.isnan(value) or (value == 0 and name in ("last", "bid", "ask", "close")) else value
        for name, value in found.items()
    }


def _or_nan(value: Any) -> float:
    try:
        return number(value)
    except CellError:
        return math.nan


def _as_of_ms(value: Any) -> int:
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ChainFileError("its timestamp is no date") from error
    return to_ms(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
