"""The cache while Redis hangs, dies, comes back empty, fills up, or holds bytes that somebody else wrote."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from app.cache import scripts
from app.cache.embedded import EmbeddedRedis
from app.cache.flask_cache import JsonCache
from app.cache.redis_store import RedisStore
from app.cache.results import Results
from app.errors import CacheError, StaleWriter
from tests.small import moved, small_chain
from tests.support import ROOT, clean_environment, eventually

pytestmark = pytest.mark.redis


def raw(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=2)


def signal_to(server: EmbeddedRedis, signum: int) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signum)


def restarted(server: EmbeddedRedis) -> None:
    """Kill the server and start an empty one at the same address."""
    signal_to(server, signal.SIGKILL)
    assert server.process is not None
    server.process.wait()
    server.start()


def filled(server: EmbeddedRedis) -> tuple[RedisStore, RedisStore]:
    """A writer that has published a chain, and a reader that has read it; patient, for machines may be busy."""
    writer, reader = RedisStore(server.url), RedisStore(server.url)
    eventually(lambda: writer.publish(small_chain(), 1), 5)
    eventually(lambda: not reader.load("SPX").stale, 5)  # type: ignore[union-attr]
    return writer, reader


def timed(call: object) -> float:
    started = time.monotonic()
    with pytest.raises(CacheError):
        call()  # type: ignore[operator]
    return time.monotonic() - started


def test_a_hung_redis_costs_a_quarter_second_and_then_nothing(own_redis: EmbeddedRedis) -> None:
    store = RedisStore(own_redis.url)
    eventually(lambda: store.put("k", b"v") is None, 5)
    signal_to(own_redis, signal.SIGSTOP)
    try:
        slow = [timed(lambda: store.get("k")) for _ in range(2)]
        fast = timed(lambda: store.get("k"))
    finally:
        signal_to(own_redis, signal.SIGCONT)
    assert max(slow) < 1.0
    assert store.breaker.state != "closed"
    assert fast < 0.1
    assert eventually(lambda: store.get("k"), 10, "the cache answers again") == b"v"
    assert store.breaker.state == "closed"


def test_a_hung_redis_leaves_the_last_chain_with_its_age(own_redis: EmbeddedRedis) -> None:
    _, reader = filled(own_redis)
    signal_to(own_redis, signal.SIGSTOP)
    try:
        loaded = reader.load("SPX")
        with pytest.raises(CacheError):
            reader.load("SPY")
    finally:
        signal_to(own_redis, signal.SIGCONT)
    assert loaded is not None
    assert loaded.stale
    assert loaded.error
    assert loaded.chain.spot == 100.0
    assert loaded.version.number == 1
    eventually(lambda: not reader.load("SPX").stale, 10, "the chain is fresh again")  # type: ignore[union-attr]


def test_statistics_of_a_dead_redis_say_so(own_redis: EmbeddedRedis) -> None:
    store = RedisStore(own_redis.url)
    store.publish(small_chain(), 1)
    store.load("SPX")
    own_redis.stop()
    stats = store.stats()
    assert not stats.healthy
    assert stats.memory_bytes is None
    assert stats.versions == {"SPX": 1}
    assert stats.hits == 1
    assert not store.ping()


def test_a_redis_that_lost_its_data_is_filled_again_with_higher_versions(own_redis: EmbeddedRedis) -> None:
    chain = small_chain()
    writer, reader = filled(own_redis)
    published = reader.load("SPX").version.number  # type: ignore[union-attr]
    restarted(own_redis)
    lost = eventually(lambda: reader.load("SPX"), 5)
    assert lost.stale
    assert lost.chain.spot == 100.0
    again = eventually(lambda: writer.publish(moved(chain, 101.0), 1), 5)
    assert again > published
    fresh = eventually(lambda: (found := reader.load("SPX")) and not found.stale and found, 5)
    assert (fresh.chain.spot, fresh.version.number) == (101.0, again)


def test_an_epoch_grows_across_a_loss_of_data(own_redis: EmbeddedRedis) -> None:
    store = RedisStore(own_redis.url)
    before = store.acquire("feed", "a", 5000)
    restarted(own_redis)
    after = eventually(lambda: store.acquire("feed", "b", 5000), 5)
    assert before is not None
    assert after > before


def test_a_full_redis_refuses_with_its_reason_and_keeps_what_it_has(own_redis: EmbeddedRedis) -> None:
    store = RedisStore(own_redis.url)
    store.publish(small_chain(), 1)
    raw(own_redis).config_set("maxmemory", "1kb")
    with pytest.raises(CacheError, match="full"):
        store.publish(small_chain(spot=120.0), 1)
    assert RedisStore(own_redis.url).load("SPX").chain.spot == 100.0  # type: ignore[union-attr]
    assert store.breaker.state == "closed"


@pytest.mark.parametrize("planted", [b"", b"GEX1\xff\xff\xff\xff", b"not a chain", pickle.dumps(print)])
def test_bytes_that_are_no_chain_are_refused_and_the_last_copy_serves(
    own_redis: EmbeddedRedis, planted: bytes
) -> None:
    _, reader = filled(own_redis)
    raw(own_redis).hset("version:{SPX}", "number", 2)
    raw(own_redis).set("chain:{SPX}", planted)
    loaded = reader.load("SPX")
    assert loaded is not None
    assert loaded.stale
    assert loaded.chain.spot == 100.0
    with pytest.raises(CacheError, match="no readable chain"):
        RedisStore(own_redis.url).load("SPX")


def test_a_version_that_is_no_number_is_an_error_of_the_cache(own_redis: EmbeddedRedis) -> None:
    raw(own_redis).hset("version:{SPX}", mapping={"number": "x", "published_ms": "1", "epoch": "1"})
    with pytest.raises(CacheError):
        RedisStore(own_redis.url).version("SPX")


def test_events_that_somebody_else_wrote_are_left_out(own_redis: EmbeddedRedis) -> None:
    raw(own_redis).lpush("events:{feed}", b"nonsense", b'{"at": 1}', pickle.dumps(print))
    assert RedisStore(own_redis.url).events() == []


def test_reads_are_counted_over_all_processes(own_redis: EmbeddedRedis) -> None:
    one, two = RedisStore(own_redis.url), RedisStore(own_redis.url)
    one.publish(small_chain(), 1)
    for _ in range(4):
        one.load("SPX")
        two.load("SPX")
    one.stats()
    stats = two.stats()
    assert (stats.hits, stats.misses) == (8, 0)


def test_two_readers_on_threads_decode_a_version_once(own_redis: EmbeddedRedis) -> None:
    import threading

    RedisStore(own_redis.url).publish(small_chain(), 1)
    reader = RedisStore(own_redis.url)
    decoded: list[int] = []
    threads = [threading.Thread(target=lambda: decoded.append(id(reader.load("SPX")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 8
    assert len(set(decoded)) == 1


def test_the_page_cache_is_json_and_survives_a_dead_redis(own_redis: EmbeddedRedis) -> None:
    cache = JsonCache(RedisStore(own_redis.url), 60)
    assert cache.set("stats", {"hits": 1})
    assert cache.get("stats") == {"hits": 1}
    raw(own_redis).set("kv:page:planted", pickle.dumps(print))
    assert cache.get("planted") is None
    own_redis.stop()
    assert cache.get("stats") is None
    assert not cache.set("stats", {})


def test_statistics_are_measured_once_a_second_for_all_processes(own_redis: EmbeddedRedis) -> None:
    one, two = Results(RedisStore(own_redis.url)), Results(RedisStore(own_redis.url))
    RedisStore(own_redis.url).publish(small_chain(), 1)
    first = one.stats()
    second = two.stats()
    measured = raw(own_redis).info("commandstats")["cmdstat_dbsize"]["calls"]
    assert measured == 1
    assert second.ping_ms == first.ping_ms
    assert (second.ages_s["SPX"] or 0) >= (first.ages_s["SPX"] or 0)
    own_redis.stop()
    assert not two.stats().healthy, "a dead Redis is seen at once"


def test_the_embedded_redis_listens_on_no_port_in_a_folder_of_its_own(own_redis: EmbeddedRedis) -> None:
    assert raw(own_redis).config_get("port")["port"] == "0"
    assert own_redis.folder.stat().st_mode & 0o777 == 0o700
    assert raw(own_redis).config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_the_embedded_redis_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from app.cache.embedded import EmbeddedRedis\n"
        "server = EmbeddedRedis(Path(sys.argv[1])); server.start()\n"
        "print(server.process.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "r")],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    eventually(lambda: not alive(child), 5, "Redis ended with its parent")


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_embedded_redis_can_be_stopped_twice() -> None:
    server = EmbeddedRedis()
    server.start()
    folder = server.folder
    server.stop()
    server.stop()
    assert not folder.exists()


def test_a_claim_that_a_hung_redis_carries_out_late_claims_nothing(own_redis: EmbeddedRedis) -> None:
    class Hanging(RedisStore):
        """The server stops just before the claim reaches it."""

        def _run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
            found = super()._run(script, keys, arguments)
            if script is scripts.CLOCK:
                signal_to(own_redis, signal.SIGSTOP)
            return found

    late, other = Hanging(own_redis.url), RedisStore(own_redis.url)
    eventually(other.ping, 5)
    try:
        with pytest.raises(CacheError):
            late.acquire("feed", "late", 60_000)
    finally:
        signal_to(own_redis, signal.SIGCONT)
    assert eventually(lambda: other.acquire("feed", "other", 60_000), 5)


def test_a_publication_leaves_nothing_behind_but_the_chain(own_redis: EmbeddedRedis) -> None:
    store = RedisStore(own_redis.url)
    for _ in range(2):
        eventually(lambda: store.publish(small_chain(), 5), 5)
    with pytest.raises(StaleWriter):
        store.publish(small_chain(), 4)
    assert set(raw(own_redis).keys("*{SPX}*")) == {b"chain:{SPX}", b"contracts:{SPX}", b"version:{SPX}"}
    assert raw(own_redis).ttl("chain:{SPX}") == -1, "it stays"


def test_quotes_that_were_evicted_before_their_publication_leave_the_chain_as_it_was(
    own_redis: EmbeddedRedis,
) -> None:
    class Evicting(RedisStore):
        """Redis drops what has just come."""

        def _run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
            if script is scripts.PUBLISH:
                raw(own_redis).delete(keys[-1])
            return super()._run(script, keys, arguments)

    writer, reader = filled(own_redis)
    with pytest.raises(CacheError, match="evicts"):
        Evicting(own_redis.url).publish(moved(small_chain(), 1.0), 1)
    loaded = reader.load("SPX")
    assert loaded is not None
    assert (loaded.stale, loaded.version) == (False, writer.version("SPX"))
