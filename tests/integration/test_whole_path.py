"""Simulator -> feed -> Redis -> callback, as the product runs it, and again after the connection was cut."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from app.chainfile import read_chain
from app.feed.service import Feed
from app.gex import compute
from app.server import create_server
from app.services import Services, build_services, demo_sign_in
from app.simulator.control import Control
from tests.feeding import default_settings_at
from tests.simulation import running_simulator
from tests.support import data_file, eventually

pytestmark = pytest.mark.redis


@dataclass
class Product:
    """One process of the product with its feed running, and the switches of the Schwab it is signed in to."""

    services: Services
    page: FlaskClient
    schwab: Control
    seq: int = 0

    def ask(self, have: str = "") -> dict[str, Any]:
        """What the page's tick is answered."""
        self.seq += 1
        question = {"seq": self.seq, "symbol": "SPX", "search": "", "have": have}
        body = {
            "output": "..ack.data...answer.data..",
            "outputs": [{"id": "ack", "property": "data"}, {"id": "answer", "property": "data"}],
            "inputs": [{"id": "request", "property": "data", "value": question}],
            "changedPropIds": ["request.data"],
        }
        answer = self.page.post("/_dash-update-component", json=body)
        assert answer.status_code == 200, answer.text[:500]
        return answer.json["response"]  # type: ignore[no-any-return, index]

    def picture(self) -> dict[str, Any] | None:
        """What is drawn for a tab that has nothing yet."""
        return self.ask().get("answer", {}).get("data")

    def level(self, name: str) -> float:
        """One level as REST tells it."""
        document = self.page.get("/api/v1/gex/SPX").json
        assert document is not None
        return float(document[name])


@pytest.fixture
def product(redis_url: str, tmp_path: Path) -> Iterator[Product]:
    with running_product(redis_url, tmp_path, "--symbols", "SPX", "--tick", "0.2") as running:
        yield running


@contextlib.contextmanager
def running_product(redis_url: str, folder: Path, *simulator: str) -> Iterator[Product]:
    """Simulator, feed and page, wired as the product does it."""
    with running_simulator(*simulator) as url:
        settings = default_settings_at(url, folder, symbols="SPX", redis_url=redis_url, force_demo=True)
        services = build_services(settings)
        feed = Feed(settings, services.store, services.oauth, sign_in=demo_sign_in(settings, services.oauth))
        feed.start()
        page = create_server(services).test_client()
        try:
            yield Product(services, page, Control(url))
        finally:
            feed.stop()
            services.store.close()


def streaming(product: Product) -> bool:
    connection = product.services.results.connection()
    return connection is not None and connection.state == "live" and connection.keys_used > 0


def bars(picture: dict[str, Any]) -> np.ndarray:
    """Any base64 column of the picture, to see that it carries numbers."""
    found = next(_encoded(picture))
    return np.frombuffer(base64.b64decode(found["bdata"]), dtype=found["dtype"])


def _encoded(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "bdata" in value:
            yield value
        for inner in value.values():
            yield from _encoded(inner)
    if isinstance(value, list):
        for inner in value:
            yield from _encoded(inner)


def test_a_tick_of_the_market_reaches_the_page_and_does_so_again_after_a_cut(product: Product) -> None:
    first = eventually(product.picture, 30, "the page has a picture")
    assert np.isfinite(bars(first)).any()
    eventually(lambda: streaming(product), 30, "the stream is live")

    before = product.level("spot")
    product.schwab.jump("SPX", 1.0)
    eventually(lambda: abs(product.level("spot") / before - 1) > 0.008, 20, "the jump arrives")
    moved = eventually(lambda: product.ask(first["etag"]).get("answer", {}).get("data"), 10, "a new picture")
    assert moved["etag"] != first["etag"]

    logins = product.schwab.state()["logins"]
    product.schwab.cut("rst")
    eventually(lambda: product.schwab.state()["logins"] > logins, 30, "the feed logs in again")
    eventually(lambda: streaming(product), 30, "the stream is live again")
    before = product.level("spot")
    product.schwab.jump("SPX", -1.0)
    eventually(lambda: product.level("spot") / before - 1 < -0.008, 20, "a jump arrives again")
    assert product.schwab.state()["max_connections"] == 1


def test_an_unchanged_picture_is_not_sent_again(product: Product) -> None:
    picture = eventually(product.picture, 30, "the page has a picture")
    product.schwab.silence()

    def quiet() -> bool:
        nonlocal picture
        fresh = product.ask(picture["etag"]).get("answer", {}).get("data")
        picture = fresh or picture
        return fresh is None

    eventually(quiet, 60, "the same picture isn't sent twice")
    assert "ack" in product.ask(picture["etag"])


def whole(product: Product) -> dict[str, Any] | None:
    """The document, once every expiry has been read."""
    document = product.page.get("/api/v1/gex/SPX").json
    return document if document and "strikes" in document and not document["quality"]["warnings"] else None


def test_a_demo_on_a_real_chain_shows_its_levels(redis_url: str, tmp_path: Path) -> None:
    path = data_file("spx_2024-01-05.csv")
    of_file = compute(read_chain(path)).levels
    with running_product(redis_url, tmp_path, "--chain", str(path)) as product:
        live = eventually(lambda: whole(product), 60, "the whole chain is swept")
    spot = live["spot"]
    assert spot == pytest.approx(4697.24, rel=0.005)
    assert live["flip"] == pytest.approx(of_file.flip, rel=0.003)
    assert live["call_wall"] == of_file.call_wall
    # two strikes compete for the put wall within half a percent, and the market moves
    puts = {row["strike"]: -row["put_gex"] for row in live["strikes"]}
    assert puts[of_file.put_wall] > 0.97 * puts[live["put_wall"]]
    assert live["gross_gex"] == pytest.approx(of_file.gross_gex, rel=0.05)
    assert abs(live["net_gex"] - of_file.net_gex) < 0.02 * of_file.gross_gex
