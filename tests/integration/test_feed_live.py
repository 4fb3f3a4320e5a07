"""The feed on the simulator: the whole chain is there at once, stays live by itself, and one process feeds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.cache import Store
from app.feed.service import Feed
from app.market.chain import Chain
from app.schwab.chains import parse_chain_json
from app.schwab.rest import Rest
from app.simulator.control import Control
from tests.feeding import Running, oauth_at, running_feed, settings_at, sign_in, signed_in
from tests.simulation import running_simulator
from tests.support import clean_environment, eventually, process


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator("--symbols", "AAPL,MSFT", "--rate-limit", "0", "--tick", "0.2") as url:
        yield url


def test_the_whole_chain_arrives_and_streams(base: str, memory: Store, tmp_path: Path) -> None:
    with running_feed(base, memory, tmp_path) as running:
        chain = running.whole()
        rest = Rest(running.oauth, api_url=base)
        days = [entry.expiry for entry in rest.expirations("AAPL")]
        truth = parse_chain_json(rest.chain("AAPL", days[0], days[-1]))
        rest.close()
        assert chain.contracts.symbol.tolist() == truth.contracts.symbol.tolist()
        np.testing.assert_array_equal(chain.quotes.open_interest, truth.quotes.open_interest)
        assert (chain.symbol, chain.source, chain.session) == ("AAPL", "simulator", "open")
        assert chain.spot == pytest.approx(truth.spot, rel=0.01)
        assert abs(chain.as_of_ms - time.time() * 1000) < 5000


def test_quotes_and_spot_change_by_themselves(base: str, memory: Store, tmp_path: Path) -> None:
    with running_feed(base, memory, tmp_path, sweep_interval_s=3600) as running:
        before = running.whole()
        eventually(lambda: running.chain().spot_ms > before.spot_ms, 10, "spot moves on")
        eventually(
            lambda: (running.chain().quotes.quote_ms > before.quotes.quote_ms).sum() > 50,
            10,
            "quotes move on",
        )
        streamed = running.chain().quotes
        fine = streamed.gamma[streamed.streaming & ~np.isnan(streamed.gamma)]
        assert np.abs(fine * 1000 - np.round(fine * 1000)).max() > 0.01, (
            "streamed gamma has more than three decimals"
        )


def test_the_status_tells_how_the_feed_is_doing(base: str, memory: Store, tmp_path: Path) -> None:
    with running_feed(base, memory, tmp_path) as running:
        running.whole()
        status = eventually(lambda: (s := running.status()).coverage["AAPL"].gamma_share and s, 15)
        assert (status.state, status.source, status.problem) == ("live", "simulator", None)
        cover = status.coverage["AAPL"]
        assert cover.streaming <= cover.contracts
        assert 0 < (cover.gamma_share or 0) <= 1
        assert cover.oldest_sweep_at is not None
        assert status.last_frame_at is not None
        assert status.token.refresh_expires_at is not None
        first = status.heartbeat_at
        assert first is not None
        eventually(lambda: (running.status().heartbeat_at or first) > first, 20, "the heart beats")


def test_with_few_keys_the_heaviest_contracts_stream_and_the_sweep_keeps_the_rest(
    base: str, memory: Store, tmp_path: Path
) -> None:
    with running_feed(base, memory, tmp_path, stream_keys=100) as running:
        running.whole()
        share = eventually(lambda: running.status().coverage["AAPL"].gamma_share, 15)
        status = running.status()
        assert status.keys_used == status.keys_limit == 100
        assert share > 2 * 100 / status.coverage["AAPL"].contracts, "they matter more than their number"
        still = running.chain()
        rest = ~still.quotes.streaming
        eventually(
            lambda: (running.chain().quotes.updated_ms[rest] > still.quotes.updated_ms[rest]).all(), 20
        )


def test_several_symbols_share_one_connection(
    base: str, memory: Store, control: Control, tmp_path: Path
) -> None:
    with running_feed(base, memory, tmp_path, symbols="AAPL,MSFT") as running:
        running.whole("AAPL")
        running.whole("MSFT")
        assert control.state()["connections_open"] == 1


def test_an_unknown_symbol_is_named_and_the_others_go_on(base: str, memory: Store, tmp_path: Path) -> None:
    with running_feed(base, memory, tmp_path, symbols="ZZZZ,AAPL") as running:
        running.whole("AAPL")
        problem = eventually(lambda: running.status().problem, 3)
        assert problem is not None
        assert problem.code == "unknown_symbol"
        assert "ZZZZ" in problem.message
        assert "SYMBOLS" in problem.cure
        assert memory.version("ZZZZ") is None


def test_stopping_logs_out_and_frees_the_lease_at_once(
    base: str, memory: Store, control: Control, tmp_path: Path
) -> None:
    with running_feed(base, memory, tmp_path) as running:
        running.whole()
        logouts = control.state()["commands"].get("ADMIN LOGOUT", 0)
        began = time.monotonic()
        running.feed.stop()
        assert time.monotonic() - began < 8
        state = control.state()
        assert state["connections_open"] == 0
        assert state["commands"]["ADMIN LOGOUT"] == logouts + 1
        assert running.status().state == "stopped"
        assert memory.acquire("feed", "somebody", 1000) is not None


def test_a_new_leader_goes_on_from_the_whole_chain(
    base: str, memory: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running_feed(base, memory, tmp_path) as first:
        whole = len(first.whole())
    published: list[Chain] = []
    publish = memory.publish
    monkeypatch.setattr(
        memory, "publish", lambda chain, epoch: (published.append(chain), publish(chain, epoch))[1]
    )
    with running_feed(base, memory, tmp_path, signed_in=False) as second:
        eventually(lambda: any(chain.quotes.streaming.any() for chain in published), 20)
        eventually(lambda: second.status().coverage["AAPL"].oldest_sweep_at, 10, "it reads everything itself")
    assert {(len(chain), chain.missing_expiries) for chain in published} == {(whole, 0)}


def test_a_login_that_is_taken_back_ends_the_stream(
    base: str, memory: Store, control: Control, tmp_path: Path
) -> None:
    with running_feed(base, memory, tmp_path) as running:
        running.whole()
        oauth_at(base, tmp_path).sign_out()  # as the web process does
        eventually(lambda: control.state()["connections_open"] == 0, 6)
        status = eventually(lambda: (s := running.status()).state == "signed_out" and s, 3)
        assert status.problem is not None
        assert status.problem.code == "sign_in_needed"
        assert not running.chain().quotes.streaming.any()


def test_the_demo_signs_itself_in(base: str, memory: Store, tmp_path: Path) -> None:
    with running_feed(base, memory, tmp_path, automatic=True) as running:
        running.whole()
        assert signed_in(running.oauth)


def test_without_a_login_it_says_so_and_goes_on_once_somebody_signs_in(
    base: str, memory: Store, tmp_path: Path
) -> None:
    with running_feed(base, memory, tmp_path, signed_in=False) as running:
        status = eventually(lambda: (s := running.status()).state == "signed_out" and s, 5)
        assert status.problem is not None
        assert (status.problem.code, "/login" in status.problem.cure) == ("sign_in_needed", True)
        sign_in(oauth_at(base, tmp_path))  # as the web process does
        running.whole()
        eventually(lambda: running.problem() == "", 5)


def test_one_of_two_feeds_and_the_other_takes_over(
    base: str, memory: Store, control: Control, tmp_path: Path
) -> None:
    with running_feed(base, memory, tmp_path) as first:
        first.whole()
        second = Feed(settings_at(base, tmp_path), memory, oauth_at(base, tmp_path))
        second.start()
        try:
            eventually(lambda: first.feed.leading, 2)
            assert not second.leading
            version = memory.version("AAPL")
            first.feed.stop()
            eventually(lambda: second.leading, 3)
            eventually(lambda: (memory.version("AAPL") or version) != version, 15, "it publishes")
            assert (memory.version("AAPL") or (0, 0, 0))[2] > (version or (0, 0, 0))[2]
        finally:
            second.stop()
        state = control.state()
        assert (state["connections_open"], state["displaced"]) == (0, 0)


def test_the_timeline_tells_what_happened(base: str, memory: Store, tmp_path: Path) -> None:
    with running_feed(base, memory, tmp_path) as running:
        running.whole()
        eventually(lambda: {"leading", "connected", "first_picture"} <= {e.kind for e in memory.events()}, 5)


@pytest.mark.redis
def test_the_feed_as_a_process_of_its_own(base: str, redis_url: str, store: Store, tmp_path: Path) -> None:
    settings = settings_at(base, tmp_path)
    environment = clean_environment(
        REDIS_URL=redis_url,
        SCHWAB_API_URL=base,
        SCHWAB_APP_KEY=settings.schwab_app_key.get_secret_value(),
        SCHWAB_APP_SECRET=settings.schwab_app_secret.get_secret_value(),
        SYMBOLS="AAPL",
        DATA_DIR=str(tmp_path),
        LOG_LEVEL="DEBUG",
    )
    sign_in(oauth_at(base, tmp_path))
    log = tmp_path / "log"
    with process("feed", env=environment, log=log) as child:
        loaded = eventually(lambda: store.load("AAPL"), 30, "the process publishes")
        assert loaded is not None
        assert len(loaded.chain) > 500
        child.terminate()
        assert child.wait(8) == 0
    assert settings.schwab_app_secret.get_secret_value() not in log.read_text()


def test_the_feed_alone_needs_a_redis(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process("feed", env=clean_environment(DATA_DIR=str(tmp_path)), log=log) as child:
        assert child.wait(20) == 1
    assert log.read_text().startswith("error: REDIS_URL")
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0], ids=["ahead", "behind"])
def test_a_clock_that_is_an_hour_wrong_is_named_and_settlement_goes_by_the_brokers(
    base: str, memory: Store, tmp_path: Path, ahead_s: float
) -> None:
    def wall() -> float:
        return time.time() + ahead_s

    oauth = oauth_at(base, tmp_path)
    sign_in(oauth)
    feed = Feed(settings_at(base, tmp_path), memory, oauth, wall=wall)
    feed.start()
    try:
        running = Running(feed, memory, oauth, settings_at(base, tmp_path))
        eventually(lambda: running.problem() == "clock_skewed", 30, "the wrong clock is named")
        assert running.status().clock_skew_s == pytest.approx(ahead_s, abs=5)
        chain = eventually(
            lambda: (c := running.chain()) and abs(c.as_of_ms - time.time() * 1000) < 5000 and c, 30
        )
        assert (chain.contracts.settle_ms > chain.as_of_ms).all(), "nothing is past its settlement"  # type: ignore[union-attr]
    finally:
        feed.stop()


def test_a_day_before_the_login_ends_the_status_says_so(base: str, memory: Store, tmp_path: Path) -> None:
    with running_feed(base, memory, tmp_path) as running:
        tokens = running.oauth._tokens
        login = tokens.load()
        assert login is not None
        eventually(lambda: running.status().state == "live", 30)
        assert running.problem() == ""
        with tokens.lock():
            tokens.save(replace(login, signed_in_at=time.time() - 6 * 86_400 - 60))
        eventually(lambda: running.problem() == "login_ends_soon", 30, "it ends within a day")
        assert "/login" in running.status().problem.cure  # type: ignore[union-attr]
