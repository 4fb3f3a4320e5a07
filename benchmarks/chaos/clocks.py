"""Row 12: clocks and calendars."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import exchange_calendars
import numpy as np

from app.feed.skew import Skew
from app.gex import compute
from app.market.book import Book
from app.market.calendar import close_time, is_half_day, is_trading_day, settle_ms, to_ms
from benchmarks.chaos.rows import Outcome, row
from tests import chains

YEARS, QUICK_YEARS = 10, 2
FIRST = date(2020, 1, 1)
HOUR_MS = 3_600_000


@row(
    12,
    "clock skew of an hour, DST both ways, ten years of holidays and half-days",
    "0 differences from exchange_calendars; no T <= 0 in the engine",
)
def clocks(quick: bool) -> Outcome:
    """Every day's close against the exchange's calendar; every hour around both changes of DST through the engine."""
    years = QUICK_YEARS if quick else YEARS
    days, differing = _calendar(years)
    instants, expired = _changes_of_dst()
    corrected = [_skewed(ahead) for ahead in (3600.0, -3600.0)]
    return Outcome(
        f"{differing} differences on {days:,} days; {expired} contracts with T <= 0 used at {instants} instants around DST; "
        f"an hour's skew put right to {max(map(abs, corrected)):.2f} s",
        differing == 0 and expired == 0 and max(map(abs, corrected)) < 1.0,
    )


def _calendar(years: int) -> tuple[int, int]:
    last = FIRST.replace(year=FIRST.year + years)
    theirs = exchange_calendars.get_calendar("XNYS", start=FIRST.isoformat(), end=last.isoformat())
    closes = {session.date(): close for session, close in theirs.closes.items()}
    opens = {session.date(): begin for session, begin in theirs.opens.items()}
    early = {stamp.date() for stamp in theirs.early_closes}
    days, differing = 0, 0
    day = FIRST
    while day < last:
        listed = day in closes
        same = is_trading_day(day) == listed and is_half_day(day) == (day in early)
        if listed:
            same &= settle_ms(day, "P") == closes[day].value // 1_000_000
            same &= settle_ms(day, "A") == opens[day].value // 1_000_000
            same &= (close_time(day).hour == 13) == (day in early)
        differing += not same
        days += 1
        day += timedelta(days=1)
    return days, differing


def _changes_of_dst() -> tuple[int, int]:
    """A chain over both changes of 2027, hour by hour, as a feed drops what has settled: contracts used too late."""
    instants, expired = 0, 0
    for change in (date(2027, 3, 14), date(2027, 11, 7)):
        series = tuple(
            chains.Listed("SPXW", change + timedelta(days=n), step=50.0, width=1.0) for n in (-2, 1, 3)
        )
        made, _ = chains.synthetic(series=series)
        begin = to_ms(datetime(change.year, change.month, change.day, tzinfo=UTC) - timedelta(days=3))
        book = Book(made.symbol)
        book.merge(made, change - timedelta(days=9), change + timedelta(days=9))
        for hour in range(9 * 24):
            now_ms = begin + hour * HOUR_MS
            book.drop_settled(now_ms)
            chain = book.snapshot(now_ms)
            expired += int((chain.contracts.settle_ms <= now_ms).sum())
            if len(chain):
                snapshot = compute(chain)
                expired += int(np.sum(np.array([e.settle_ms for e in snapshot.expiries]) <= now_ms))
            instants += 1
    return instants, expired


def _skewed(ahead_s: float) -> float:
    """How far the corrected clock is off, in s."""
    skew = Skew(lambda: time.time() + ahead_s)
    for _ in range(10):
        skew.heard(round(time.time() * 1000))
    return skew.wall() - time.time()
