"""What the sweep takes for read: a date that is listed, or cut short, is missing until all of it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest

from app.errors import BrokerError
from app.feed.board import Board
from app.feed.sweep import Sweeper
from app.gex import compute
from app.market.book import Book
from app.market.calendar import from_ms, to_ms
from app.schwab.rest import Expiration, Rest
from tests.support import eventually
from tests.unit.test_schwab_chains import contract, document

TODAY = date(2026, 10, 12)
DAYS = [TODAY + timedelta(days=n) for n in (1, 2, 3)]
NOW_S = to_ms(datetime(2026, 10, 12, 14, tzinfo=UTC)) / 1000

Answer = Callable[[date, date, str], dict[str, Any]]


def listed(days: list[date], side: str) -> dict[str, Any]:
    """A call and a put of each date, or one of the two."""
    maps = {
        f"{right}ExpDateMap": {
            day.isoformat(): {"7685.0": [contract(f"SPXW  {day:%y%m%d}{right[0].upper()}07685000")]}
            for day in days
            if side in ("ALL", right.upper())
        }
        for right in ("call", "put")
    }
    return document(**maps)


class Broker:
    """Answers the sweep's questions from memory; `cut` says which are cut short, `failing` which fail."""

    def __init__(self, days: list[date]) -> None:
        self.days = days
        self.cut: Callable[[date, date, str], bool] = lambda *_: False
        self.failing: set[date] = set()
        self.hours: dict[str, Any] = {}
        self.lost = ""  # the side of which cut answers lack everything
        self.asked: list[tuple[date, date, str]] = []

    def was_asked(self, question: tuple[date, date, str], times: int) -> bool:
        return self.asked.count(question) >= times

    def markets(self) -> dict[str, Any]:
        return self.hours

    def expirations(self, symbol: str) -> list[Expiration]:
        assert symbol == "SPX"
        return [Expiration(day, "SPXW", "P") for day in self.days]

    def chain(self, symbol: str, first: date, last: date, side: str = "ALL") -> dict[str, Any]:
        assert symbol == "SPX"
        self.asked.append((first, last, side))
        days = [day for day in self.days if first <= day <= last]
        if self.failing & set(days):
            raise BrokerError("away", status=500)
        answer = listed(days, side)
        cut = self.cut(first, last, side)
        if cut and side == self.lost:
            answer |= {"callExpDateMap": {}, "putExpDateMap": {}}
        return answer | {"isChainTruncated": cut}


class Sweep:
    """A sweeper of SPX at work, on a clock that a test moves."""

    def __init__(self, broker: Broker) -> None:
        self.now = 0.0
        self.stop = threading.Event()
        self.book = Book("SPX")
        self.board = Board("schwab", "here", wall=lambda: NOW_S)
        self.sweeper = Sweeper(
            cast(Rest, broker), {"SPX": self.book}, self.board, interval_s=60, stop=self.stop,
            wall=lambda: NOW_S + self.now, clock=lambda: self.now,
        )  # fmt: skip
        self.thread = threading.Thread(target=self.sweeper.run, daemon=True)

    def __enter__(self) -> Sweep:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.sweeper.kick()
        self.thread.join(5)


@pytest.fixture
def broker() -> Broker:
    return Broker(list(DAYS))


def test_an_answer_that_is_cut_short_is_asked_for_in_parts(broker: Broker) -> None:
    broker.cut = lambda first, last, side: side == "ALL" and not first == last == DAYS[0]
    with Sweep(broker) as sweep:
        eventually(lambda: len(sweep.book) == 6, 5, "every contract is read")
        eventually(lambda: not sweep.book.missing_expiries, 5)
    assert (DAYS[1], DAYS[1], "PUT") in broker.asked
    assert "truncated" not in sweep.book.peek(1).rejected


def test_a_date_that_stays_cut_short_is_missing(broker: Broker) -> None:
    broker.cut = lambda _first, last, side: last == DAYS[2] and side != "CALL"
    with Sweep(broker) as sweep:
        eventually(lambda: len(sweep.book) == 6, 5)
        eventually(lambda: sweep.book.missing_expiries == 1, 5, "what may be a part is not called whole")
        chain = sweep.book.peek(1)
    assert chain.rejected == {"truncated": 1}
    assert "The source cut the chain short: the totals are not whole." in compute(chain).quality.warnings


def test_what_an_answer_that_is_cut_short_does_not_name_is_not_gone(broker: Broker) -> None:
    with Sweep(broker) as sweep:
        eventually(lambda: len(sweep.book) == 6 and not sweep.book.missing_expiries, 5)
        broker.cut = lambda _first, last, _side: last == DAYS[2]
        broker.lost = "PUT"
        for rounds in (1, 2, 3):
            sweep.now += 120
            eventually(partial(broker.was_asked, (DAYS[2], DAYS[2], "PUT"), rounds), 5)
        assert len(sweep.book) == 6


def test_a_date_that_is_newly_listed_is_missing_until_it_is_read(broker: Broker) -> None:
    with Sweep(broker) as sweep:
        eventually(lambda: len(sweep.book) == 6 and not sweep.book.missing_expiries, 5)
        later = DAYS[-1] + timedelta(days=5)
        broker.days.append(later)
        broker.failing = {later}
        sweep.sweeper.kick()
        eventually(lambda: sweep.book.missing_expiries == 1, 5, "though nothing could be read since")
        broker.failing = set()
        sweep.now += 120
        eventually(lambda: len(sweep.book) == 8 and not sweep.book.missing_expiries, 5)


def test_what_was_read_before_the_opening_is_read_again_at_it(broker: Broker) -> None:
    opening, closing = (from_ms(round((NOW_S + after) * 1000)).isoformat() for after in (100, 20_000))
    hours = {"regularMarket": [{"start": opening, "end": closing}]}
    broker.hours = {"option": {"IND": {"isOpen": True, "sessionHours": hours}}}
    with Sweep(broker) as sweep:
        eventually(lambda: not sweep.book.missing_expiries and len(sweep.book) == 6, 5)
        sweep.sweeper.tell_sessions()
        assert sweep.book.session == "closed"
        first, asked = sweep.sweeper.swept["SPX"], len(broker.asked)
        sweep.now += 61  # its turn again, and then at leisure
        eventually(lambda: len(broker.asked) > asked and first.next_at > 300, 5)
        asked = len(broker.asked)
        sweep.now += 60
        sweep.sweeper.tell_sessions()
        assert sweep.book.session == "open"
        eventually(lambda: len(broker.asked) > asked, 5, "the session's own quotes are wanted at once")
