"""A dashboard on a real server and a real chain, driven by a real browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dash.testing.browser import Browser
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from werkzeug.serving import BaseWSGIServer, make_server

from app.cache.embedded import EmbeddedRedis
from app.chainfile import read_chain
from app.errors import CacheError
from app.gex.params import Params
from app.gex.snapshot import Snapshot
from app.market.chain import Chain
from app.models import Coverage, FeedProblem, SchwabConnection, TokenLife
from app.server import create_server
from app.services import Services
from tests.support import data_file, eventually, free_port
from tests.webserver import make_services

Environ = dict[str, Any]


@dataclass
class Slow:
    """Counts the page's questions, and answers them late."""

    inner: Any
    delay_s: float = 0.0
    asked: int = 0

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/_dash-update-component":
            self.asked += 1
            time.sleep(self.delay_s)
        return self.inner(environ, start)  # type: ignore[no-any-return]


class Desk:
    """One dashboard: what it knows can be changed, and its server can be slowed, stopped and started again.

    Its feed's heart beats until `fall_silent`, as a real one's does.
    """

    def __init__(self, services: Services, chain: Chain) -> None:
        self.services = services
        self.chain = chain
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.wsgi = Slow(create_server(services))
        self._server: BaseWSGIServer | None = None
        self._told: dict[str, Any] = {}
        self._since = datetime.now(UTC)
        self._silent = threading.Event()
        self.start()
        self.report()
        threading.Thread(target=self._beat, daemon=True).start()

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self.port, self.wsgi, threaded=True)
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def publish(self, **changed: Any) -> None:
        """The chain with some of it changed, as the next version."""
        self.chain = replace(self.chain, **changed)
        self.services.store.publish(self.chain, 1)

    def report(self, **changed: Any) -> None:
        """What the feed says of itself from now on."""
        self._told = changed
        self._write_status()

    def fall_silent(self) -> None:
        """The feed says nothing any more."""
        self._silent.set()

    def _beat(self) -> None:
        while not self._silent.wait(0.5):
            with suppress(CacheError):  # a feed, too, goes on while the cache is away
                self._write_status()

    def _write_status(self) -> None:
        now = datetime.now(UTC)
        usual: dict[str, Any] = {
            "state": "live",
            "since": self._since,
            "source": "simulator",
            "last_frame_at": now,
            "heartbeat_at": now,
            "keys_used": 2900,
            "keys_limit": 3000,
            "coverage": {
                "SPX": Coverage(contracts=len(self.chain), streaming=2900, gamma_share=0.94),
            },
            "token": TokenLife(),
        }
        self.services.store.put_status(SchwabConnection(**(usual | self._told)).json_bytes(), 1)

    def problem(self, message: str, cure: str) -> FeedProblem:
        return FeedProblem(code="test", message=message, cure=cure, since=datetime.now(UTC))

    def snapshot(self, params: Params | None = None) -> Snapshot:
        """What the engine says of the published chain."""
        result = self.services.results.get("SPX", params)
        assert result is not None
        return result.snapshot


@dataclass
class Page:
    """The browser, in the words of the page."""

    browser: Browser
    desk: Desk

    def open(self, path: str) -> None:
        self.browser.driver.get(self.desk.url + path)

    def value(self, tile: str) -> str:
        """The number in a tile of the levels strip."""
        return str(self.browser.find_element(f"#tile-{tile} .value").text)

    def text(self, selector: str) -> str:
        return str(self.browser.find_element(selector).text)

    def state(self) -> str:
        """The state that the page claims: live, delayed, stale, down, closed or connecting."""
        return str(self.run("return document.getElementById('page')?.dataset.state || ''"))

    def run(self, script: str) -> Any:
        return self.browser.driver.execute_script(script)

    def click(self, words: str) -> None:
        """Click a link; again where it was replaced meanwhile, as links are when the expiries become known."""

        def clicked() -> bool:
            try:
                self.browser.driver.find_element("partial link text", words).click()
            except (StaleElementReferenceException, NoSuchElementException):
                return False
            return True

        eventually(clicked, 10, f"there is a link {words}")

    def shows(self, tile: str, text: str, timeout_s: float = 15.0) -> None:
        """Wait until a tile shows this text."""
        eventually(lambda: self.value(tile) == text, timeout_s, f"{tile} shows {text}")

    def address(self) -> str:
        return str(self.browser.driver.current_url).removeprefix(self.desk.url)

    def drawn(self) -> None:
        """Wait until the chart is drawn."""
        script = "return document.querySelector('#chart .js-plotly-plot')?.data?.length > 0"
        eventually(lambda: self.run(script), 30, "the chart is drawn")

    def errors(self) -> list[str]:
        """What the browser's console says is wrong."""
        return [
            entry["message"] for entry in self.browser.driver.get_log("browser") if entry["level"] == "SEVERE"
        ]


@pytest.fixture(scope="session")
def real_chain() -> Chain:
    """The close of 5 January 2024, as if its market were open."""
    return replace(read_chain(data_file("spx_2024-01-05.csv")), session="open", delayed=False)


@pytest.fixture
def desk(tmp_path: Path, real_chain: Chain) -> Iterator[Desk]:
    made = Desk(make_services(tmp_path, symbols="SPX,SPY"), real_chain)
    made.publish()
    yield made
    made.fall_silent()
    made.stop()


@pytest.fixture
def redis_desk(tmp_path: Path, real_chain: Chain, own_redis: EmbeddedRedis) -> Iterator[Desk]:
    """A dashboard whose cache is a real Redis that the test may stop."""
    made = Desk(make_services(tmp_path, symbols="SPX", redis_url=own_redis.url), real_chain)
    made.publish()
    yield made
    made.fall_silent()
    made.stop()


@pytest.fixture
def page(desk: Desk, dash_br: Browser) -> Page:
    dash_br.driver.set_window_size(1440, 915)
    return Page(dash_br, desk)


@pytest.fixture
def redis_page(redis_desk: Desk, dash_br: Browser) -> Page:
    dash_br.driver.set_window_size(1440, 915)
    return Page(dash_br, redis_desk)
