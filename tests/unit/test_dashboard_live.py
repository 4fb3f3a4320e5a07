"""The server's half of the live loop: short answers when nothing is new, words when something is wrong."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from app.cache.memory import MemoryStore
from app.cache.results import Results
from app.gex.params import Params
from app.gex.snapshot import Snapshot
from app.market.chain import Chain
from app.models import Coverage, SchwabConnection
from app.server import create_server
from app.trail import Point, Trail
from callbacks.live import Answered, Desk, respond
from callbacks.navigation import locate
from callbacks.request import read_request
from components.changes import changes
from tests.chains import synthetic
from tests.webserver import make_server, make_services

START = datetime(2026, 10, 16, 13, 30, tzinfo=UTC)


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
    assert answered.ack["symbol"] == "SPX"


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
    ack = ask(store).ack
    assert ack["feed"]["state"] == "live"
    assert ack["feed"]["coverage"]["share"] == 0.5
    assert ack["beat"] == pytest.approx([now.timestamp() * 1000] * 2, abs=1)


def reported(store: MemoryStore, seconds: float = 0, **changed: Any) -> None:
    now = datetime.now(UTC) + timedelta(seconds=seconds)
    usual = {
        "state": "live",
        "since": START,
        "source": "simulator",
        "heartbeat_at": now,
        "last_frame_at": now,
    }
    store.put_status(SchwabConnection(**(usual | changed)).json_bytes(), 1)


def test_an_account_that_the_tab_has_is_not_sent_again(store: MemoryStore, chain: Chain) -> None:
    store.publish(chain, 1)
    reported(store)
    first = ask(store)
    assert first.picture
    held = {
        "have": first.picture["etag"],
        "feed": first.ack["feed"]["id"],
        "cache": first.ack["cache"]["id"],
    }
    reported(store, seconds=1)
    again = ask(store, **held)
    assert "feed" not in again.ack
    assert again.ack["beat"][1] > first.ack["beat"][1]
    reported(store, reconnects=1)
    assert ask(store, **held).ack["feed"]["reconnects"] == 1


def test_an_unchanged_answer_is_under_300_bytes(tmp_path: Path, chain: Chain) -> None:
    services = make_services(tmp_path, symbols="SPX")
    services.store.publish(chain, 1)
    services.store.put_status(SchwabConnection(state="live", since=START, source="schwab").json_bytes(), 1)
    client = create_server(services).test_client()
    asked: dict[str, Any] = {"seq": 1, "symbol": "SPX"}
    known = posted(client, asked)["response"]
    asked |= {"seq": 999_999, "have": known["answer"]["data"]["etag"]}
    asked |= {part: known["ack"]["data"][part]["id"] for part in ("feed", "cache")}
    assert len(gzip.compress(orjson.dumps(posted(client, asked)))) < 300


def posted(client: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """What the page's own question is answered with."""
    outputs = [{"id": name, "property": "data"} for name in ("ack", "answer")]
    inputs = [{"id": "request", "property": "data", "value": asked}]
    body = {"output": "..ack.data...answer.data..", "outputs": outputs, "inputs": inputs}
    sent = client.post("/_dash-update-component", json=body | {"changedPropIds": ["request.data"]})
    assert sent.status_code == 200
    answered: dict[str, Any] = sent.get_json()
    return answered


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


def test_a_picture_says_how_many_dates_of_the_chain_are_missing(store: MemoryStore, chain: Chain) -> None:
    store.publish(replace(chain, missing_expiries=3), 1)
    picture = ask(store).picture
    assert picture
    assert picture["missing"] == 3
    assert picture["quality"]["confidence"] is None


def test_a_choice_of_dates_that_are_all_read_is_whole(store: MemoryStore, chain: Chain) -> None:
    store.publish(replace(chain, missing_expiries=1, missing_dates=(date(2031, 1, 17),)), 1)
    whole, part = ask(store, search="?expiries=0dte").picture, ask(store).picture
    assert whole
    assert part
    assert (whole["missing"], part["missing"]) == (0, 1)
    assert whole["quality"]["confidence"] is not None
    assert part["quality"]["confidence"] is None


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


def test_the_first_html_tells_of_the_charts_scripts_and_leaves_out_what_nobody_needs(tmp_path: Path) -> None:
    client = make_server(tmp_path, symbols="SPX").test_client()
    page = client.get("/gex/SPX").text
    told = re.findall(r'rel="preload" as="script" href="([^"]+)"', page)
    assert len(told) == 2
    assert [client.get(path).status_code for path in told] == [200, 200]
    assert "polyfill" not in page
    assert "dash_renderer" in page
