"""Rows 4 and 5: how often a feed that can't get in tries, over minutes of simulated time.

The connections are real; only waiting is not: it sets a clock forward instead.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock
from urllib.parse import urlsplit

from app.feed.board import Board
from app.feed.link import Link
from app.feed.subscription import Wanted
from app.models import TokenLife
from app.schwab.oauth import OAuth
from app.schwab.rest import Rest, StreamerInfo
from app.simulator.control import Control
from benchmarks.chaos.proxy import Proxy
from benchmarks.chaos.rig import folder
from benchmarks.chaos.rows import Outcome, row
from tests.feeding import signed_in_at
from tests.simulation import running_simulator

_MINUTES = 10


class Time(threading.Event):
    """A clock that only waiting moves, and that stops everybody at its end."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.now = 0.0
        self._end = seconds

    def wait(self, timeout: float | None = None) -> bool:
        """Be there at once."""
        self.now += timeout or 0.0
        if self.now >= self._end:
            self.set()
        return self.is_set()

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self.now

    def wall(self) -> float:
        """The same as a time of day."""
        return _BEGAN + self.now


_BEGAN = time.time()


class Detour(Rest):
    """Sends the stream through a proxy."""

    def __init__(self, oauth: OAuth, base: str, port: int) -> None:
        super().__init__(oauth, api_url=base)
        self._port = port

    def streamer_info(self) -> StreamerInfo:
        return replace(super().streamer_info(), url=f"ws://127.0.0.1:{self._port}/ws")


@contextmanager
def proxied(base: str) -> Iterator[Proxy]:
    """A proxy in front of the simulator."""
    parts = urlsplit(base)
    assert parts.hostname is not None
    place = (parts.hostname, int(parts.port or 80))
    with Proxy(lambda: socket.create_connection(place, 5)).running() as proxy:
        yield proxy


def run_link(base: str, oauth: OAuth, port: int, minutes: float) -> Board:
    """The stream's thread, at work for so many simulated minutes."""
    clock = Time(60 * minutes)
    board = Board("simulator", "chaos", wall=clock.wall)
    link = Link(
        oauth, Detour(oauth, base, port), board,
        deliver=lambda _: None, wanted=lambda: Wanted(equities=("AAPL",)), lost=lambda: None,
        dropped=lambda _: None, back=lambda: None, may_connect=lambda: True, sign_in=None, stop=clock,
        clock=clock.monotonic,
    )  # fmt: skip
    with mock.patch("app.schwab.oauth.time", SimpleNamespace(monotonic=clock.monotonic, time=clock.wall)):
        link.run()
    return board


@row(4, "server accepts and drops, 10 simulated minutes", "at most 40 attempts")
def accepts_and_drops(quick: bool) -> Outcome:
    """Dropped at once, after the handshake, and after the login was answered."""
    del quick
    counts = {}
    with running_simulator("--symbols", "AAPL", "--rate-limit", "0") as base, folder() as data:
        oauth = signed_in_at(base, data)
        for when, pieces in (("at once", 0), ("after the handshake", 1), ("after the login", 2)):
            with proxied(base) as proxy:
                proxy.drop_after = pieces
                run_link(base, oauth, proxy.port, _MINUTES)
                counts[when] = proxy.accepted
    measured = "attempts: " + ", ".join(f"{count} ({when})" for when, count in counts.items())
    return Outcome(measured, ok=max(counts.values()) <= 40)


@row(
    5,
    "login denied, dead refresh token",
    "1 login per token, then at most 1 try a minute; the banner says what to do",
)
def no_way_in(quick: bool) -> Outcome:
    """LOGIN answered with code 3 for ten simulated minutes; then a login that has ended, for as long."""
    del quick
    with running_simulator("--symbols", "AAPL", "--rate-limit", "0") as base, folder() as data:
        schwab = Control(base)
        denied, denied_ok = _denied(base, schwab, data)
        dead, dead_ok = _dead(base, schwab, data)
    return Outcome(f"{denied}; {dead}", ok=denied_ok and dead_ok)


def _denied(base: str, schwab: Control, data: Path) -> tuple[str, bool]:
    oauth = signed_in_at(base, data)
    schwab.deny_login()
    before = schwab.state()
    with proxied(base) as proxy:
        board = run_link(base, oauth, proxy.port, _MINUTES)
    state = schwab.state()
    schwab.clear()
    tries = state["logins_denied"] - before["logins_denied"]
    tokens = 1 + state["refreshes"] - before["refreshes"]
    code, cure = _problem(board)
    said = f"denied: {tries} logins with {tokens} tokens in {_MINUTES} min, banner {code}: {cure!r}"
    return said, tries <= tokens and tries <= _MINUTES + 2 and code == "login_denied" and "/login" in cure


def _dead(base: str, schwab: Control, data: Path) -> tuple[str, bool]:
    oauth = signed_in_at(base, data)
    schwab.expire("refresh")
    schwab.expire("access")
    before = schwab.state()["requests"].get("/v1/oauth/token", 0)
    with proxied(base) as proxy:
        board = run_link(base, oauth, proxy.port, _MINUTES)
        logins = proxy.accepted
    asked = schwab.state()["requests"].get("/v1/oauth/token", 0) - before
    code, cure = _problem(board)
    said = f"dead: {asked} question to the token endpoint, {logins} logins, banner {code}: {cure!r}"
    return said, asked == 1 and logins <= 1 and code == "login_expired" and "/login" in cure


def _problem(board: Board) -> tuple[str, str]:
    problem = board.connection(TokenLife(), {}).problem
    return (problem.code, problem.cure) if problem else ("", "")
