"""In which order the windows of an underlying are read, and what one that fails costs the others."""

from __future__ import annotations

from datetime import date, timedelta

from app.feed.swept import Swept
from app.feed.windows import Window
from app.market.book import Book
from app.schwab.rest import Expiration

DAYS = [date(2026, 12, 1) + timedelta(days=n) for n in range(16)]
WINDOWS = [Window(tuple(DAYS[:8])), Window(tuple(DAYS[8:]))]


def listed() -> Swept:
    return Swept(Book("SPX"), listed=[Expiration(day, "SPXW", "P") for day in DAYS])


def rounds_until_read(swept: Swept, bad: set[date]) -> int:
    """Rounds that end at the first window with a bad date, until all others have been read."""
    for number in range(1, 40):
        for window in swept.order(WINDOWS, 0):
            if bad & set(window.dates):
                swept.refused(window.dates, number)
                break
            swept.read(window.dates, number)
        if not swept.dates - bad - swept.read_ms.keys():
            return number
    raise AssertionError(f"never read: {swept.dates - bad - swept.read_ms.keys()}")


def test_what_was_read_longest_ago_comes_first() -> None:
    swept = listed()
    assert swept.order(WINDOWS, 0) == WINDOWS
    swept.read(WINDOWS[0].dates, 20)
    swept.read(WINDOWS[1].dates, 10)
    assert swept.order(WINDOWS, 0) == [WINDOWS[1], WINDOWS[0]]


def test_one_date_that_fails_costs_nothing_but_itself() -> None:
    for day in DAYS:
        swept = listed()
        assert rounds_until_read(swept, {day}) <= 7  # two for each halving of eight, and one
        assert swept.order(WINDOWS, 0) == [Window((day,))], "only this one is tried again"


def test_two_dates_that_fail_cost_nothing_but_themselves() -> None:
    swept = listed()
    bad = {DAYS[0], DAYS[11]}
    assert rounds_until_read(swept, bad) <= 12
    assert {day for window in swept.order(WINDOWS, 0) for day in window.dates} == bad


def test_what_was_read_before_the_last_interval_is_read_again_beside_what_fails() -> None:
    swept = listed()
    rounds_until_read(swept, {DAYS[3]})
    again = [day for window in swept.order(WINDOWS, 1000) for day in window.dates]
    assert sorted(again) == DAYS
    assert again[-1] == DAYS[3]


def test_a_date_that_is_read_again_is_as_any_other() -> None:
    swept = listed()
    rounds_until_read(swept, {DAYS[3]})
    swept.read([DAYS[3]], 50)
    assert {window.dates for window in swept.order(WINDOWS, 0)} == {window.dates for window in WINDOWS}


def test_dates_that_leave_the_list_are_forgotten() -> None:
    swept = listed()
    swept.refused([DAYS[0]], 5)
    swept.listed = swept.listed[1:]
    swept.keep_listed()
    assert not swept.troubled
