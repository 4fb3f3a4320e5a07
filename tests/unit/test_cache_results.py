"""What pages and REST read: one computation per version and parameters, and a feed that fell silent is seen."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.cache.base import Version
from app.cache.memory import MemoryStore
from app.cache.results import Latest, Results
from app.gex.params import Params
from app.models import SchwabConnection
from tests.small import moved, small_chain

FIRST, SECOND = Version(1, 1000, 7), Version(2, 2000, 7)


def test_a_value_is_made_once_however_many_ask_at_once() -> None:
    latest: Latest[int] = Latest(4)
    gate, made = threading.Event(), []

    def make() -> int:
        gate.wait(5)
        made.append(1)
        return 42

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(latest.get, "key", FIRST, make) for _ in range(8)]
        gate.set()
        assert [answer.result(5) for answer in answers] == [42] * 8
    assert len(made) == 1


def test_a_new_version_is_made_anew() -> None:
    latest: Latest[str] = Latest(4)
    assert latest.get("key", FIRST, lambda: "old") == "old"
    assert latest.get("key", SECOND, lambda: "new") == "new"
    assert latest.get("key", SECOND, lambda: "unused") == "new"


def test_a_failure_reaches_who_asked_and_is_tried_again() -> None:
    latest: Latest[str] = Latest(4)

    def fail() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        latest.get("key", FIRST, fail)
    assert latest.get("key", FIRST, lambda: "yes") == "yes"


def test_only_so_many_values_are_kept() -> None:
    latest: Latest[str] = Latest(2)
    for key in ("a", "b", "c"):
        latest.get(key, FIRST, lambda key=key: key)  # type: ignore[misc]
    assert latest.get("c", FIRST, lambda: "anew") == "c"
    assert latest.get("a", FIRST, lambda: "anew") == "anew"


def test_a_symbol_without_a_chain_has_no_result() -> None:
    assert Results(MemoryStore()).get("SPX") is None


def test_the_same_version_gives_the_same_picture_and_tag() -> None:
    store = MemoryStore()
    results = Results(store)
    store.publish(small_chain(), 1)
    one, two = results.get("SPX"), results.get("SPX", Params())
    assert one is not None
    assert two is not None
    assert one.snapshot is two.snapshot
    assert one.etag == two.etag


def test_another_version_or_other_parameters_change_the_tag() -> None:
    store = MemoryStore()
    results = Results(store)
    chain = small_chain()
    store.publish(chain, 1)
    tags = [results.get("SPX").etag, results.get("SPX", Params(side="inverted")).etag]  # type: ignore[union-attr]
    store.publish(moved(chain, 101.0), 1)
    result = results.get("SPX")
    assert result is not None
    assert len({*tags, result.etag}) == 3
    assert result.snapshot.spot == 101.0


def connection(age: timedelta, **fields: object) -> SchwabConnection:
    now = datetime.now(UTC)
    given = {
        "state": "live",
        "since": now - timedelta(hours=1),
        "source": "schwab",
        "heartbeat_at": now - age,
    }
    return SchwabConnection.model_validate(given | fields)


def test_a_feed_that_reports_is_believed() -> None:
    store = MemoryStore()
    status = connection(timedelta(seconds=1))
    store.put_status(status.json_bytes(), 1)
    assert Results(store).connection() == status


def test_a_feed_that_fell_silent_is_not_called_live() -> None:
    store = MemoryStore()
    status = connection(timedelta(seconds=30))
    store.put_status(status.json_bytes(), 1)
    seen = Results(store).connection()
    assert seen is not None
    assert seen.state == "stopped"
    assert seen.since == status.heartbeat_at
    assert seen.problem is not None
    assert seen.problem.code == "feed_silent"


@pytest.mark.parametrize("data", [b"", b"{}", b"nonsense", b'{"state": "excellent"}'])
def test_a_status_that_cannot_be_read_is_unknown(data: bytes) -> None:
    store = MemoryStore()
    store.put_status(data, 1)
    assert Results(store).connection() is None
