"""The simulated exchange's time: around the clock, or a market day with its night, its roll and its weekend."""

from __future__ import annotations

import time as system_time
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Literal

from app.market.calendar import (
    EXCHANGE_TZ,
    OPEN,
    close_time,
    exchange_day,
    is_trading_day,
    previous_trading_day,
    to_ms,
)
from app.simulator.options import Hours

# open: it trades. closed: the evening, the session's last values stand still. rolled: after 01:00 of a trading day, greeks,
# sizes and times are gone. weekend: after 01:00 of any other day, greeks alone are gone. fresh: after 08:05, new open
# interest and greeks, waiting for the opening.
Phase = Literal["open", "closed", "rolled", "weekend", "fresh"]

ROLL = time(1, 0)
REFRESH = time(8, 5)
GLOBAL_OPEN = time(20, 15)
GLOBAL_CLOSE = time(9, 15)


class Clock:
    """What time it is at the exchange, and what goes on there.

    Args:
        hours: "always" trades every second of every day; "market" keeps New York's trading hours and holidays.
        start: what the clock shows when it is made; the real time when None.
        source: seconds since the epoch, real time unless a test says otherwise.
    """

    def __init__(
        self,
        hours: Hours = "always",
        start: datetime | None = None,
        source: Callable[[], float] = system_time.time,
    ) -> None:
        self.hours = hours
        self._source = source
        self._offset_ms = 0
        if start is not None:
            self.set(start)

    def set(self, instant: datetime) -> None:
        """Show this instant now, and go on from there."""
        self._offset_ms = to_ms(instant) - round(self._source() * 1000)

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as the exchange sees it."""
        return round(self._source() * 1000) + self._offset_ms

    def phase(self, now_ms: int, overnight: bool = False) -> Phase:
        """What the exchange does at this instant.

        Args:
            overnight: whether it is asked for what also trades in the global session, 20:15 to 09:15.
        """
        moment = datetime.fromtimestamp(now_ms / 1000, EXCHANGE_TZ)
        if self.hours == "always" or (overnight and _in_global_session(moment)):
            return "open"
        if moment.time() < ROLL:
            return "closed" if is_trading_day(moment.date() - timedelta(days=1)) else "weekend"
        if not is_trading_day(moment.date()):
            return "weekend"
        if moment.time() < REFRESH:
            return "rolled"
        if moment.time() < OPEN:
            return "fresh"
        return "open" if moment.time() < close_time(moment.date()) else "closed"

    def market_ms(self, now_ms: int, overnight: bool = False) -> int:
        """The last instant at which the exchange traded: now, or the close of the regular session before."""
        if self.phase(now_ms, overnight) == "open":
            return now_ms
        moment = datetime.fromtimestamp(now_ms / 1000, EXCHANGE_TZ)
        day = moment.date()
        if not is_trading_day(day) or moment.time() < OPEN:
            day = previous_trading_day(day - timedelta(days=1))
        return to_ms(datetime.combine(day, close_time(day), EXCHANGE_TZ))

    def listing_day(self, now_ms: int) -> date:
        """The day that days to expiration are counted from: it changes at midnight, or with the roll at 01:00."""
        delay = 0 if self.hours == "always" else 3_600_000
        return exchange_day(now_ms - delay)

    def interest_day(self, now_ms: int) -> date:
        """The day whose open interest is shown: as listing_day, but the new one comes with the refresh at 08:05."""
        day = self.listing_day(now_ms)
        if self.hours == "market" and datetime.fromtimestamp(now_ms / 1000, EXCHANGE_TZ).time() < REFRESH:
            return exchange_day(now_ms) - timedelta(days=1)
        return day


def _in_global_session(moment: datetime) -> bool:
    """20:15 of the evening before a trading day, to 09:15 of that day."""
    if moment.time() >= GLOBAL_OPEN:
        return is_trading_day(moment.date() + timedelta(days=1))
    return moment.time() < GLOBAL_CLOSE and is_trading_day(moment.date())
