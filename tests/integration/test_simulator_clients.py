"""Two clients of Schwab's API that nobody here wrote, unmodified, against the simulator."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schwab
import schwabdev
import urllib3
from schwab import auth
from schwab.streaming import StreamClient, UnexpectedResponseCode

from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL
from app.simulator.control import Control
from app.simulator.person import approve
from tests.simulation import contracts, running_simulator
from tests.support import eventually

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
    post = requests.post
    monkeypatch.setattr(requests, "post", lambda url, *a, **k: post(url.replace(SCHWAB, base), *a, **k))
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


@pytest.fixture(autouse=True)
def _retries_of_old_urllib3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schwabdev needs urllib3 2, dash[testing] holds it at 1.26: there, the newer argument is taken and dropped."""
    if int(urllib3.__version__.split(".")[0]) < 2:
        monkeypatch.setattr(schwabdev.client, "Retry", without_backoff_max)


def without_backoff_max(**given: Any) -> urllib3.Retry:
    """The retries of urllib3 1.26."""
    return urllib3.Retry(**{name: value for name, value in given.items() if name != "backoff_max"})


def schwabdev_client(base: str, folder: Path) -> schwabdev.Client:
    """A login the way Schwabdev does it, the person being `approve`."""

    class Client(schwabdev.Client):  # the address of REST is an attribute that a subclass may set
        _base_api_url = base

    return Client(
        APP_KEY, APP_SECRET, CALLBACK_URL, tokens_db=str(folder / "tokens.db"), open_browser_for_auth=False,
        call_on_auth=lambda url: approve(url.replace(SCHWAB, base)),
    )  # fmt: skip


def test_schwabdev_logs_in_and_refreshes(redirected: str, tmp_path: Path) -> None:
    client = schwabdev_client(redirected, tmp_path)
    first = client.tokens.access_token, client.tokens.refresh_token
    assert client.tokens.update_tokens(force_access_token=True)
    assert client.tokens.access_token != first[0]
    assert client.tokens.refresh_token == first[1]
    assert client.preferences().json()["streamerInfo"]


def test_schwabdev_reads_chains_quotes_and_hours(redirected: str, tmp_path: Path) -> None:
    client = schwabdev_client(redirected, tmp_path)
    chain = client.option_chains(
        "$SPX",
        includeUnderlyingQuote=True,
        fromDate=TODAY() + dt.timedelta(1),
        toDate=TODAY() + dt.timedelta(1),
    ).json()
    assert chain["underlyingPrice"] == chain["underlying"]["last"]
    symbol = contracts(chain)[0]["symbol"]
    assert client.quotes(["SPY", symbol]).json()[symbol]["assetMainType"] == "OPTION"
    assert client.quote("$SPX").json()["$SPX"]["quote"]["lastPrice"] > 0
    assert client.option_expiration_chain("SPY").json()["expirationList"]
    assert client.market_hours(["equity", "option"]).json()["equity"]["EQ"]["isOpen"] is True
    assert client.market_hour("option").json()["option"]
    assert client.linked_accounts().json()[0]["hashValue"]


def test_schwabdev_streams_and_comes_back_after_a_cut(redirected: str, tmp_path: Path) -> None:
    client = schwabdev_client(redirected, tmp_path)
    chain = client.option_chains("SPY", strikeCount=4, toDate=TODAY() + dt.timedelta(2)).json()
    keys = [contract["symbol"] for contract in contracts(chain)][:4]
    frames: list[dict[str, Any]] = []
    stream = schwabdev.Stream(client)
    stream.start(lambda text: frames.append(json.loads(text)))
    try:
        stream.send(stream.level_one_options(keys[:2], "0,1,2,3,29", command="SUBS"))
        stream.send(stream.level_one_options(keys[2:], "0,1,2,3,29"))
        stream.send(stream.level_one_equities("$SPX", "0,1,2,3"))
        eventually(lambda: seen(frames) >= {*keys, "$SPX"}, 15, "an image of every key")
        frames.clear()
        Control(redirected).cut("1011")
        eventually(lambda: seen(frames) >= {*keys, "$SPX"}, 20, "images again after the reconnect")
        stream.send(stream.level_one_options(keys, "0,3", command="VIEW"))
        stream.send(stream.level_one_options(keys[:1], "0,3", command="UNSUBS"))
        eventually(lambda: {"VIEW", "UNSUBS"} <= carried_out(frames), 10, "VIEW and UNSUBS answered")
    finally:
        stream.stop()
    eventually(lambda: Control(redirected).state()["connections_open"] == 0, 10, "the stream is closed")


def seen(frames: list[dict[str, Any]]) -> set[str]:
    """Keys of which something came."""
    return {
        item["key"] for frame in list(frames) for block in frame.get("data", []) for item in block["content"]
    }


def carried_out(frames: list[dict[str, Any]]) -> set[str]:
    """Commands that were answered with success."""
    responses = (response for frame in list(frames) for response in frame.get("response", []))
    return {response["command"] for response in responses if response["content"]["code"] == 0}


def test_the_tested_clients_are_the_ones_that_are_pinned() -> None:
    assert schwab.version.version == "1.5.1"
    assert schwabdev.__version__ == "4.0.0"
