"""What goes wrong between Schwab and the cache: each fault is noticed, told, survived, and the books are whole again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from app.cache import Store, open_store
from app.cache.embedded import EmbeddedRedis
from app.schwab.rest import Rest
from app.schwab.stream import Stream
from app.simulator.control import Control
from tests.feeding import Running, running_feed, sign_in, signed_in_at
from tests.simulation import running_simulator
from tests.support import eventually


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator(
        "--symbols", "AAPL", "--rate-limit", "0", "--tick", "0.2", "--heartbeat", "1"
    ) as url:
        yield url


@pytest.fixture
def running(base: str, control: Control, memory: Store, tmp_path: Path) -> Iterator[Running]:
    """A feed that is live."""
    with running_feed(base, memory, tmp_path, sweep_interval_s=3600) as feed:
        feed.whole()
        eventually(lambda: feed.chain().quotes.streaming.sum() > 500, 15)
        yield feed


def keys_at(control: Control) -> set[str]:
    """What the server streams now."""
    state = control.state()
    assert state["connections_open"] == 1
    return set(state["subscriptions"]["LEVELONE_OPTIONS"]) if state["subscriptions"] else set()


@pytest.mark.parametrize("how", ["rst", "1000", "1006", "1011", "30"])
def test_a_cut_connection_comes_back_with_everything(running: Running, control: Control, how: str) -> None:
    before = control.state()
    control.cut(how)  # type: ignore[arg-type]
    eventually(lambda: running.status().reconnects == 1, 10, "it reconnects")
    streaming = running.chain().quotes.streaming.sum()
    eventually(
        lambda: running.chain().quotes.streaming.sum() >= max(500, streaming), 10, "it streams as before"
    )
    eventually(lambda: running.status().state == "live" and running.problem() == "", 3)
    state = control.state()
    assert state["logins"] == before["logins"] + 1
    assert state["max_connections"] == 1
    assert state["displaced"] == before["displaced"]


def test_while_the_stream_is_down_nothing_is_marked_as_streaming(running: Running, control: Control) -> None:
    control.fail(503, path="/userPreference")
    control.cut("rst")
    eventually(lambda: running.status().state == "reconnecting", 5)
    eventually(lambda: not running.chain().quotes.streaming.any(), 5)
    control.clear()
    eventually(lambda: running.chain().quotes.streaming.any(), 20)


def test_a_silent_stream_is_noticed_although_pings_are_answered(running: Running, control: Control) -> None:
    eventually(lambda: running.status().frames > 40, 20)
    control.silence()
    began = time.monotonic()
    eventually(lambda: running.status().state == "reconnecting", 20)
    assert time.monotonic() - began < 17
    # whichever was waited for when the silence began: a frame, or the answer to a command
    reasons = running.status().rejected
    assert reasons.get("stream_silent", 0) + reasons.get("stream_command_silent", 0) == 1
    control.clear()
    eventually(lambda: running.status().state == "live", 40)


def test_a_half_open_connection_is_noticed_within_twelve_seconds(running: Running, control: Control) -> None:
    control.half_open()
    began = time.monotonic()
    eventually(lambda: running.status().state == "reconnecting", 14)
    assert time.monotonic() - began < 13


def test_a_forgotten_subscription_is_renewed_on_the_same_connection(
    running: Running, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.feed.liveness.DATA_IDLE_S", 2.0)
    keys = control.state()["subscriptions"]
    control.forget()
    assert not any(control.state()["subscriptions"].values())
    eventually(lambda: control.state()["subscriptions"] == keys, 20, "everything is subscribed to again")
    eventually(lambda: running.status().rejected["stream_data_idle"] >= 1, 5)
    assert running.status().reconnects == 0


def test_malformed_frames_are_counted_and_nothing_else_is_lost(running: Running, control: Control) -> None:
    control.malformed(4)
    eventually(lambda: sum(running.status().rejected.values()) >= 4, 5)
    at = running.chain().quotes.updated_ms.max()
    eventually(lambda: running.chain().quotes.updated_ms.max() > at, 5, "updates go on")
    assert running.status().reconnects == 0


def test_a_denied_stream_login_is_tried_once_per_token_and_explained(
    base: str, control: Control, memory: Store, tmp_path: Path
) -> None:
    denied = control.state()["logins_denied"]
    control.deny_login()
    with running_feed(base, memory, tmp_path) as feed:
        eventually(lambda: feed.problem() == "login_denied", 10)
        refreshes = control.state()["refreshes"]
        time.sleep(1.5)  # long enough for a third try, if there were one
        state = control.state()
        assert state["logins_denied"] - denied == 2
        assert state["refreshes"] == refreshes
        eventually(lambda: len(feed.chain()) > 500, 10, "the sweep goes on")
        control.clear()
        sign_in(feed.oauth)
        eventually(
            lambda: feed.status().state == "live" and feed.problem() == "", 10, "a new login is used at once"
        )


def test_a_dead_login_asks_for_a_person_and_recovers_by_itself(running: Running, control: Control) -> None:
    control.expire("refresh")
    control.expire("access")
    control.cut("rst")
    eventually(lambda: running.status().state == "signed_out", 10)
    problem = running.status().problem
    assert problem is not None
    assert (problem.code, "/login" in problem.cure) == ("login_expired", True)
    sign_in(running.oauth)
    eventually(lambda: running.status().state == "live" and running.problem() == "", 15)


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "edge_refused"), (429, "rate_limited"), (500, "outage"), (502, "too_big"), (503, "outage")],
)
def test_rest_errors_are_told_and_pass_without_a_person(
    base: str, control: Control, memory: Store, tmp_path: Path, status: int, code: str
) -> None:
    control.fail(status, path="/chains")
    with running_feed(base, memory, tmp_path) as feed:
        eventually(lambda: feed.problem() == code, 15)
        assert memory.version("AAPL") is None, "nothing is published before the near expiries are in"
        control.clear()
        eventually(lambda: not feed.chain().missing_expiries, 40)
        eventually(lambda: feed.problem() == "", 20)


def test_too_big_windows_are_halved(base: str, control: Control, memory: Store, tmp_path: Path) -> None:
    control.fail(502, path="/chains", count=3)
    with running_feed(base, memory, tmp_path) as feed:
        eventually(lambda: not feed.chain().missing_expiries, 20)
        assert feed.problem() == ""


def test_an_expired_access_token_is_renewed_without_a_word(running: Running, control: Control) -> None:
    control.expire("access")
    control.cut("1006")
    eventually(lambda: running.status().reconnects == 1 and running.status().state == "live", 10)
    assert running.problem() == ""


def test_who_is_displaced_says_so_and_leaves_the_stream_to_the_other_program(
    memory: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.feed.link._DISPLACED_PAUSE_S", 4.0)
    with (
        running_simulator("--symbols", "AAPL", "--rate-limit", "0", "--displaced", "notify") as url,
        running_feed(url, memory, tmp_path) as feed,
    ):
        feed.whole()
        rest = Rest(feed.oauth, api_url=url)
        other = Stream(rest.streamer_info())
        other.login(feed.oauth.access_token())
        eventually(lambda: feed.problem() == "displaced", 5, "the status says so")
        began = time.monotonic()
        while time.monotonic() - began < 3:
            other.poll(0.2)  # raises once the feed has pushed it out
        other.abort()
        rest.close()
        eventually(lambda: feed.status().state == "live" and feed.problem() == "", 15)
        assert feed.status().rejected["stream_code_12"] == 1


def test_a_429_at_the_login_is_waited_out(running: Running, control: Control) -> None:
    control.fail(429, path="/userPreference", count=1)
    asked = control.state()["statuses"].get("429", 0)
    control.cut("rst")
    eventually(lambda: control.state()["statuses"].get("429", 0) == asked + 1, 10)
    began = time.monotonic()
    eventually(lambda: running.problem() != "", 4, "the status says so")
    eventually(lambda: running.status().state == "live" and running.problem() == "", 20)
    assert time.monotonic() - began > 4, "Schwab said nothing of how long: five seconds"


def test_the_servers_symbol_limit_is_learnt(memory: Store, tmp_path: Path) -> None:
    with running_simulator("--symbols", "AAPL", "--symbol-limit", "120") as url:
        Control(url).set(double_answer=True)
        with running_feed(url, memory, tmp_path) as feed:
            feed.whole()
            eventually(lambda: feed.status().keys_limit == 120, 15)
            eventually(lambda: feed.chain().quotes.streaming.sum() >= 100, 15)
            assert feed.status().keys_used <= 120
            assert feed.status().reconnects == 0
            assert feed.problem() == ""


def test_greeks_that_schwab_does_not_compute_are_unknown(
    base: str, control: Control, memory: Store, tmp_path: Path
) -> None:
    control.no_greeks()
    with running_feed(base, memory, tmp_path) as feed:
        chain = feed.whole()
        assert np.isnan(chain.quotes.iv).all()
        assert np.isnan(chain.quotes.gamma).all()
        assert not np.isnan(chain.quotes.bid).all()


def test_contracts_that_are_not_listed_any_more_leave(
    base: str, control: Control, memory: Store, tmp_path: Path
) -> None:
    with running_feed(base, memory, tmp_path) as feed:
        before = len(feed.whole())
        control.list_share(0.5)
        eventually(lambda: len(feed.chain()) < 0.7 * before, 30)


# --- the cache -----------------------------------------------------------------------------------


@pytest.mark.redis
def test_a_flushed_cache_is_filled_again_at_once(base: str, own_redis: EmbeddedRedis, tmp_path: Path) -> None:
    import redis

    store = open_store(own_redis.url)
    with running_feed(base, store, tmp_path) as feed:
        feed.whole()
        redis.Redis.from_url(own_redis.url).flushall()
        eventually(lambda: open_store(own_redis.url).load("AAPL"), 3, "the chain is there again")
        eventually(lambda: feed.status().state == "live", 3)
        assert feed.status().reconnects == 0


@pytest.mark.redis
def test_while_redis_is_gone_the_stream_goes_on_and_the_cache_is_filled_on_its_return(
    base: str, own_redis: EmbeddedRedis, control: Control, tmp_path: Path
) -> None:
    store = open_store(own_redis.url)
    with running_feed(base, store, tmp_path) as feed:
        feed.whole()
        logins = control.state()["logins"]
        own_redis.stop()
        time.sleep(6)  # longer than the lease
        own_redis.start()
        fresh = open_store(own_redis.url)
        eventually(lambda: fresh.load("AAPL"), 5, "the chain is there again")
        eventually(lambda: feed.status().state == "live", 5)
        assert control.state()["logins"] == logins


def test_one_underlying_that_fails_does_not_hold_up_the_others(memory: Store, tmp_path: Path) -> None:
    with running_simulator("--symbols", "AAPL,MSFT", "--rate-limit", "0") as url:
        control = Control(url)
        control.fail(500, path="/expirationchain", count=1)
        with running_feed(url, memory, tmp_path, symbols="AAPL,MSFT") as feed:
            feed.whole("MSFT")
            feed.whole("AAPL")
            eventually(lambda: feed.problem() == "", 10)


def test_a_date_that_schwab_keeps_failing_on_costs_only_itself(
    memory: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.feed.backoff.CAP_S", 0.5)  # it takes some tries to find the date
    with running_simulator("--symbols", "AAPL", "--rate-limit", "0") as url:
        control, oauth = Control(url), signed_in_at(url, tmp_path)
        rest = Rest(oauth, api_url=url)
        first = rest.expirations("AAPL")[0].expiry
        control.fail(500, path=f"fromDate={first}")
        with running_feed(url, memory, tmp_path) as feed:
            feed_missing = eventually(lambda: feed.chain().missing_expiries, 30, "the others are shown")
            assert first not in feed.chain().contracts.expiry
            assert feed_missing < len(set(feed.chain().contracts.expiry.tolist()))
            assert feed.problem() == "outage"
            control.clear()
            eventually(lambda: not feed.chain().missing_expiries, 40)
            eventually(lambda: feed.problem() == "", 10)
        rest.close()


def test_one_that_keeps_failing_has_the_others_read_no_more_often(memory: Store, tmp_path: Path) -> None:
    with running_simulator("--symbols", "AAPL,MSFT", "--rate-limit", "0") as url:
        control = Control(url)
        with running_feed(url, memory, tmp_path, symbols="AAPL,MSFT", sweep_interval_s=6) as feed:
            feed.whole("AAPL")
            feed.whole("MSFT")
            control.fail(500, path="symbol=AAPL")
            eventually(lambda: feed.problem() == "outage", 20)
            read: list[datetime] = []
            while len(read) < 3:  # two gaps
                at = feed.status().coverage["MSFT"].oldest_sweep_at
                assert at is not None
                if at not in read:
                    read.append(at)
                time.sleep(0.05)
            assert control.state()["statuses"]["500"] >= 3, "AAPL is tried in between"
            assert min(b - a for a, b in itertools.pairwise(read)).total_seconds() > 4.8
            control.clear()
            eventually(lambda: feed.problem() == "", 40)
