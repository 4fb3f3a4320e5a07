"""Several feeds on one Redis: one streams, whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.cache import Store
from app.feed.lease import TTL_S
from app.models import SchwabConnection
from app.simulator import APP_KEY, APP_SECRET
from app.simulator.control import Control
from tests.feeding import oauth_at, sign_in
from tests.simulation import running_simulator
from tests.support import clean_environment, eventually, process

pytestmark = pytest.mark.redis


@pytest.fixture
def base() -> Iterator[str]:
    with running_simulator("--symbols", "AAPL", "--rate-limit", "0") as url:
        yield url


@pytest.fixture
def feeds(base: str, redis_url: str, tmp_path: Path) -> Iterator[dict[int, subprocess.Popen[bytes]]]:
    """Two feeds of one login, by process id."""
    sign_in(oauth_at(base, tmp_path))
    environment = clean_environment(
        REDIS_URL=redis_url, SCHWAB_API_URL=base, SCHWAB_APP_KEY=APP_KEY, SCHWAB_APP_SECRET=APP_SECRET,
        SYMBOLS="AAPL", DATA_DIR=str(tmp_path),
    )  # fmt: skip
    with ExitStack() as stack:
        children = [
            stack.enter_context(process("feed", env=environment, log=tmp_path / f"log{i}")) for i in range(2)
        ]
        yield {child.pid: child for child in children}


def leader_of(store: Store) -> int:
    """The process id that the status names."""
    data = store.status()
    assert data is not None
    return int(SchwabConnection.model_validate_json(data).leader.rpartition(":")[2])


def epoch_of(store: Store) -> int:
    """Which leadership wrote the newest chain."""
    version = store.version("AAPL")
    assert version is not None
    return version.epoch


def streams(store: Store) -> bool:
    """Whether the newest chain is live."""
    loaded = store.load("AAPL")
    return loaded is not None and bool(loaded.chain.quotes.streaming.any())


def test_a_killed_leader_is_replaced_within_its_lease_and_a_second(
    feeds: dict[int, subprocess.Popen[bytes]], store: Store
) -> None:
    eventually(lambda: streams(store), 30)
    victim = leader_of(store)
    feeds[victim].kill()
    began = time.monotonic()
    before = epoch_of(store)
    eventually(lambda: leader_of(store) != victim, TTL_S + 3)
    assert time.monotonic() - began < TTL_S + 1.5
    eventually(lambda: epoch_of(store) > before and streams(store), 20)


def test_a_paused_leader_that_wakes_writes_nothing_and_leaves_the_stream_to_its_successor(
    base: str, feeds: dict[int, subprocess.Popen[bytes]], store: Store
) -> None:
    control = Control(base)
    eventually(lambda: streams(store), 30)
    sleeper, before = leader_of(store), epoch_of(store)
    os.kill(sleeper, signal.SIGSTOP)
    try:
        eventually(lambda: leader_of(store) != sleeper, TTL_S + 3)
        eventually(lambda: epoch_of(store) > before and streams(store), 20)
        epoch = epoch_of(store)
        logins = control.state()["logins"]
    finally:
        os.kill(sleeper, signal.SIGCONT)
    for _ in range(30):
        assert leader_of(store) != sleeper
        assert epoch_of(store) == epoch
        time.sleep(0.1)
    assert control.state()["logins"] == logins, "it doesn't push its successor out"
    assert control.state()["connections_open"] == 1
    assert feeds[sleeper].poll() is None, "it waits for its turn"
