"""Which series an exchange lists on a day: dailies, weeklies, ends of month, monthlies and LEAPS."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from app.market.calendar import CLOSE, EXCHANGE_TZ, is_trading_day, previous_trading_day, settle_ms, to_ms
from app.market.symbols import Settlement
from app.simulator.underlyings import Profile

ExpirationType = Literal["S", "W", "M", "Q"]

DAILY_DAYS = 7
_WEEKLY_WEEKS = 8
_MONTHS = 12


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """All contracts of one root and expiry.

    Attributes:
        kind: S standard monthly, W weekly, M end of month, Q end of quarter.
    """

    expiry: date
    root: str
    settlement: Settlement
    kind: ExpirationType

    @property
    def settle_ms(self) -> int:
        """The settlement instant, ms since the epoch."""
        return settle_ms(self.expiry, self.settlement)


def series_on(profile: Profile, day: date, every_day: bool = True) -> tuple[Series, ...]:
    """The series listed on `day`, by expiry, AM before PM.

    Args:
        every_day: whether the exchange trades on weekends and holidays too, so that there is an expiry on each of the
            next seven calendar days; otherwise dailies are on trading days only.
    """
    kinds: dict[date, ExpirationType] = {}
    for expiry, kind in _pm_expiries(profile, day, every_day):
        kinds.setdefault(expiry, kind)
    listed = [Series(expiry, profile.pm_root, "P", kind) for expiry, kind in kinds.items()]
    if profile.am_root:
        months = [*_third_fridays(day, _MONTHS), *_leaps(profile, day)]
        listed += [Series(expiry, profile.am_root, "A", "S") for expiry in months]
    return tuple(sorted(listed, key=lambda s: (s.expiry, s.settlement)))


def _pm_expiries(profile: Profile, day: date, every_day: bool) -> Iterator[tuple[date, ExpirationType]]:
    monthly: ExpirationType = "W" if profile.am_root else "S"
    for expiry in _third_fridays(day, _MONTHS):
        yield expiry, monthly
    if not profile.am_root:
        for expiry in _leaps(profile, day):
            yield expiry, "S"
    if profile.kind != "EQUITY":
        for expiry in _month_ends(day):
            yield expiry, "Q" if expiry.month % 3 == 0 else "M"
    for ahead in range(DAILY_DAYS + 1):
        expiry = day + timedelta(days=ahead)
        if every_day or is_trading_day(expiry):
            yield expiry, "W"
    for expiry in _weeklies(profile, day):
        yield expiry, "W"


def _weeklies(profile: Profile, day: date) -> Iterator[date]:
    for ahead in range(DAILY_DAYS + 1, 7 * _WEEKLY_WEEKS + 1):
        expiry = day + timedelta(days=ahead)
        midweek = profile.kind != "EQUITY" and ahead <= 21 and expiry.weekday() in (0, 2)
        if expiry.weekday() == 4 or midweek:
            yield previous_trading_day(expiry)


def _third_fridays(day: date, months: int) -> list[date]:
    return [expiry for expiry in (_third_friday(*_month(day, n)) for n in range(months + 1)) if expiry >= day]


def _leaps(profile: Profile, day: date) -> list[date]:
    index = profile.kind == "INDEX"
    months = (6, 12) if index else (1, 6)
    years = range(day.year + 1, day.year + (6 if index else 4))
    dates = (_third_friday(year, month) for year in years for month in months)
    return [expiry for expiry in dates if expiry > _third_friday(*_month(day, _MONTHS))]


def _month_ends(day: date) -> list[date]:
    months = (_month(day, n) for n in range(_MONTHS))
    ends = (date(year, month, calendar.monthrange(year, month)[1]) for year, month in months)
    return [expiry for expiry in map(previous_trading_day, ends) if expiry >= day]


def _month(day: date, ahead: int) -> tuple[int, int]:
    index = day.year * 12 + day.month - 1 + ahead
    return index // 12, index % 12 + 1


def _third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return previous_trading_day(first + timedelta(days=(4 - first.weekday()) % 7 + 14))


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """One (root, expiry) as the wire describes it.

    Attributes:
        key: the "yyyy-MM-dd:days" of the chain's maps.
        instant: "2026-10-16T20:00:00.000+00:00".
        last_trading_ms: midnight New York time after the last day of trading, ms since the epoch.
    """

    series: Series
    days: int
    key: str
    instant: str
    last_trading_ms: int


def series_facts(series: Series, day: date) -> SeriesFacts:
    """The facts of a series, seen from `day`."""
    days = (series.expiry - day).days
    closing = datetime.combine(series.expiry, CLOSE, EXCHANGE_TZ).astimezone(UTC)
    instant = closing.strftime("%Y-%m-%dT%H:%M:%S.000+00:00")
    last = series.expiry
    if series.settlement == "A":
        last = previous_trading_day(series.expiry - timedelta(days=1))
    midnight = to_ms(datetime.combine(last + timedelta(days=1), time(0), EXCHANGE_TZ))
    return SeriesFacts(series, days, f"{series.expiry}:{days}", instant, midnight)
