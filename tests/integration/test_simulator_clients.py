"""Two clients of Schwab's API that nobody here wrote, unmodified, against the simulator."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schwab
from schwab import auth
from schwab.streaming import StreamClient, UnexpectedResponseCode
from websockets.exceptions import ConnectionClosedOK

from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL
from app.simulator.control import Control
from app.simulator.person import approve
from tests.simulation import contracts, running_simulator
from tests.support import ROOT, clean_environment, eventually

SCHWAB = "https://api.schwabapi.com"
TODAY = dt.date.today


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator("--tick", "0.1", "--greeks", "1", "--rate-limit", "0") as url:
        yield url


@pytest.fixture
def redirected(base: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whatever goes to Schwab's address goes to the simulator: below the clients, at the HTTP transport."""
    target = httpx.URL(base)

    def moved(request: httpx.Request) -> httpx.Request:
        if request.url.host == "api.schwabapi.com":
            request.url = request.url.copy_with(scheme="http", host=target.host, port=target.port)
            request.headers["Host"] = f"{target.host}:{target.port}"
        return request

    send, send_async = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda self, r: send(self, moved(r)))
    monkeypatch.setattr(
        httpx.AsyncHTTPTransport, "handle_async_request", lambda self, r: send_async(self, moved(r))
    )
    return base


# --- schwab-py ---------------------------------------------------------------------------------------------------------


def schwab_py_client(base: str, written: list[Any], asynchronous: bool = False) -> Any:
    """A login the way schwab-py's own flows do it, the person being `approve`."""
    context = auth.get_auth_context(APP_KEY, CALLBACK_URL)
    received = approve(context.authorization_url.replace(SCHWAB, base))

    def keep(token: Any, *_: Any, **__: Any) -> None:
        written.append(token)

    return auth.client_from_received_url(APP_KEY, APP_SECRET, context, received, keep, asyncio=asynchronous)


def test_schwab_py_logs_in_refreshes_and_keeps_the_refresh_token(redirected: str) -> None:
    written: list[Any] = []
    schwab_py_client(redirected, written)
    kept = written[-1]
    first = dict(kept["token"])
    kept["token"]["expires_at"] = 1  # as after half an hour
    client = auth.client_from_access_functions(
        APP_KEY, APP_SECRET, lambda: kept, lambda t, *_, **__: written.append(t)
    )
    assert client.get_user_preferences().status_code == 200
    assert written[-1]["token"]["access_token"] != first["access_token"]
    assert written[-1]["token"]["refresh_token"] == first["refresh_token"]


def test_schwab_py_reads_from_a_pasted_redirect(
    redirected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *parts, **_: shown.extend(map(str, parts)))

    def open_link(*_: Any) -> str:
        words = (word for text in shown for word in text.split())
        link = next(word for word in words if word.startswith(f"{SCHWAB}/v1/oauth/authorize"))
        return approve(link.replace(SCHWAB, redirected))

    monkeypatch.setattr("builtins.input", open_link)
    client = auth.client_from_manual_flow(APP_KEY, APP_SECRET, CALLBACK_URL, str(tmp_path / "token.json"))
    assert client.get_account_numbers().json()[0]["accountNumber"]
    assert json.loads((tmp_path / "token.json").read_text())["token"]["refresh_token"]


def test_schwab_py_reads_chains_quotes_hours_and_history(redirected: str) -> None:
    client = schwab_py_client(redirected, [])
    chain = client.get_option_chain(
        "$SPX",
        from_date=TODAY() + dt.timedelta(1),
        to_date=TODAY() + dt.timedelta(2),
        include_underlying_quote=True,
    ).json()
    assert chain["status"] == "SUCCESS"
    assert chain["underlying"]["symbol"] == "$SPX"
    listed = contracts(chain)
    assert len(listed) == chain["numberOfContracts"] > 300
    option = listed[0]["symbol"]
    quotes = client.get_quotes(["$SPX", "SPY", option, "ZQZQZ"]).json()
    assert quotes["errors"] == {"invalidSymbols": ["ZQZQZ"]}
    assert quotes[option]["reference"]["underlying"] == "$SPX"
    assert client.get_quote("SPY").json()["SPY"]["quote"]["askPrice"] > 0
    market = client.MarketHours.Market
    assert client.get_market_hours([market.EQUITY, market.OPTION]).json()["option"]["EQO"]["isOpen"] is True
    candles = client.get_price_history_every_day("SPY").json()
    assert candles["candles"]
    assert not candles["empty"]
    assert client.get_option_expiration_chain("$SPX").json()["expirationList"][0]["optionRoots"] in (
        "SPX",
        "SPXW",
    )
    assert client.get_movers(client.Movers.Index.SPX).json()["screeners"]
    assert client.get_instruments("SPY", client.Instrument.Projection.SYMBOL_SEARCH).json()["instruments"]


def test_schwab_py_streams_with_labels_and_every_command(redirected: str) -> None:
    asyncio.run(_stream_with_schwab_py(redirected))


async def _stream_with_schwab_py(base: str) -> None:
    client = schwab_py_client(base, [], asynchronous=True)
    stream = StreamClient(client)
    await stream.login()
    options, equities = Sink(), Sink()
    stream.add_level_one_option_handler(options)
    stream.add_level_one_equity_handler(equities)
    chain = (await client.get_option_chain("SPY", to_date=TODAY() + dt.timedelta(2), strike_count=10)).json()
    keys = [contract["symbol"] for contract in contracts(chain)][:6]
    await stream.level_one_option_subs(keys[:3])
    await stream.level_one_equity_subs(["$SPX", "SPY"])
    await _until(stream, lambda: len(options.keys()) == 3 and len(equities.keys()) == 2)
    image = options.items[0]
    assert {"BID_PRICE", "ASK_PRICE", "GAMMA", "OPEN_INTEREST", "UNDERLYING_PRICE", "DESCRIPTION"} <= set(
        image
    )
    assert {"LAST_PRICE", "NET_CHANGE"} <= set(equities.items[0])

    await stream.level_one_option_add(keys[3:])
    await _until(stream, lambda: options.keys() == set(keys))
    await stream.level_one_option_unsubs(keys[:5])
    options.items.clear()
    await _until(stream, lambda: len(options.items) >= 3)
    assert options.keys() == {keys[5]}
    fields = StreamClient.LevelOneOptionFields
    await stream._service_op(
        keys[5:], "LEVELONE_OPTIONS", "VIEW", fields, fields=[fields.SYMBOL, fields.QUOTE_TIME_MILLIS]
    )
    options.items.clear()
    await _until(stream, lambda: len(options.items) >= 3)
    assert {name for item in options.items for name in item} <= {"key", "QUOTE_TIME_MILLIS"}
    await stream.logout()
    with pytest.raises(ConnectionClosedOK):
        await _until(stream, lambda: False)
    await client.close_async_session()


async def _until(stream: StreamClient, reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not reached():
            await stream.handle_message()


class Sink:
    """Collects the contents of messages."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def __call__(self, message: dict[str, Any]) -> None:
        self.items += message["content"]

    def keys(self) -> set[str]:
        return {item["key"] for item in self.items}


def test_schwab_py_is_told_when_its_login_is_refused(redirected: str) -> None:
    async def refused() -> None:
        client = schwab_py_client(redirected, [], asynchronous=True)
        with pytest.raises(UnexpectedResponseCode):
            await StreamClient(client).login()
        await client.close_async_session()

    control = Control(redirected)
    control.deny_login()
    try:
        asyncio.run(refused())
    finally:
        control.clear()


# --- Schwabdev ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schwabdev_saw(base: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a whole session of Schwabdev received.

    It needs production's urllib3, which dash[testing] keeps out of the tests' environment: a process of its own has it.
    """
    urllib3 = Path(sys.prefix) / "production-urllib3"
    if not (urllib3 / "urllib3").is_dir():
        pytest.fail(f"production's urllib3 is not in {urllib3}: make install-dev", pytrace=False)
    command = [sys.executable, "-m", "tests.clients.schwabdev_session", base]
    ended = subprocess.run(
        [*command, str(tmp_path_factory.mktemp("schwabdev"))], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env=clean_environment(PYTHONPATH=f"{urllib3}{os.pathsep}{ROOT}"),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr + ended.stdout
    saw: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return saw


def test_schwabdev_logs_in_and_refreshes(schwabdev_saw: dict[str, Any]) -> None:
    refreshed = schwabdev_saw["refreshed"]
    assert (
        refreshed["updated"] is refreshed["access_token_changed"] is refreshed["refresh_token_kept"] is True
    )
    assert refreshed["streamer"][0]["streamerSocketUrl"].startswith("ws")


def test_schwabdev_reads_chains_quotes_and_hours(schwabdev_saw: dict[str, Any]) -> None:
    read = schwabdev_saw["read"]
    assert read["chain"]["underlyingPrice"] == read["chain"]["underlying"]["last"]
    assert read["option"]["assetMainType"] == "OPTION"
    assert read["index"]["quote"]["lastPrice"] > 0
    assert read["expiries"]["expirationList"]
    assert read["hours"]["equity"]["EQ"]["isOpen"] is True
    assert read["hour"]["option"]
    assert read["accounts"][0]["hashValue"]


def test_schwabdev_streams_and_comes_back_after_a_cut(schwabdev_saw: dict[str, Any], base: str) -> None:
    streamed = schwabdev_saw["streamed"]
    assert len(streamed["keys"]) == 4
    assert set(streamed["after_the_cut"]) >= {*streamed["keys"], "$SPX"}
    assert {"VIEW", "UNSUBS"} <= set(streamed["carried_out"])
    eventually(lambda: Control(base).state()["connections_open"] == 0, 10, "the stream is closed")


def test_the_tested_clients_are_the_ones_that_are_pinned(schwabdev_saw: dict[str, Any]) -> None:
    pins = (ROOT / "requirements.txt").read_text() + (ROOT / "requirements-dev.txt").read_text()
    assert f"schwab-py=={schwab.version.version}\n" in pins
    assert f"schwabdev=={schwabdev_saw['versions']['schwabdev']}\n" in pins
    production = (ROOT / "requirements.txt").read_text()
    assert f"urllib3=={schwabdev_saw['versions']['urllib3']}\n" in production
