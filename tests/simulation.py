"""What the simulator's tests share: a simulator of one's own, a login by hand, and a raw client of its stream."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import requests
import websocket

from app.commands.simulate import add_arguments, options_from
from app.market.chain import Chain
from app.schwab.chains import parse_chain_json
from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL
from app.simulator.chains import ChainPage
from app.simulator.market import Market
from app.simulator.options import Options
from app.simulator.person import approve
from app.simulator.query import ChainQuery
from app.simulator.server import serve
from tests.support import eventually, process

READY = "simulator ready on "


@contextlib.contextmanager
def running_simulator(*arguments: str) -> Iterator[str]:
    """The address of a simulator with these options, on a port of its own."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with process("simulate", "--port", "0", *arguments, log=log) as child:

            def address() -> str:
                assert child.poll() is None, log.read_text()
                lines = log.read_text().splitlines()
                return next((line.removeprefix(READY) for line in lines if line.startswith(READY)), "")

            yield eventually(address, 60, "the simulator says that it is ready")


def options_of(*arguments: str) -> Options:
    """What `python -m app simulate --port 0 ARGUMENTS` asks for. Raises what the command line refuses."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return options_from(parser.parse_args(["--port", "0", *arguments]))


@contextlib.contextmanager
def simulator_in_a_thread(*arguments: str) -> Iterator[str]:
    """As `running_simulator`, but in this process: at once, for tests that need one of their own."""
    started: queue.SimpleQueue[tuple[int, Callable[[], None]] | BaseException] = queue.SimpleQueue()

    async def serve_here() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        end = functools.partial(loop.call_soon_threadsafe, stop.set)
        await serve(options_of(*arguments), lambda port: started.put((port, end)), stop)

    def run() -> None:
        try:
            asyncio.run(serve_here())
        except BaseException as error:
            started.put(error)
            raise

    thread = threading.Thread(target=run, name="simulator", daemon=True)
    thread.start()
    answer = started.get(timeout=60)
    if isinstance(answer, BaseException):
        raise answer
    port, end = answer
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        end()
        thread.join(15)
        assert not thread.is_alive(), "the simulator doesn't end"


def shown(market: Market, symbol: str) -> Chain:
    """The whole chain as a client reads it of this market now."""
    book, at = market.book(symbol), market.instant()
    assert book is not None
    query = ChainQuery.read({"symbol": book.profile.wire}, market.clock.listing_day(at.now_ms))
    return parse_chain_json(orjson.loads(ChainPage(market, book, query, at).json()), as_of_ms=at.now_ms)


def authorize_url(base: str, **more: str) -> str:
    """Where an application sends its user."""
    query = {"client_id": APP_KEY, "redirect_uri": CALLBACK_URL, "response_type": "code", **more}
    return f"{base}/v1/oauth/authorize?{urlencode(query)}"


def code_of(redirect: str) -> str:
    """The code in a redirect address."""
    return parse_qs(urlsplit(redirect).query)["code"][0]


def exchange(
    base: str, code: str, auth: tuple[str, str] = (APP_KEY, APP_SECRET), **more: str
) -> requests.Response:
    """Swap a code for tokens."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK_URL, **more}
    return requests.post(f"{base}/v1/oauth/token", auth=auth, data=form, timeout=10)


def signed_in(base: str) -> dict[str, Any]:
    """The tokens of a new login."""
    tokens: dict[str, Any] = exchange(base, code_of(approve(authorize_url(base)))).json()
    return tokens


class Broker:
    """REST with a login, for tests."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.tokens = signed_in(base)
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"

    def get(self, path: str, **query: Any) -> requests.Response:
        """GET with the access token."""
        return self.session.get(self.base + path, params=query, timeout=30)

    def chain(self, symbol: str, **query: Any) -> dict[str, Any]:
        """A chain that must be answered."""
        response = self.get("/marketdata/v1/chains", symbol=symbol, **query)
        assert response.status_code == 200, response.text[:500]
        return response.json()


def contracts(chain: dict[str, Any]) -> list[dict[str, Any]]:
    """Every contract of a chain document."""
    maps = (chain["callExpDateMap"], chain["putExpDateMap"])
    return [c for side in maps for strikes in side.values() for listed in strikes.values() for c in listed]


class Stream:
    """A raw WebSocket client: sends what it is told and keeps every frame it gets."""

    def __init__(self, broker: Broker, login: bool = True) -> None:
        self.info = broker.get("/trader/v1/userPreference").json()["streamerInfo"][0]
        self._token = broker.tokens["access_token"]
        self.socket = websocket.create_connection(self.info["streamerSocketUrl"], timeout=10)
        self.frames: list[dict[str, Any]] = []
        self._number = 0
        if login:
            assert self.login()["content"]["code"] == 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def login(self, **changed: Any) -> dict[str, Any]:
        """LOGIN, and its answer."""
        parameters = {
            "Authorization": self._token,
            "SchwabClientChannel": "N9",
            "SchwabClientFunctionId": "APIAPP",
        }
        return self.ask("ADMIN", "LOGIN", parameters, **changed)

    def request(
        self, service: str, command: str, parameters: dict[str, str] | None = None, **changed: Any
    ) -> dict[str, Any]:
        """One request object with the next number."""
        self._number += 1
        return {
            "service": service, "command": command, "requestid": self._number,
            "SchwabClientCustomerId": self.info["schwabClientCustomerId"],
            "SchwabClientCorrelId": self.info["schwabClientCorrelId"], "parameters": parameters or {}, **changed,
        }  # fmt: skip

    def ask(
        self, service: str, command: str, parameters: dict[str, str] | None = None, **changed: Any
    ) -> dict[str, Any]:
        """Send one request and wait for its answer."""
        request = self.request(service, command, parameters, **changed)
        self.socket.send(json.dumps({"requests": [request]}))
        return self.answer(str(request["requestid"]))

    def answer(self, number: str) -> dict[str, Any]:
        """The response to a request."""
        answers = (r for f in self.frames_until(lambda f: "response" in f) for r in f.get("response", []))
        return next(r for r in answers if r["requestid"] == number)

    def frames_until(
        self, wanted: Callable[[dict[str, Any]], bool], timeout_s: float = 10.0
    ) -> Iterator[dict[str, Any]]:
        """Frames as they come, up to and with the first that is wanted."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            frame = json.loads(self.socket.recv())
            self.frames.append(frame)
            yield frame
            if wanted(frame):
                return
        raise AssertionError(f"no such frame within {timeout_s} s")

    def items(
        self, count: int, service: str = "LEVELONE_OPTIONS", timeout_s: float = 10.0
    ) -> list[dict[str, Any]]:
        """At least this many contents of a service, as they come."""
        out: list[dict[str, Any]] = []

        def enough(frame: dict[str, Any]) -> bool:
            out.extend(
                i for block in frame.get("data", []) if block["service"] == service for i in block["content"]
            )
            return len(out) >= count

        for _ in self.frames_until(enough, timeout_s):
            pass
        return out

    def close_code(self, timeout_s: float = 10.0) -> int | None:
        """Wait for the end: the close code, None where the connection just ended."""
        self.socket.settimeout(timeout_s)
        try:
            while True:
                opcode, frame = self.socket.recv_data_frame()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return int.from_bytes(frame.data[:2], "big")
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            return None
