"""The server's half of the live loop: short answers when nothing is new, words when something is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from app.cache.memory import MemoryStore
from app.cache.results import Results
from app.gex.params import Params
from app.gex.snapshot import Snapshot
from app.market.chain import Chain
from app.models import Coverage, SchwabConnection
from app.trail import Point, Trail
from callbacks.live import Answered, Desk, respond
from callbacks.navigation import locate
from callbacks.request import read_request
from components.changes import changes
from tests.chains import synthetic


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def chain() -> Chain:
    return synthetic()[0]


def ask(store: MemoryStore, **asked: Any) -> Answered:
    request = read_request({"seq": 1, "symbol": "SPX", **asked})
    assert request
    return respond(Desk(Results(store)), request)


def test_a_picture_is_sent_once_per_version(store: MemoryStore, chain: Chain) -> None:
    store.publish(chain, 1)
    first = ask(store)
    assert first.picture
    again = ask(store, have=first.picture["etag"], seq=2)
    assert again.picture is None
    assert again.ack["seq"] == 2
    store.publish(chain, 1)
    assert ask(store, have=first.picture["etag"]).picture


def test_another_choice_is_another_picture(store: MemoryStore, chain: Chain) -> None:
    store.publish(chain, 1)
    first = ask(store)
    assert first.picture
    other = ask(store, have=first.picture["etag"], search="?side=inverted")
    assert other.picture
    assert other.picture["levels"]["net_gex"] == pytest.approx(-first.picture["levels"]["net_gex"])


def test_a_symbol_without_a_chain_is_awaited(store: MemoryStore) -> None:
    answered = ask(store)
    assert answered.picture is None
    assert answered.ack["waiting"] is True


def test_a_text_that_is_no_symbol_is_answered_with_words(store: MemoryStore) -> None:
    assert "not a symbol" in ask(store, symbol="<script>").ack["problem"]["message"]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "x",
        {},
        {"seq": -1, "symbol": "SPX"},
        {"seq": 1},
        {"seq": 1, "symbol": "S" * 999},
        {"seq": 1, "symbol": "SPX", "crop": [5, 1]},
        {"seq": 1, "symbol": "SPX", "crop": ["nan", 1]},
        {"seq": 1, "symbol": "SPX", "search": "x" * 5000},
    ],
)
def test_what_is_no_question_is_not_answered(raw: object) -> None:
    assert read_request(raw) is None


def test_the_feed_s_state_comes_with_every_answer(store: MemoryStore, chain: Chain) -> None:
    now = datetime.now(UTC)
    status = SchwabConnection(
        state="live",
        since=now,
        source="simulator",
        heartbeat_at=now,
        last_frame_at=now,
        coverage={"SPX": Coverage(contracts=len(chain), streaming=10, gamma_share=0.5)},
    )
    store.put_status(status.json_bytes(), 1)
    store.publish(chain, 1)
    feed = ask(store).ack["feed"]
    assert feed["state"] == "live"
    assert feed["coverage"]["share"] == 0.5
    assert feed["frame"] == pytest.approx(now.timestamp() * 1000, abs=1)


@pytest.mark.parametrize(
    ("path", "symbol"), [("/gex/SPX", "SPX"), ("/gex/$spx", "SPX"), ("/gex/%24SPX/", "SPX"), ("/", "SPX")]
)
def test_a_path_names_a_symbol(path: str, symbol: str) -> None:
    assert locate(path, ["SPX", "SPY"]) == (symbol, [])


@pytest.mark.parametrize("path", ["/gex/TSLA", "/gex/!!", "/elsewhere", "/gex/", "/gex/SPX/more"])
def test_a_path_that_names_nothing_gets_words(path: str) -> None:
    symbol, words = locate(path, ["SPX"])
    assert symbol == ""
    assert words


def at(snapshot: Snapshot, minutes: float, spot: float) -> Snapshot:
    levels = replace(snapshot.levels, flip=None)
    return replace(snapshot, as_of_ms=snapshot.as_of_ms + round(minutes * 60_000), spot=spot, levels=levels)


def test_the_trail_keeps_a_point_a_minute_and_shares_it(store: MemoryStore, chain: Chain) -> None:
    store.publish(chain, 1)
    result = Results(store).get("SPX", Params())
    assert result
    first, second = Trail(store), Trail(store)
    for minutes, spot in ((0, 5000.0), (0.3, 5001.0), (1.1, 5002.0)):
        first.note(at(result.snapshot, minutes, spot))
    seen = second.note(at(result.snapshot, 2.2, 5003.0))
    assert [point.spot for point in seen] == [5000.0, 5002.0, 5003.0]


def test_planted_bytes_are_no_trail(store: MemoryStore, chain: Chain) -> None:
    store.publish(chain, 1)
    result = Results(store).get("SPX", Params())
    assert result
    Trail(store).note(result.snapshot)
    assert store._values
    for planted in (b"\x80\x04.", b"{}", b"[1]", b'[["x",1,2,3]]', b"[[1,2]]"):
        for key in list(store._values):
            store.put(key, planted)
        assert len(Trail(store).note(result.snapshot)) == 1


def test_changes_are_known_only_where_something_was_seen() -> None:
    start = 1_700_000_000_000
    minute = 60_000
    points = [Point(start + i * minute, 100.0 + i, None, 1e9 * i) for i in range(8)]
    moved = changes(points, points[-1])
    assert moved["spot"] == {"5": 5.0, "15": None, "60": None}
    assert moved["net_gex"]["5"] == pytest.approx(5e9)
    assert moved["flip"]["5"] is None
    assert moved["since"] == start
    assert changes([], points[0])["spot"]["5"] is None


def test_an_expired_chain_answers_without_inventing(store: MemoryStore, chain: Chain) -> None:
    late = chain.as_of_ms + int(timedelta(days=5000).total_seconds() * 1000)
    store.publish(replace(chain, as_of_ms=late), 1)
    picture = ask(store).picture
    assert picture
    assert picture.get("levels", {}).get("flip") is None
    store.publish(chain.take(np.zeros(len(chain), bool)), 1)
    assert ask(store).picture


def test_tabs_that_ask_the_same_share_one_picture(store: MemoryStore, chain: Chain) -> None:
    store.publish(chain, 1)
    desk = Desk(Results(store))
    first, second = (read_request({"seq": seq, "symbol": "SPX"}) for seq in (1, 2))
    assert first
    assert second
    one, two = respond(desk, first).picture, respond(desk, second).picture
    assert one
    assert two
    assert one["traces"] is two["traces"]
    store.publish(replace(chain, spot=chain.spot + 1), 1)
    three = respond(desk, first).picture
    assert three
    assert three["levels"]["spot"] == pytest.approx(chain.spot + 1)
