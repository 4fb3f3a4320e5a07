"""Alerts from end to end: simulator, feed, Redis, webhook. One firing, whoever leads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from app.alerts.ledger import Ledger
from app.alerts.rules import FeedTrouble, Move
from app.alerts.service import Alerts
from app.cache import Store
from app.feed.observer import Seat, together
from app.feed.service import Feed
from app.gex import warm_up
from app.listeners import AlertListener
from app.schwab.tokens import TokenCipher
from app.settings import Settings
from tests.feeding import settings_at, signed_in_at
from tests.simulation import running_simulator
from tests.support import eventually


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    warm_up()  # as the product's master does: compiling may take longer than the tests wait
    with running_simulator("--symbols", "AAPL", "--rate-limit", "0", "--tick", "0.2") as url:
        yield url


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A webhook's address, and what it received: the headers and the text."""
    came: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            came.append({"id": self.headers["webhook-id"], "text": body["data"]["text"]})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/gex", came
    server.shutdown()
    server.server_close()


class Desk:
    """A feed with alerts, as the product makes it, and its leader by leader."""

    def __init__(self, base: str, store: Store, folder: Path, hook: str) -> None:
        self.store = store
        self.settings: Settings = settings_at(base, folder, alert_webhook_hosts=hook.rpartition("/")[0])
        self.oauth = signed_in_at(base, folder)
        self.cipher = TokenCipher.open("", folder)
        self.alerts = Alerts(self.settings, store, self.cipher)
        self.ledger = Ledger(store, "simulator")
        self.feed: Feed | None = None

    def lead(self) -> None:
        def listener(seat: Seat) -> AlertListener:
            return AlertListener(self.alerts.watch(seat))

        self.feed = Feed(self.settings, self.store, self.oauth, listeners=together(listener))
        self.feed.start()

    def end(self) -> None:
        if self.feed is not None:
            self.feed.stop()
            self.feed = None


@pytest.fixture
def desk(base: str, store: Store, tmp_path: Path, hook: tuple[str, list[dict[str, str]]]) -> Iterator[Desk]:
    made = Desk(base, store, tmp_path, hook[0])
    made.alerts.add_hook(hook[0])
    yield made
    made.end()


def test_a_move_fires_once_and_arrives_once_also_after_a_take_over(
    desk: Desk, hook: tuple[str, list[dict[str, str]]]
) -> None:
    rule = Move(symbol="AAPL", level="spot", by=0.01, unit="points", minutes=1, cooldown_s=86_400)
    desk.alerts.replace_rules([rule], desk.alerts.rules().revision)
    desk.lead()
    [alert] = eventually(desk.ledger.fired, 40, "the move fires")
    assert alert.symbol == "AAPL"
    assert alert.simulated
    assert alert.text.startswith("Simulated: AAPL spot moved by ")
    _, came = hook
    eventually(lambda: came, 10, "the webhook is called")
    eventually(lambda: desk.ledger.fired()[0].deliveries[0].state == "delivered", 10, "its answer is kept")
    desk.end()
    remembered = desk.ledger.memories()
    desk.lead()  # another leader: it goes on from what is kept
    eventually(lambda: desk.ledger.memories() != remembered, 40, "the next leader evaluates")
    assert [known.id for known in desk.ledger.fired()] == [alert.id]
    assert came == [{"id": alert.id, "text": alert.text}]


def test_a_feed_that_is_signed_out_is_told(desk: Desk, hook: tuple[str, list[dict[str, str]]]) -> None:
    desk.alerts.replace_rules([FeedTrouble(seconds=5)], desk.alerts.rules().revision)
    desk.oauth.sign_out()
    desk.lead()
    [alert] = eventually(desk.ledger.fired, 40, "the trouble fires")
    assert alert.answer == "trouble"
    assert "There is no Schwab login yet" in alert.text
    eventually(lambda: hook[1], 10, "the webhook is called")
