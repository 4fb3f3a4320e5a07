"""The feed's pure parts: backoff, liveness, plan, windows, subscription, hours, lease."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cache import open_store
from app.cache.memory import MemoryStore
from app.errors import CacheError
from app.feed.backoff import CAP_S, STABLE_S, Backoff, full_jitter
from app.feed.contender import Contender
from app.feed.hours import seconds_to_refresh, session_at
from app.feed.lease import Lease
from app.feed.liveness import DEAD_AFTER_S, DataWatch, Liveness

# --- backoff -------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_are_spread_between_nothing_and_the_cap(failures: int, draw: float) -> None:
    assert 0 <= full_jitter(failures, draw) <= CAP_S
    assert full_jitter(failures, 0.0) == 0
    assert full_jitter(failures + 1, draw) >= full_jitter(failures, draw)


def attempts_within(seconds: float, lasting_s: float, seed: int) -> int:
    """Connections made in this time to a server that ends each after `lasting_s`."""
    backoff, now, count = Backoff(random.Random(seed).random), 0.0, 0
    while now < seconds:
        count += 1
        backoff.connected(now)
        now += lasting_s
        now += backoff.failed(now)
    return count


@pytest.mark.parametrize("seed", range(20))
def test_a_server_that_accepts_and_drops_is_asked_at_most_forty_times_in_ten_minutes(seed: int) -> None:
    assert attempts_within(600, 0.05, seed) <= 40


@pytest.mark.parametrize("seed", range(5))
def test_after_a_stable_while_the_first_wait_is_short_again(seed: int) -> None:
    backoff = Backoff(random.Random(seed).random)
    now = 0.0
    for _ in range(30):
        backoff.connected(now)
        now += STABLE_S + 0.1
        wait = backoff.failed(now)
        assert wait <= 0.5
        now += wait


# --- liveness ------------------------------------------------------------------------------------


def test_a_quiet_market_with_heartbeats_is_alive() -> None:
    live = Liveness(0.0)
    for now in range(1, 600):
        if now % 10 == 0:
            live.heard(now, text=True)
        assert live.verdict(now) in ("alive", "ping")


def test_a_close_after_a_busy_market_is_no_silence() -> None:
    live = Liveness(0.0)
    for second in range(1, 300):
        live.heard(second, text=True)
    live.heard(309.0, text=True)  # the first heartbeat
    assert live.verdict(319.0) in ("alive", "ping")


@pytest.mark.parametrize("cadence", [0.2, 1.0, 5.0])
def test_silence_is_noticed_although_pings_are_answered(cadence: float) -> None:
    live = Liveness(0.0)
    last = 0.0
    for beat in range(1, 40):
        last = beat * cadence
        live.heard(last, text=True)
    now = last
    while live.verdict(now) != "silent":
        now += 0.25
        live.heard(now, text=False)
        assert now < last + 31
    assert now - last <= max(3 * cadence, 15.0) + 0.5


def test_a_half_open_connection_is_noticed_within_twelve_seconds() -> None:
    live, now, pings = Liveness(0.0), 0.0, 0
    while (verdict := live.verdict(now)) != "half_open":
        pings += verdict == "ping"
        now += 0.25
    assert now <= 12
    assert now > DEAD_AFTER_S
    assert pings >= 2, "the peer was asked before it was given up"


def test_no_ping_is_sent_while_frames_come() -> None:
    live = Liveness(0.0)
    for tenth in range(1, 1000):
        live.heard(tenth / 10, text=True)
        assert live.verdict(tenth / 10) == "alive"


# --- data ----------------------------------------------------------------------------------------


def verdicts(watch: DataWatch, start: int, end: int, *, owed: bool) -> list[tuple[int, str]]:
    """What isn't fine, second by second."""
    found = [(now, watch.verdict(now, owed=owed)) for now in range(start, end)]
    return [(now, verdict) for now, verdict in found if verdict != "fine"]


def test_an_open_market_that_falls_silent_is_subscribed_to_again_and_then_connected_to_again() -> None:
    watch = DataWatch(0.0)
    assert verdicts(watch, 1, 82, owed=True) == [(61, "resubscribe")]
    assert watch.verdict(82, owed=True) == "lost"


def test_data_after_the_renewal_make_it_whole() -> None:
    watch = DataWatch(0.0)
    assert verdicts(watch, 1, 70, owed=True) == [(61, "resubscribe")]
    watch.heard(70.0)
    assert verdicts(watch, 71, 130, owed=True) == []


def test_a_closed_market_owes_nothing_and_the_opening_begins_the_count() -> None:
    watch = DataWatch(0.0)
    assert verdicts(watch, 1, 5000, owed=False) == []
    assert verdicts(watch, 5000, 5061, owed=True) == [(5060, "resubscribe")]


@pytest.mark.parametrize(
    ("now", "refresh"),
    [
        ("2026-11-24T20:00:00-05:00", "2026-11-25T08:06:00-05:00"),
        ("2026-11-25T08:05:59-05:00", "2026-11-25T08:06:00-05:00"),
        ("2026-11-25T08:06:00-05:00", "2026-11-27T08:06:00-05:00"),  # Thanksgiving
        ("2026-11-27T12:00:00-05:00", "2026-11-30T08:06:00-05:00"),  # a weekend
        ("2026-03-06T12:00:00-05:00", "2026-03-09T08:06:00-04:00"),  # summer time begins
    ],
)
def test_new_open_interest_is_read_a_minute_after_it_is_there(now: str, refresh: str) -> None:
    moment = datetime.fromisoformat(now)
    due = moment.astimezone(UTC) + timedelta(seconds=seconds_to_refresh(moment))
    assert due == datetime.fromisoformat(refresh)


# --- hours ---------------------------------------------------------------------------------------


def hours(product: str = "IND", start: str = "09:30", end: str = "16:15", **more: Any) -> dict[str, Any]:
    """A /markets answer for 7 October 2026."""
    span = {"start": f"2026-10-07T{start}:00-04:00", "end": f"2026-10-07T{end}:00-04:00"}
    entry = {"isOpen": True, "product": product, "sessionHours": {"regularMarket": [span]}} | more
    return {"option": {product: entry}, "equity": {}}


@pytest.mark.parametrize(
    ("clock", "session"), [("13:29", "closed"), ("13:30", "open"), ("20:14", "open"), ("20:15", "closed")]
)
def test_the_session_follows_the_brokers_hours(clock: str, session: str) -> None:
    now = datetime.fromisoformat(f"2026-10-07T{clock}:00").replace(tzinfo=UTC)
    assert session_at(hours(), "IND", now) == session


def test_a_closed_day_is_closed_although_its_product_has_another_name() -> None:
    closed = {"option": {"option": {"date": "2026-10-10", "product": "option", "isOpen": False}}}
    assert session_at(closed, "IND", datetime(2026, 10, 10, 15, tzinfo=UTC)) == "closed"


@pytest.mark.parametrize(
    "document", [{}, {"option": []}, {"option": {"IND": {"isOpen": True}}}, {"option": {"X": {}}}]
)
def test_without_hours_the_session_is_unknown(document: dict[str, Any]) -> None:
    assert session_at(document, "IND", datetime(2026, 10, 10, 15, tzinfo=UTC)) == "unknown"


# --- lease ---------------------------------------------------------------------------------------


def test_one_process_holds_the_lease_and_another_takes_over_with_a_higher_epoch() -> None:
    store = open_store("memory://")
    first, second = Lease(store), Lease(store)
    assert first.acquire()
    assert not second.acquire()
    assert first.confirmed
    assert not second.confirmed
    first.release()
    assert not first.confirmed
    assert second.acquire()
    assert second.epoch > first.epoch


def test_a_lease_that_another_holds_is_lost() -> None:
    store = open_store("memory://")
    first, second = Lease(store), Lease(store)
    assert first.acquire()
    first.release()
    assert second.acquire()
    assert not first.keep()


class Unreachable:
    """A cache that answers nothing."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any) -> Any:
            raise CacheError("no Redis")

        return fail


def test_without_a_cache_the_lease_is_kept_but_soon_unconfirmed() -> None:
    now = 100.0
    store: Any = open_store("memory://")
    lease = Lease(store, ttl_s=4, clock=lambda: now)
    assert lease.acquire()
    lease._store = Unreachable()  # type: ignore[assignment]
    now += 3.9
    assert lease.keep()
    assert lease.confirmed
    now += 0.2
    assert lease.keep()
    assert not lease.confirmed


# --- contending for the lease ---------------------------------------------------------------------


class Ticks:
    """A clock of the test's own."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Flaky(MemoryStore):
    """A store that can be read-only, or empty."""

    read_only = False
    emptied = False

    def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        if self.read_only:
            raise CacheError("read-only")
        super().put(key, value, ttl_s)

    def status(self) -> bytes | None:
        return None if self.emptied else super().status()


def contender() -> tuple[Flaky, Ticks, Contender]:
    store, ticks = Flaky(), Ticks()
    store.put_status(b"{}", 1)
    return store, ticks, Contender(store, Lease(store, clock=ticks), 4.0, clock=ticks)


def test_a_free_lease_is_taken_at_once() -> None:
    _, _, waiting = contender()
    assert waiting.acquired()


def test_after_the_cache_refused_writes_the_one_before_has_a_leases_life_to_come_back() -> None:
    store, ticks, waiting = contender()
    store.read_only = True
    for ticks.now in range(1, 20):
        assert not waiting.acquired()
    store.read_only = False
    for ticks.now in (20.0, 21.0, 23.9):
        assert not waiting.acquired()
    ticks.now = 24.1
    assert waiting.acquired()


def test_a_lease_that_ran_out_while_nobody_could_write_is_left_to_the_one_before() -> None:
    store, ticks, waiting = contender()
    store.acquire("feed", "leader", 60_000)
    store.read_only = True
    assert not waiting.acquired()
    store.read_only = False
    store.release("feed", "leader")
    assert not waiting.acquired()
    ticks.now = 4.1
    assert waiting.acquired()


def test_a_cache_that_lost_its_data_is_left_to_the_one_before_as_well() -> None:
    store, ticks, waiting = contender()
    store.acquire("feed", "leader", 60_000)
    assert not waiting.acquired()
    store.release("feed", "leader")
    store.emptied = True
    assert not waiting.acquired()
    ticks.now = 4.1
    assert waiting.acquired()
