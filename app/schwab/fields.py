"""The numbered fields of Schwab's streamer that this product subscribes to (schwab-protocol 3.11)."""

from __future__ import annotations

OPTIONS = "LEVELONE_OPTIONS"
EQUITIES = "LEVELONE_EQUITIES"  # indices such as $SPX too

# What OptionUpdate calls it -> field number of LEVELONE_OPTIONS.
OPTION_NUMBERS: dict[str, str] = {
    "bid": "2",
    "ask": "3",
    "last": "4",
    "volume": "8",
    "open_interest": "9",
    "volatility": "10",  # percent
    "bid_size": "16",
    "ask_size": "17",
    "last_size": "18",
    "delta": "28",
    "gamma": "29",
    "theta": "30",
    "vega": "31",
    "quote_ms": "38",
    "trade_ms": "39",
}

# What UnderlyingUpdate calls it -> field number of LEVELONE_EQUITIES.
EQUITY_NUMBERS: dict[str, str] = {
    "bid": "1",
    "ask": "2",
    "last": "3",
    "volume": "8",
    "close": "12",
    "change": "18",
    "mark": "33",
    "quote_ms": "34",
    "trade_ms": "35",
    "percent_change": "42",
}


def subscription(numbers: dict[str, str]) -> str:
    """The `fields` parameter: the key's own field 0, which clients always ask for, then ours in order."""
    return ",".join(["0", *sorted(numbers.values(), key=int)])
