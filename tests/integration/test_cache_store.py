"""What every Store promises, on this process's memory and on a real Redis."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
import redis

from app.cache import Store, open_store
from app.cache.slot import RedisSlot
from app.errors import CacheError, SettingsError, StaleWriter
from app.models import Event
from tests.small import moved, small_chain
from tests.support import eventually

pytestmark = pytest.mark.redis


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def peer(store: Store, request: pytest.FixtureRequest) -> Iterator[Store]:
    """Another process's view of the same cache."""
    if store.backend == "memory":
        yield store
        return
    opened = open_store(request.getfixturevalue("redis_url"))
    yield opened
    opened.close()


def test_a_published_chain_is_read_back_whole(store: Store, peer: Store) -> None:
    chain = small_chain()
    store.publish(chain, 1)
    loaded = peer.load("SPX")
    assert loaded is not None
    assert not loaded.stale
    assert (loaded.chain.spot, loaded.chain.session, loaded.chain.source) == (100.0, "open", "simulator")
    assert loaded.chain.underlying.last == 100.0
    assert loaded.chain.contracts.symbol.tolist() == chain.contracts.symbol.tolist()
    np.testing.assert_array_equal(loaded.chain.quotes.bid, chain.quotes.bid)
    assert np.isnan(loaded.chain.quotes.iv).all(), "unknown stays unknown"


def test_versions_grow_with_every_publication(store: Store, peer: Store) -> None:
    chain = small_chain()
    assert [store.publish(chain, 7) for _ in range(3)] == [1, 2, 3]
    version = peer.version("SPX")
    assert version is not None
    assert (version.number, version.epoch) == (3, 7)
    assert 0 <= version.age_s() < 5


def test_a_symbol_that_was_never_published_is_unknown_not_empty(store: Store) -> None:
    assert store.version("SPX") is None
    assert store.load("SPX") is None
    assert store.symbols() == []
    assert store.status() is None


def test_readers_follow_when_the_contracts_change(store: Store, peer: Store) -> None:
    store.publish(small_chain(strikes=5), 1)
    assert len(peer.load("SPX").chain) == 10  # type: ignore[union-attr]
    store.publish(small_chain(strikes=7, expiry=date(2023, 12, 22)), 1)
    assert len(peer.load("SPX").chain) == 14  # type: ignore[union-attr]


def test_two_symbols_do_not_mix(store: Store, peer: Store) -> None:
    store.publish(small_chain("SPX", 100.0), 1)
    store.publish(small_chain("SPY", 101.0), 1)
    assert peer.symbols() == ["SPX", "SPY"]
    assert peer.load("SPY").chain.spot == 101.0  # type: ignore[union-attr]
    assert peer.load("SPX").chain.spot == 100.0  # type: ignore[union-attr]


def test_a_leader_that_was_overtaken_cannot_publish(store: Store, peer: Store) -> None:
    chain = small_chain()
    peer.publish(moved(chain, 102.0), 6)
    with pytest.raises(StaleWriter):
        store.publish(moved(chain, 99.0), 5)
    assert peer.load("SPX").chain.spot == 102.0  # type: ignore[union-attr]
    assert peer.version("SPX").number == 1  # type: ignore[union-attr]


def test_a_leader_that_was_overtaken_cannot_write_the_status(store: Store, peer: Store) -> None:
    peer.put_status(b"new", 6)
    with pytest.raises(StaleWriter):
        store.put_status(b"old", 5)
    assert store.status() == b"new"


def test_only_one_holds_a_lease(store: Store, peer: Store) -> None:
    assert store.acquire("feed", "a", 5000)
    assert peer.acquire("feed", "b", 5000) is None
    assert store.renew("feed", "a", 5000)
    assert not peer.renew("feed", "b", 5000)


def test_of_many_that_want_a_lease_at_once_one_gets_it(store: Store) -> None:
    taken: list[int | None] = []
    threads = [
        threading.Thread(target=lambda n=n: taken.append(store.acquire("feed", f"owner {n}", 5000)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(epoch is not None for epoch in taken) == 1


def test_every_take_over_has_a_higher_epoch(store: Store, peer: Store) -> None:
    first = store.acquire("feed", "a", 5000)
    store.release("feed", "a")
    second = peer.acquire("feed", "b", 5000)
    assert first is not None
    assert second is not None
    assert second > first


def test_a_lease_ends_by_itself(store: Store, peer: Store) -> None:
    store.acquire("feed", "a", 30)
    eventually(lambda: peer.acquire("feed", "b", 5000), 3, "the lease ran out")
    assert not store.renew("feed", "a", 5000)


def test_releasing_somebody_elses_lease_does_nothing(store: Store, peer: Store) -> None:
    store.acquire("feed", "a", 5000)
    peer.release("feed", "b")
    assert store.renew("feed", "a", 5000)


def test_values_are_kept_taken_once_and_removed(store: Store, peer: Store) -> None:
    store.put("session:1", b"\x00binary\xff")
    assert peer.get("session:1") == b"\x00binary\xff"
    assert peer.pop("session:1") == b"\x00binary\xff"
    assert store.pop("session:1") is None
    store.put("session:2", b"x")
    store.delete("session:2")
    assert peer.get("session:2") is None


def test_a_value_with_a_time_to_live_goes(store: Store) -> None:
    store.put("state", b"x", 0.05)
    eventually(lambda: store.get("state") is None, 3)


def test_the_timeline_is_newest_first_and_bounded(store: Store, peer: Store) -> None:
    for n in range(510):
        store.add_event(Event(at=datetime(2026, 1, 1, tzinfo=UTC), kind="k", message=str(n)))
    assert [event.message for event in peer.events(2)] == ["509", "508"]
    assert len(peer.events(10_000)) == 500
    assert peer.events(0) == []


def test_statistics_count_reads_and_name_versions(store: Store) -> None:
    store.load("SPX")
    store.publish(small_chain(), 1)
    for _ in range(3):
        store.load("SPX")
    stats = store.stats()
    assert stats.healthy
    assert (stats.hits, stats.misses, stats.hit_rate) == (3, 1, 0.75)
    assert stats.versions == {"SPX": 1}
    assert stats.ages_s["SPX"] is not None
    assert 0 <= stats.ages_s["SPX"] < 5


def test_a_slot_keeps_one_value_and_one_holder(store: Store, peer: Store) -> None:
    slot, other = RedisSlot(store, "token"), RedisSlot(peer, "token", wait_s=0.1)
    assert slot.read() is None
    slot.write(b"secret")
    assert other.read() == b"secret"
    with slot.lock(), pytest.raises(CacheError), other.lock():
        pass
    with other.lock():
        other.delete()
    assert slot.read() is None


@pytest.mark.redis
def test_a_slot_outlives_a_redis_that_lost_its_data_and_what_was_deleted_stays_deleted(
    redis_url: str,
) -> None:
    slot, other = (RedisSlot(open_store(redis_url), "token") for _ in range(2))
    slot.write(b"secret")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        assert other.read() is None, "it has never seen it"
        assert slot.read() == b"secret"
        assert other.read() == b"secret"
        other.delete()
        assert slot.read() is None
        client.flushall()
        assert slot.read() is None


def test_a_chain_keeps_its_fields_that_are_unknown(store: Store, peer: Store) -> None:
    chain = replace(small_chain(), spot=float("nan"), rate=0.04)
    store.publish(chain, 1)
    loaded = peer.load("SPX")
    assert loaded is not None
    assert np.isnan(loaded.chain.spot)
    assert loaded.chain.rate == 0.04


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "redis://localhost:port", "memory:/"])
def test_a_wrong_address_is_told_before_anything_starts(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL"):
        open_store(url)
