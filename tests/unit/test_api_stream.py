"""The event stream of levels: each version once, an honest word when there are none, and an end that says why."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from werkzeug.serving import make_server as make_http_server

from app.access.account import gate
from app.api.context import context
from app.streams import Client, Event, Streams, message, take_over
from tests.chains import synthetic
from tests.feeding import report
from tests.support import eventually
from tests.webserver import make_server


class Site:
    """A server on a port, with SPX in its cache."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.server = make_server(folder, symbols="SPX,SPY", **settings)
        with self.server.app_context():
            self.context = context()
        self.publish()
        self.http = make_http_server("127.0.0.1", 0, self.server, threaded=True)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def publish(self, spot: float = 5000.0) -> None:
        self.context.store.publish(synthetic(spot=spot)[0], 1)

    def open(self, query: str = "", **headers: str) -> requests.Response:
        url = f"http://127.0.0.1:{self.http.server_port}/api/v1/gex/SPX/stream{query}"
        return requests.get(url, headers=headers, stream=True, timeout=20)

    def close(self) -> None:
        self.server.extensions["gex-streams"].close()
        self.http.shutdown()
        self.thread.join(5)
        self.http.server_close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that look after their clients more often than they would for a user."""
    monkeypatch.setattr("app.streams.CHECK_S", 0.3)
    monkeypatch.setattr("app.streams.HEARTBEAT_S", 0.5)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    opened = Site(tmp_path)
    yield opened
    opened.close()


def events(answer: requests.Response) -> Iterator[dict[str, str]]:
    """Events as they come; comments and `retry` left out."""
    event: dict[str, str] = {}
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if not line and "event" in event:
            yield event
        if not line:
            event = {}
        name, _, value = line.partition(": ")
        if name:
            event[name] = value


def test_every_new_version_is_one_event_with_its_levels(site: Site) -> None:
    with site.open("?side=inverted") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in answer.headers
        heard = events(answer)
        first = next(heard)
        site.publish(5001.0)
        second = next(heard)

    assert (first["event"], second["event"]) == ("levels", "levels")
    assert first["id"] != second["id"]
    assert orjson.loads(first["data"])["convention"]["side"] == "inverted"
    assert [orjson.loads(event["data"])["spot"] for event in (first, second)] == [5000.0, 5001.0]
    levels = site.server.test_client().get("/api/v1/gex/SPX/levels?side=inverted").get_json()
    assert orjson.loads(second["data"]) == levels


def test_a_feed_that_is_gone_is_a_problem_until_it_is_back(site: Site) -> None:
    with site.open() as answer:
        heard = events(answer)
        first = next(heard)
        site.context.store.put_status(report("stopped"), 1)
        told = next(heard)
        site.context.store.put_status(report("live"), 1)
        again = next(heard)

    assert told["event"] == "problem"
    assert orjson.loads(told["data"]) == {"status": 503, "detail": "Nothing new comes: the feed has stopped."}
    assert again == first


def test_who_comes_back_gets_only_what_is_new(site: Site) -> None:
    with site.open() as answer:
        last = next(events(answer))["id"]

    with site.open(**{"Last-Event-ID": last}) as answer:
        threading.Timer(0.5, lambda: site.publish(5002.0)).start()
        assert orjson.loads(next(events(answer))["data"])["spot"] == 5002.0


def test_a_limit_ends_it(site: Site) -> None:
    with site.open("?limit=1") as answer:
        assert [event["event"] for event in events(answer)] == ["levels", "end"]


def test_a_revoked_key_ends_it(tmp_path: Path) -> None:
    site = Site(tmp_path, access="private")
    with site.server.app_context():
        key = gate().keys.create("reader", "read")
        try:
            with site.open(Authorization=f"Bearer {key}") as answer:
                heard = events(answer)
                assert next(heard)["event"] == "levels"
                gate().keys.revoke(gate().keys.all()[0].id)
                last = next(heard)
            assert (last["event"], orjson.loads(last["data"])) == ("end", {"reason": "revoked"})
            assert site.open().status_code == 401
        finally:
            site.close()


def test_a_symbol_that_is_dropped_ends_it(site: Site) -> None:
    with site.open() as answer:
        heard = events(answer)
        next(heard)
        site.context.watchlist.drop("SPX")
        site.context.store.forget("SPX", 1)
        ends = [event for event in heard if event["event"] == "end"]
    assert orjson.loads(ends[0]["data"]) == {"reason": "dropped"}


def test_more_clients_than_places_are_told_when_to_come_again(tmp_path: Path) -> None:
    site = Site(tmp_path, stream_clients=2)
    try:
        with site.open() as first, site.open() as second:
            next(events(first)), next(events(second))
            refused = site.open()
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            assert "STREAM_CLIENTS" in refused.json()["cure"]
        eventually(lambda: site.open("?limit=1").status_code == 200, 20, "a place is free again")
    finally:
        site.close()


def test_a_closing_server_says_goodbye(site: Site) -> None:
    with site.open() as answer:
        heard = events(answer)
        next(heard)
        site.server.extensions["gex-streams"].close()
        last = next(heard)
    assert (last["event"], orjson.loads(last["data"])) == ("end", {"reason": "shutdown"})
    assert site.open().status_code == 503


def test_what_cannot_be_streamed_is_a_problem_document(site: Site) -> None:
    client = site.server.test_client()
    for path, status in (("ZZZZ/stream", 404), ("SPY/stream", 503), ("SPX/stream?side=x", 422)):
        answer = client.get(f"/api/v1/gex/{path}")
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


class Numbers:
    """A source whose news is a number that the test sets."""

    def __init__(self, size: int = 10) -> None:
        self.now, self.asked, self.size = 0, 0, size

    def mark(self, _topic: object) -> int:
        return self.now

    def event(self, _topic: object) -> Event:
        self.asked += 1
        return Event(str(self.now), message("n", str(self.now).encode() + b" " * self.size, str(self.now)))


def test_many_clients_of_one_topic_cost_one_event_and_a_slow_one_holds_up_nobody() -> None:
    source = Numbers(size=2_000_000)  # more than a socket holds
    streams = Streams(source, 1000)
    pairs = [socket.socketpair() for _ in range(12)]
    for ours, _ in pairs:
        streams.add(Client(ours, "t", lambda: ""))
    readers = [theirs.makefile("rb") for _, theirs in pairs[1:]]  # the first reads nothing

    def number(reader: Any) -> bytes:
        return next(line for line in reader if line.startswith(b"data:"))[6:].split()[0]

    for _, theirs in pairs:
        theirs.settimeout(20)
    assert {number(reader) for reader in readers} == {b"0"}
    for now in (1, 2, 3):
        source.now = now
        assert {number(reader) for reader in readers} == {str(now).encode()}
    assert source.asked == 4
    slow = pairs[0][1].makefile("rb")
    assert [number(slow), number(slow)] == [b"0", b"3"], "what it has missed is left out"
    streams.close()
    assert len(streams) == 0
    for reader in [*readers, slow]:
        reader.close()


def test_a_taken_over_connection_survives_what_the_web_server_does_to_its_own_socket() -> None:
    theirs, client = socket.socketpair()
    ours = take_over(theirs)

    with pytest.raises(BrokenPipeError):
        theirs.sendall(b"HTTP/1.1 500 and more")
    theirs.setblocking(True)
    theirs.close()
    ours.sendall(b"still here")
    ours.close()

    assert client.recv(100) == b"still here"
