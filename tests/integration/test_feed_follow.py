"""Underlyings followed and dropped while the feed runs, on the simulator and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cache import Store
from app.simulator.control import Control
from app.watchlist import Watchlist
from tests.feeding import running_feed
from tests.simulation import running_simulator
from tests.support import eventually

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator("--symbols", "AAPL,MSFT", "--rate-limit", "0", "--tick", "0.2") as url:
        yield url


def test_what_is_followed_while_running_streams_and_what_is_dropped_ends(
    base: str, store: Store, control: Control, tmp_path: Path
) -> None:
    with running_feed(base, store, tmp_path, stream_keys=300) as running:
        running.whole()
        owner = Watchlist(store, running.settings)  # as a web process does

        owner.follow("MSFT")
        running.whole("MSFT")
        assert control.state()["connections_open"] == 1, "on the connection that was there"

        owner.drop("AAPL")
        eventually(lambda: store.version("AAPL") is None, 20, "its chain is gone")
        eventually(lambda: list(running.status().coverage) == ["MSFT"], 10)
        assert store.symbols() == ["MSFT"]
        eventually(lambda: running.chain("MSFT").quotes.streaming.sum() == 300, 30, "MSFT has all keys now")
        assert running.status().reconnects == 0
        eventually(lambda: {"followed", "dropped"} <= {event.kind for event in store.events()}, 10)


def test_a_symbol_that_schwab_does_not_know_is_told_until_it_is_dropped(
    base: str, store: Store, tmp_path: Path
) -> None:
    with running_feed(base, store, tmp_path) as running:
        running.whole()
        owner = Watchlist(store, running.settings)

        owner.follow("ZZZZ")
        eventually(lambda: running.problem() == "unknown_symbol", 20)

        owner.drop("ZZZZ")
        eventually(lambda: running.problem() == "", 20)
