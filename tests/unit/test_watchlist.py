"""The watchlist: what the owner follows and drops outlasts a restart, and is the same in every process."""

from pathlib import Path

import pytest

from app.cache import open_store
from app.cache.base import Store
from app.errors import FollowRefused, SettingsError
from app.settings import load_settings
from app.watchlist import Watchlist


def _watchlist(folder: Path, store: Store | None = None, **settings: object) -> Watchlist:
    given = {"symbols": "SPX,SPY", "data_dir": folder, "_env_file": None} | settings
    return Watchlist(
        store or open_store("memory://"), load_settings(**given), clock=iter(range(1000)).__next__
    )


def test_it_begins_with_the_settings_symbols(tmp_path: Path) -> None:
    assert _watchlist(tmp_path).symbols() == ["SPX", "SPY"]


def test_what_is_followed_and_dropped_outlasts_a_restart(tmp_path: Path) -> None:
    before = _watchlist(tmp_path)

    assert before.follow("AAPL") is True
    assert before.drop("SPY") is True

    assert before.symbols() == _watchlist(tmp_path).symbols() == ["SPX", "AAPL"]
    assert before.dropped() == ["SPY"]


def test_what_was_dropped_can_be_followed_again(tmp_path: Path) -> None:
    watchlist = _watchlist(tmp_path)
    watchlist.drop("SPX")

    assert watchlist.follow("SPX") is True
    assert watchlist.symbols() == ["SPX", "SPY"]
    assert watchlist.dropped() == []


def test_twice_is_no_change(tmp_path: Path) -> None:
    watchlist = _watchlist(tmp_path)

    assert watchlist.follow("SPY") is False
    assert watchlist.drop("AAPL") is False
    assert watchlist.symbols() == ["SPX", "SPY"]


def test_the_limit_holds_and_says_what_helps(tmp_path: Path) -> None:
    watchlist = _watchlist(tmp_path, max_symbols=3)
    watchlist.follow("AAPL")

    with pytest.raises(FollowRefused, match="3 is the limit") as refused:
        watchlist.follow("MSFT")

    assert "MAX_SYMBOLS" in refused.value.cure
    watchlist.drop("SPY")
    assert watchlist.follow("MSFT") is True


def test_the_last_one_stays(tmp_path: Path) -> None:
    watchlist = _watchlist(tmp_path, symbols="SPX")

    with pytest.raises(FollowRefused, match="only underlying"):
        watchlist.drop("SPX")


def test_settings_that_name_too_many_are_refused() -> None:
    with pytest.raises(SettingsError, match="SYMBOLS names 2 underlyings, and MAX_SYMBOLS is 1"):
        load_settings(symbols="SPX,SPY", max_symbols=1, _env_file=None)


@pytest.mark.parametrize(
    "junk", [b"", b"[]", b"{}", b'{"followed": 1, "dropped": []}', b'{"followed":["<>"],"dropped":[]}']
)
def test_a_spoilt_list_leaves_the_settings_symbols(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "watchlist").write_bytes(junk)

    assert _watchlist(tmp_path).symbols() == ["SPX", "SPY"]


def test_a_list_that_vanishes_is_written_again(tmp_path: Path) -> None:
    watchlist = _watchlist(tmp_path)
    watchlist.follow("AAPL")
    (tmp_path / "watchlist").unlink()

    assert watchlist.symbols() == ["SPX", "SPY", "AAPL"]
    assert _watchlist(tmp_path).symbols() == ["SPX", "SPY", "AAPL"]


@pytest.mark.redis
def test_processes_share_it_in_redis_and_keep_it_through_an_outage(own_redis, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    here = _watchlist(tmp_path / "a", open_store(own_redis.url))
    there = _watchlist(tmp_path / "b", open_store(own_redis.url))

    here.follow("AAPL")
    assert there.symbols() == ["SPX", "SPY", "AAPL"]

    own_redis.stop()
    assert there.symbols() == ["SPX", "SPY", "AAPL"]
