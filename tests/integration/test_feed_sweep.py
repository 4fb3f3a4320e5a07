"""What the sweep takes for read: a date that is listed, or cut short, is missing until all of it is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.feed.board import Board
from app.feed.sweep import Sweeper
from app.gex import Params, compute
from app.market.book import Book
from app.schwab.rest import Rest, TokenSource
from app.simulator.control import Control
from tests.feeding import signed_in_at
from tests.simulation import simulator_in_a_thread
from tests.support import eventually

MONDAY_BEFORE_THE_OPENING = "2026-10-12T09:28:00-04:00"
Question = tuple[date, date, str]


@pytest.fixture
def base() -> Iterator[str]:
    arguments = (
        "--symbols", "AAPL", "--hours", "market", "--start", MONDAY_BEFORE_THE_OPENING, "--rate-limit", "0",
    )  # fmt: skip
    with simulator_in_a_thread(*arguments) as url:
        yield url


class Noting(Rest):
    """Schwab's REST side, which also notes the chains that it was asked for."""

    def __init__(self, tokens: TokenSource, url: str) -> None:
        super().__init__(tokens, api_url=url)
        self.asked: list[Question] = []

    def chain(self, symbol: str, first: date, last: date, side: str = "ALL") -> dict[str, Any]:
        self.asked.append((first, last, side))
        return super().chain(symbol, first, last, side)

    def was_asked(self, question: Question, times: int) -> bool:
        return self.asked.count(question) >= times


class Sweep:
    """A sweeper of AAPL at work: a test moves its clock, and the exchange's."""

    def __init__(self, base: str, folder: Path) -> None:
        self.now = 0.0
        self.control = Control(base)
        self.stop = threading.Event()
        self.book = Book("AAPL")
        self.rest = Noting(signed_in_at(base, folder), base)
        self.set_clock(MONDAY_BEFORE_THE_OPENING)
        self.sweeper = Sweeper(
            self.rest, {"AAPL": self.book}, Board("simulator", "here", wall=self.wall), interval_s=60,
            stop=self.stop, wall=self.wall, clock=lambda: self.now,
        )  # fmt: skip
        self.thread = threading.Thread(target=self.sweeper.run, daemon=True)

    def wall(self) -> float:
        return time.time() + self._ahead_s

    def set_clock(self, instant: str) -> None:
        moment = datetime.fromisoformat(instant)
        self.control.set_clock(moment)
        self._ahead_s = moment.timestamp() - time.time()

    @property
    def dates(self) -> list[date]:
        """The expiry dates of which the book holds contracts."""
        days: list[date] = np.unique(self.book.contracts.expiry).tolist()
        return days

    def held(self, day: date) -> int:
        """Contracts of one date in the book."""
        return int((self.book.contracts.expiry == np.datetime64(day)).sum())

    def until_whole(self, step_s: float = 0.0) -> None:
        """Wait until every date is read; with a step time goes on meanwhile, as after a failure it has to."""

        def whole() -> bool:
            self.now += step_s
            return len(self.book) > 0 and not self.book.missing_expiries

        eventually(whole, 10, "every date is read")

    def __enter__(self) -> Sweep:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.sweeper.kick()
        self.thread.join(5)
        self.rest.close()


@pytest.fixture
def sweep(base: str, tmp_path: Path) -> Sweep:
    return Sweep(base, tmp_path)


@pytest.fixture
def listed(base: str, tmp_path: Path) -> list[date]:
    """The expiry dates that there are, ascending."""
    rest = Rest(signed_in_at(base, tmp_path), api_url=base)
    days = sorted({expiration.expiry for expiration in rest.expirations("AAPL")})
    rest.close()
    return days


def test_an_answer_that_is_cut_short_is_asked_for_in_parts(sweep: Sweep, listed: list[date]) -> None:
    one_side = 45  # more than the calls of a date, less than its calls and puts
    sweep.control.truncate(one_side)
    with sweep:
        eventually(lambda: sweep.dates == listed and not sweep.book.missing_expiries, 10)
    day = listed[-1]
    assert (day, day, "CALL") in sweep.rest.asked
    assert (day, day, "PUT") in sweep.rest.asked
    assert all(one_side < sweep.held(day) <= 2 * one_side for day in listed)
    assert "truncated" not in sweep.book.peek(1).rejected


def test_a_date_that_stays_cut_short_is_missing(sweep: Sweep, listed: list[date]) -> None:
    cut = listed[-1]
    sweep.control.truncate(10, path=f"toDate={cut}")
    with sweep:
        eventually(lambda: sweep.dates == listed, 10)
        eventually(lambda: sweep.book.missing_expiries == 1, 10, "what may be a part is not called whole")
        chain = sweep.book.peek(round(sweep.wall() * 1000))
    assert sweep.held(cut) == 20
    assert chain.rejected == {"truncated": 1}
    assert chain.missing_dates == (cut,)
    assert "The source cut the chain short: the totals are not whole." in compute(chain).quality.warnings
    today = compute(chain, Params(bucket="0dte")).quality
    assert (today.missing_expiries, today.warnings) == (0, ()), "nothing of today's is missing"


def test_what_an_answer_that_is_cut_short_does_not_name_is_not_gone(sweep: Sweep, listed: list[date]) -> None:
    with sweep:
        sweep.until_whole()
        contracts, day = len(sweep.book), listed[-1]
        sweep.control.truncate(0, path=f"toDate={day}")
        for rounds in (1, 2, 3):
            sweep.now += 400
            eventually(partial(sweep.rest.was_asked, (day, day, "PUT"), rounds), 10)
        assert len(sweep.book) == contracts


def test_a_date_that_is_newly_listed_is_missing_until_it_is_read(sweep: Sweep, listed: list[date]) -> None:
    with sweep:
        sweep.until_whole()
        assert sweep.dates == listed
        sweep.control.fail(500, path="/chains")
        sweep.set_clock("2026-10-13T10:00:00-04:00")
        sweep.sweeper.kick()
        eventually(lambda: sweep.book.missing_expiries == 1, 10, "though nothing could be read since")
        sweep.control.fail(None)
        sweep.until_whole(step_s=20)
        assert date(2026, 10, 20) in set(sweep.dates) - set(listed)


def test_what_was_read_before_the_opening_is_read_again_at_it(sweep: Sweep) -> None:
    with sweep:
        sweep.until_whole()
        sweep.sweeper.tell_sessions()
        assert sweep.book.session == "closed"
        swept, asked = sweep.sweeper.swept["AAPL"], len(sweep.rest.asked)
        sweep.now += 61  # its turn again, and then at leisure
        eventually(lambda: len(sweep.rest.asked) > asked and swept.next_at > 300, 10)
        asked = len(sweep.rest.asked)
        sweep.set_clock("2026-10-12T09:30:01-04:00")
        sweep.sweeper.tell_sessions()
        assert sweep.book.session == "open"
        eventually(lambda: len(sweep.rest.asked) > asked, 10, "the session's own quotes are wanted at once")
