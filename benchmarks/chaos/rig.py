"""What the rows share: the product on a simulator of its own, someone who keeps asking it, and what the page would say."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import redis
import requests

from app.cache import Store, open_store
from app.cache.embedded import EmbeddedRedis
from app.models import SchwabConnection
from app.simulator import APP_KEY, APP_SECRET
from app.simulator.control import Control
from tests.feeding import oauth_at, sign_in
from tests.product import Running, started
from tests.simulation import running_simulator
from tests.support import clean_environment, eventually, process


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for everything that a row leaves behind."""
    with tempfile.TemporaryDirectory(prefix="gex-chaos-") as name:
        yield Path(name)


class Site:
    """A simulator, a Redis and a login: what a feed needs. `url` is where Schwab seems to be."""

    def __init__(self, url: str, redis: EmbeddedRedis, data: Path) -> None:
        self.url, self.redis, self.data = url, redis, data
        self.schwab = Control(url)
        self.store = open_store(redis.url, embedded=True)
        oauth = oauth_at(url, data)
        sign_in(oauth)

    def environment(self, **more: str) -> dict[str, str]:
        """The settings of a process that works here."""
        given = {
            "REDIS_URL": self.redis.url, "SCHWAB_API_URL": self.url, "SCHWAB_APP_KEY": APP_KEY,
            "SCHWAB_APP_SECRET": APP_SECRET, "DATA_DIR": str(self.data), "REST_PER_MINUTE": "120",
        }  # fmt: skip
        return given | more

    def command(self, *words: str) -> None:
        """Tell Redis something directly."""
        with contextlib.closing(redis.Redis.from_url(self.redis.url)) as client:
            client.execute_command(*words)

    def empty_redis(self) -> None:
        """Redis forgets everything."""
        self.command("FLUSHALL")

    @contextlib.contextmanager
    def feed(self, *, wait: bool = True, **settings: str) -> Iterator[int]:
        """`python -m app feed`, live unless told not to `wait` for that; its process id."""
        environment = clean_environment(**self.environment(**settings))
        with process("feed", env=environment, log=self.data / "feed.log") as child:
            if wait:
                eventually(lambda: streams(self.store, settings["SYMBOLS"]), 60, "the feed streams")
            yield child.pid

    @contextlib.contextmanager
    def server(self, **settings: str) -> Iterator[Running]:
        """`python -m app run`, with a chain that streams."""
        environment = self.environment(**settings)
        del environment["DATA_DIR"]  # it is given by the folder
        with started(self.data.parent, **environment) as running:
            eventually(running.serves, 240, "the server answers")  # a first start compiles
            eventually(lambda: streams(self.store, settings["SYMBOLS"]), 90, "its feed streams")
            yield running


@contextlib.contextmanager
def site(*simulator: str) -> Iterator[Site]:
    """A site whose simulator has these options."""
    with folder() as above, EmbeddedRedis() as redis, running_simulator(*simulator) as url:
        made = Site(url, redis, above / "data")
        try:
            yield made
        finally:
            made.store.close()


def status(store: Store) -> SchwabConnection:
    """The feed's account of itself."""
    data = store.status()
    assert data is not None, "no status yet"
    return SchwabConnection.model_validate_json(data)


def streams(store: Store, symbol: str) -> bool:
    """Whether the newest chain is whole, and streams."""
    loaded = store.load(symbol)
    return (
        loaded is not None
        and not loaded.stale
        and not loaded.chain.missing_expiries
        and bool(loaded.chain.quotes.streaming.any())
    )


def seconds_until(predicate: Callable[[], object], timeout_s: float, what: str) -> float:
    """How long it took. Raises AssertionError when it took longer."""
    began = time.monotonic()
    eventually(predicate, timeout_s, what)
    return time.monotonic() - began


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values doesn't exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


_ACCOUNT = "/api/v1/connection/status"


class Answer(NamedTuple):
    """One request: when it was sent, what it asked for, how it ended and how long that took.

    `status` is 0 where there was no answer, with the reason in `failure`.
    """

    at: float
    path: str
    status: int
    seconds: float
    failure: str = ""


@dataclass
class Load:
    """Requests at a steady rate from several threads, a connection each, as browsers and scripts keep them."""

    url: str
    symbol: str
    answers: list[Answer] = field(default_factory=list)

    @contextlib.contextmanager
    def going(self, *, per_s: float = 20.0, threads: int = 4) -> Iterator[Load]:
        """Keep asking while the block runs."""
        stop = threading.Event()
        paths = itertools.cycle(
            [f"/api/v1/gex/{self.symbol}", "page", "/api/v1/health/live", _ACCOUNT, "page"]
        )
        workers = [
            threading.Thread(target=self._ask_on, args=(paths, threads / per_s, stop)) for _ in range(threads)
        ]
        for worker in workers:
            worker.start()
        try:
            yield self
        finally:
            stop.set()
            for worker in workers:
                worker.join(30)

    def _ask_on(self, paths: Iterator[str], every_s: float, stop: threading.Event) -> None:
        session = requests.Session()
        while not stop.wait(every_s):
            self.answers.append(self._ask(session, next(paths)))

    def _ask(self, session: requests.Session, path: str) -> Answer:
        at = time.monotonic()
        try:
            if path == "page":
                code = session.post(f"{self.url}/_dash-update-component", json=tick(self.symbol), timeout=30)
            else:
                code = session.get(self.url + path, timeout=30)
        except requests.RequestException as error:
            return Answer(at, path, 0, time.monotonic() - at, str(error)[-160:])
        return Answer(at, path, code.status_code, time.monotonic() - at)

    def summary(self) -> str:
        """How many, how fast, and what went wrong."""
        times = [answer.seconds for answer in self.answers]
        return (
            f"{len(times)} requests, p50 {1000 * statistics.median(times):.0f} ms, "
            f"p99 {1000 * percentile(times, 0.99):.0f} ms, longest {1000 * max(times):.0f} ms, "
            f"statuses {dict(Counter(answer.status for answer in self.answers))}"
        )

    @property
    def p99_s(self) -> float:
        return percentile([answer.seconds for answer in self.answers], 0.99)

    @property
    def unanswered(self) -> list[Answer]:
        """Requests that got no answer at all."""
        return [answer for answer in self.answers if not answer.status]

    @property
    def refused(self) -> list[Answer]:
        """Answers that weren't what was asked for. Only the feed's own account may be missing, with a 503 that says why."""
        return [
            answer
            for answer in self.answers
            if answer.status not in (0, 200) and (answer.status, answer.path) != (503, _ACCOUNT)
        ]


_numbers = itertools.count(1)


def tick(symbol: str) -> dict[str, Any]:
    """What a page sends with each tick, having drawn nothing yet."""
    question = {"seq": next(_numbers), "symbol": symbol, "search": "", "have": ""}
    return {
        "output": "..ack.data...answer.data..",
        "outputs": [{"id": "ack", "property": "data"}, {"id": "answer", "property": "data"}],
        "inputs": [{"id": "request", "property": "data", "value": question}],
        "changedPropIds": ["request.data"],
    }


class Seen(NamedTuple):
    """What a page is told: its acknowledgement, and the picture."""

    ack: dict[str, Any]
    picture: dict[str, Any]

    @property
    def badge(self) -> str:
        """The word on the cache's badge, as far as the server decides it."""
        if self.picture.get("stale"):
            return "last copy"
        return "" if (self.ack.get("cache") or {}).get("healthy", True) else "unhealthy"


def page(url: str, symbol: str) -> Seen:
    """Ask once, as a page does."""
    answer = requests.post(f"{url}/_dash-update-component", json=tick(symbol), timeout=10)
    answer.raise_for_status()
    response = answer.json()["response"]
    return Seen(response["ack"]["data"], response.get("answer", {}).get("data") or {})
