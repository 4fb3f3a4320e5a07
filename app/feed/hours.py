"""Whether a market is open, from the broker's own /markets answer."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from app.market.calendar import EXCHANGE_TZ, is_trading_day
from app.market.chain import Session

REFRESHED = time(8, 6)


def session_at(document: dict[str, Any], product: str, now: datetime) -> Session:
    """open or closed for an option product (IND index options, EQO equity options) at `now`; unknown where nothing tells.

    A closed day has another product name and no hours.
    """
    markets = document.get("option")
    if not isinstance(markets, dict) or not markets:
        return "unknown"
    entry = markets.get(product)
    if not isinstance(entry, dict):
        listed = [other for other in markets.values() if isinstance(other, dict)]
        return "closed" if listed and all(other.get("isOpen") is False for other in listed) else "unknown"
    if entry.get("isOpen") is False:
        return "closed"
    spans = [span for span in map(_span, _regular(entry)) if span is not None]
    if not spans:
        return "unknown"
    return "open" if any(start <= now < end for start, end in spans) else "closed"


def seconds_to_refresh(now: datetime) -> float:
    """How long until the next time that new open interest is there: a minute after Schwab's refresh of 08:05 New York."""
    here = now.astimezone(EXCHANGE_TZ)
    day = here.date() if here.time() < REFRESHED else here.date() + timedelta(days=1)
    while not is_trading_day(day):
        day += timedelta(days=1)
    return datetime.combine(day, REFRESHED, EXCHANGE_TZ).timestamp() - now.timestamp()


def _regular(entry: dict[str, Any]) -> list[Any]:
    hours = entry.get("sessionHours")
    regular = hours.get("regularMarket") if isinstance(hours, dict) else None
    return regular if isinstance(regular, list) else []


def _span(span: Any) -> tuple[datetime, datetime] | None:
    try:
        start, end = datetime.fromisoformat(span["start"]), datetime.fromisoformat(span["end"])
    except (KeyError, TypeError, ValueError):
        return None
    return (start, end) if start.tzinfo and end.tzinfo else None
