"""The exchange's calendar: trading days, half-days, and the instant at which a contract settles."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from app.market.symbols import Settlement

EXCHANGE_TZ = ZoneInfo("America/New_York")
OPEN = time(9, 30)
CLOSE = time(16, 0)
HALF_DAY_CLOSE = time(13, 0)

# exchange_calendars ends a year from today unless told; LEAPS and recorded days need more.
_FIRST, _LAST = "2005-01-01", "2040-12-31"


@cache
def _half_days() -> frozenset[date]:
    return frozenset(stamp.date() for stamp in _exchange().early_closes)


@cache
def _trading_days() -> frozenset[date]:
    return frozenset(stamp.date() for stamp in _exchange().sessions)


@cache
def _exchange() -> Any:
    import exchange_calendars  # slow to import, and needed once

    return exchange_calendars.get_calendar("XNYS", start=_FIRST, end=_LAST)


def is_trading_day(day: date) -> bool:
    """Whether the New York exchanges open on this day."""
    return day in _trading_days()


def is_half_day(day: date) -> bool:
    """Whether the regular session ends at 13:00 New York time."""
    return day in _half_days()


def close_time(day: date) -> time:
    """When the regular session of this day ends, New York time."""
    return HALF_DAY_CLOSE if is_half_day(day) else CLOSE


@lru_cache(maxsize=4096)
def settle_ms(expiry: date, settlement: Settlement) -> int:
    """The instant from which a contract is worth its settlement value, ms since the epoch (UTC).

    AM-settled series settle on the opening of the expiry day (09:30 New York), all others on its close:
    16:00, or 13:00 on half-days.
    """
    clock = OPEN if settlement == "A" else close_time(expiry)
    return to_ms(datetime.combine(expiry, clock, EXCHANGE_TZ))


def to_ms(instant: datetime) -> int:
    """Milliseconds since the epoch of an aware datetime."""
    return round(instant.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of milliseconds since the epoch."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def exchange_day(ms: int) -> date:
    """The date in New York at this instant."""
    return datetime.fromtimestamp(ms / 1000, EXCHANGE_TZ).date()


def previous_trading_day(day: date) -> date:
    """The last trading day on or before `day`."""
    while not is_trading_day(day):
        day -= timedelta(days=1)
    return day
