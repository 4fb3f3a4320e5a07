"""Redis as several servers: under Sentinels and as a Cluster, while the one that takes the writes changes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app.cache import open_store
from app.cache.breaker import Breaker
from app.cache.embedded import EmbeddedRedis
from app.cache.redis_store import RedisStore
from app.errors import CacheError, ReadOnlyCache, SettingsError
from tests.feeding import running_feed
from tests.redis_servers import Cluster, Watched, servers, start_cluster, start_watched
from tests.simulation import running_simulator
from tests.small import moved, small_chain
from tests.support import eventually

pytestmark = pytest.mark.redis


def store_at(url: str) -> RedisStore:
    """A store that asks a server that was away again sooner than it would for a user."""
    return RedisStore(url, breaker=Breaker(longest_pause_s=0.5))


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator("--symbols", "AAPL", "--rate-limit", "0", "--tick", "0.2") as url:
        yield url


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with servers(tmp_path) as made:
        yield start_watched(made)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with servers(tmp_path_factory.mktemp("cluster")) as made:
        yield start_cluster(made, "chain:{SPX}")


def test_the_feed_goes_on_when_sentinels_name_another_primary(
    watched: Watched, base: str, tmp_path: Path
) -> None:
    store = store_at(watched.url)
    with running_feed(base, store, tmp_path) as running:
        running.whole()
        before = store.version("AAPL")
        watched.servers.signal(watched.primary, signal.SIGSTOP)  # hung, which is worse than dead
        reader = store_at(watched.url)

        def fresh() -> bool:
            loaded = reader.load("AAPL")
            return loaded is not None and not loaded.stale and loaded.version.number > before.number  # type: ignore[union-attr]

        eventually(fresh, 60, "a newer chain is read from the new primary")
        eventually(lambda: not running.problem(), 60, "the status names no problem any more")
        assert running.status().state == "live", "the stream to Schwab went on"
    assert watched.servers.raw(watched.replica).info("replication")["role"] == "master"
    store.close()


def test_a_chain_lives_on_a_cluster(cluster: Cluster) -> None:
    writer, reader = store_at(cluster.url), store_at(cluster.url)
    for symbol in ("SPX", "SPY", "AAPL", "NDX"):  # on different servers
        writer.publish(small_chain(symbol), 7)
        assert writer.holds(symbol)
        assert reader.load(symbol).chain.spot == 100.0  # type: ignore[union-attr]
    assert reader.symbols() == ["AAPL", "NDX", "SPX", "SPY"]
    assert writer.acquire("feed", "a", 5000)
    assert reader.acquire("feed", "b", 5000) is None
    assert writer.renew("feed", "a", 5000)
    writer.put_status(b"status", 7)
    assert reader.status() == b"status"
    writer.put("session:1", b"x", 60)
    assert (reader.pop("session:1"), writer.pop("session:1")) == (b"x", None)
    stats = reader.stats()
    assert (stats.healthy, stats.hits, stats.versions["SPX"]) == (True, 4, 1)
    assert (stats.keys or 0) > 12, "the keys of all servers are counted"
    assert reader.ping()


def test_writes_follow_a_slot_to_another_server(cluster: Cluster) -> None:
    store = store_at(cluster.url)
    first = store.publish(small_chain(), 7)
    made = cluster.servers
    eventually(lambda: made.raw(cluster.replica).execute_command("CLUSTER FAILOVER"), 10)
    eventually(lambda: made.raw(cluster.replica).info("replication")["role"] == "master", 20)
    assert eventually(lambda: store.publish(moved(small_chain(), 101.0), 7), 20) > first
    made.signal(cluster.primaries[0], signal.SIGSTOP)  # a replica by now: nothing depends on it
    assert eventually(lambda: store.publish(moved(small_chain(), 102.0), 7), 20) > first
    made.signal(cluster.primaries[0], signal.SIGCONT)
    loaded = eventually(
        lambda: (found := store_at(cluster.url).load("SPX")) and not found.stale and found, 10
    )
    assert loaded.chain.spot == 102.0  # type: ignore[union-attr]


def test_a_cluster_of_which_no_node_answers_is_told() -> None:
    store = store_at("redis+cluster://127.0.0.1:1,127.0.0.1:2")
    with pytest.raises(CacheError, match="reached"):
        store.get("k")
    assert not store.ping()
    assert not store.stats().healthy


def test_a_server_that_became_a_replica_is_left_for_the_one_that_took_over(tmp_path: Path) -> None:
    address = tmp_path / "primary.sock"  # what a name in DNS is elsewhere
    with EmbeddedRedis() as old, EmbeddedRedis() as new:
        address.symlink_to(old.url.removeprefix("unix://"))
        store = store_at(f"unix://{address}")
        store.publish(small_chain(), 1)
        redis.Redis.from_url(old.url).replicaof("127.0.0.1", 1)
        with pytest.raises(ReadOnlyCache, match="read-only"):
            store.publish(small_chain(), 1)
        assert store.breaker.state == "closed", "it answers"
        address.unlink()
        address.symlink_to(new.url.removeprefix("unix://"))
        store.put("k", b"v")
        assert redis.Redis.from_url(new.url).get("kv:k") == b"v"


@pytest.mark.parametrize("lost", ["chain:{SPX}", "contracts:{SPX}", "version:{SPX}", "symbols:{feed}"])
def test_a_part_that_redis_evicted_is_missed_and_written_again(own_redis: EmbeddedRedis, lost: str) -> None:
    store = store_at(own_redis.url)
    store.publish(small_chain(), 1)
    assert store.holds("SPX")
    redis.Redis.from_url(own_redis.url).delete(lost)
    assert not store.holds("SPX")
    store.publish(small_chain(), 1)
    assert store.holds("SPX")
    assert store_at(own_redis.url).symbols() == ["SPX"]
    assert store_at(own_redis.url).load("SPX").chain.spot == 100.0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://localhost:26379/gex?frobnicate=1",
        "redis+cluster://localhost:7000?frobnicate=1",
        "redis://localhost:port/0",
    ],
)
def test_an_option_that_redis_py_does_not_know_is_told_at_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL"):
        open_store(url).get("k")
