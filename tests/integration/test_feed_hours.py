"""A running feed over the close, the night roll, the weekend and the next opening, on a clock that the test sets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime
from datetime import time as time_of_day
from pathlib import Path

import numpy as np
import pytest

from app.cache import Store
from app.feed.service import Feed
from app.simulator.control import Control
from tests.feeding import Running, settings_at, signed_in_at
from tests.simulation import running_simulator
from tests.support import eventually

FRIDAY = date(2026, 11, 20)


class Clock:
    """The exchange's time, at the simulator and in the feed."""

    def __init__(self, base: str) -> None:
        self._control = Control(base)
        self._ahead_s = 0.0

    def set(self, instant: str) -> None:
        moment = datetime.fromisoformat(instant)
        self._control.set_clock(moment)
        self._ahead_s = moment.timestamp() - time.time()

    def __call__(self) -> float:
        return time.time() + self._ahead_s


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator(
        "--hours", "market", "--start", "2026-11-20T15:30:00-05:00", "--tick", "0.2", "--greeks", "0.2",
        "--rate-limit", "0", "--heartbeat", "1", "--symbols", "AAPL",
    ) as url:  # fmt: skip
        yield url


def test_a_feed_lives_through_the_close_the_night_the_weekend_and_the_next_opening(
    base: str, memory: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.feed.sweep._HOURS_EVERY_S", 0.5)
    monkeypatch.setattr("app.feed.sweep._CLOSED_SLOWER", 1)
    clock = Clock(base)
    clock.set("2026-11-20T15:30:00-05:00")
    settings = settings_at(base, tmp_path, sweep_interval_s=5)
    oauth = signed_in_at(base, tmp_path)
    feed = Feed(settings, memory, oauth, wall=clock)
    feed.start()
    try:
        running = Running(feed, memory, oauth, settings)
        chain = running.whole()
        assert chain.session == "open"
        assert FRIDAY in chain.contracts.expiry.tolist()

        clock.set("2026-11-20T15:59:59-05:00")
        eventually(
            lambda: FRIDAY not in running.chain().contracts.expiry.tolist(), 5, "today's leave at 16:00"
        )
        chain = eventually(lambda: (c := running.chain()).session == "closed" and c, 5, "the market closes")
        assert chain
        assert not chain.quotes.streaming.any(), "nothing passes for live"
        assert np.isfinite(chain.quotes.iv).any(), "the last session's numbers stay"

        clock.set("2026-11-21T01:00:01-05:00")
        eventually(
            lambda: np.isnan(running.chain().quotes.gamma).all(), 10, "greeks are gone, none stands in"
        )
        chain = running.chain()
        assert np.isnan(chain.quotes.iv).all()
        assert np.isfinite(chain.quotes.bid).any()
        assert chain.session == "closed"

        clock.set("2026-11-23T08:05:01-05:00")
        eventually(
            lambda: np.isfinite(running.chain().quotes.gamma).any(), 10, "the morning's image is there"
        )

        clock.set("2026-11-23T09:30:01-05:00")
        eventually(lambda: running.chain().session == "open", 15, "the market opens")
        eventually(lambda: running.chain().quotes.streaming.any(), 10, "the stream keeps it again")
        status = running.status()
        assert (status.state, status.reconnects, running.problem()) == ("live", 0, "")
    finally:
        feed.stop()


def test_open_interest_is_read_again_right_after_the_mornings_refresh(
    memory: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two sweeps that are an hour apart, the day's new open interest would come up to an hour late."""
    monkeypatch.setattr("app.feed.hours.REFRESHED", time_of_day(8, 5, 4))
    with running_simulator(
        "--hours", "market", "--start", "2026-11-23T08:04:30-05:00", "--rate-limit", "0", "--symbols", "AAPL"
    ) as base:
        clock = Clock(base)
        settings = settings_at(base, tmp_path, sweep_interval_s=3600)
        oauth = signed_in_at(base, tmp_path)
        clock.set("2026-11-23T08:04:45-05:00")
        feed = Feed(settings, memory, oauth, wall=clock)
        feed.start()
        try:
            running = Running(feed, memory, oauth, settings)
            before = eventually(lambda: (c := running.chain()).missing_expiries == 0 and c, 30, "it is whole")
            assert before
            assert clock() < datetime.fromisoformat("2026-11-23T08:05:00-05:00").timestamp(), "read too late"
            was = dict(
                zip(before.contracts.symbol.tolist(), before.quotes.open_interest.tolist(), strict=True)
            )

            def renewed() -> bool:
                now = running.chain()
                is_ = zip(now.contracts.symbol.tolist(), now.quotes.open_interest.tolist(), strict=True)
                changed = [name for name, interest in is_ if interest != was.get(name)]
                return len(changed) > len(was) / 2

            eventually(renewed, 40, "most contracts have new open interest")
        finally:
            feed.stop()
