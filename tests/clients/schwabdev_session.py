"""A session of Schwabdev with the simulator: `python -m tests.clients.schwabdev_session ADDRESS FOLDER`.

Prints one line of JSON, what the library said and received; the test that runs it judges. Nothing of Schwabdev is changed or
replaced: what it sends to Schwab's address is readdressed in requests, underneath it.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import requests
import schwabdev
import urllib3

from app.market.calendar import EXCHANGE_TZ
from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL
from app.simulator.control import Control
from app.simulator.person import approve
from tests.simulation import contracts
from tests.support import eventually

SCHWAB = "https://api.schwabapi.com"
Frames = list[dict[str, Any]]


def readdress(base: str) -> None:
    """Send to the simulator whatever is meant for Schwab."""
    send = requests.Session.request

    def moved(self: requests.Session, method: str, url: str, *rest: Any, **more: Any) -> requests.Response:
        return send(self, method, url.replace(SCHWAB, base), *rest, **more)

    requests.Session.request = moved  # type: ignore[method-assign, assignment]


def login(base: str, folder: Path) -> schwabdev.Client:
    """The library's own login, the person being `approve`."""
    return schwabdev.Client(
        APP_KEY, APP_SECRET, CALLBACK_URL, tokens_db=str(folder / "tokens.db"), open_browser_for_auth=False,
        call_on_auth=lambda url: approve(url.replace(SCHWAB, base)),
    )  # fmt: skip


def refreshed(client: schwabdev.Client) -> dict[str, Any]:
    """A forced refresh, and a request with the new token."""
    access, refresh = client.tokens.access_token, client.tokens.refresh_token
    return {
        "updated": client.update_tokens(force_access_token=True),
        "access_token_changed": client.tokens.access_token != access,
        "refresh_token_kept": client.tokens.refresh_token == refresh,
        "streamer": client.preferences().json()["streamerInfo"],
    }


def read(client: schwabdev.Client) -> dict[str, Any]:
    """Chains, quotes, expiries, hours and accounts."""
    tomorrow = dt.datetime.now(EXCHANGE_TZ).date() + dt.timedelta(1)
    chain = client.option_chains("$SPX", includeUnderlyingQuote=True, fromDate=tomorrow, toDate=tomorrow)
    option = contracts(chain.json())[0]["symbol"]
    return {
        "chain": chain.json(),
        "option": client.quotes(["SPY", option]).json()[option],
        "index": client.quote("$SPX").json()["$SPX"],
        "expiries": client.option_expiration_chain("SPY").json(),
        "hours": client.market_hours(["equity", "option"]).json(),
        "hour": client.market_hour("option").json(),
        "accounts": client.linked_accounts().json(),
    }


def streamed(client: schwabdev.Client, base: str) -> dict[str, Any]:
    """Subscribe, be cut off, come back, and use every command."""
    soon = dt.datetime.now(EXCHANGE_TZ).date() + dt.timedelta(2)
    keys = [c["symbol"] for c in contracts(client.option_chains("SPY", strikeCount=4, toDate=soon).json())][
        :4
    ]
    frames: Frames = []
    stream = schwabdev.Stream(client)
    stream.start(lambda text: frames.append(json.loads(text)))
    try:
        stream.send(stream.level_one_options(keys[:2], "0,1,2,3,29", command="SUBS"))
        stream.send(stream.level_one_options(keys[2:], "0,1,2,3,29"))
        stream.send(stream.level_one_equities("$SPX", "0,1,2,3"))
        eventually(lambda: received(frames) >= {*keys, "$SPX"}, 15, "an image of every key")
        frames.clear()
        Control(base).cut("1011")
        eventually(lambda: received(frames) >= {*keys, "$SPX"}, 20, "images again after the reconnect")
        again = sorted(received(frames))
        stream.send(stream.level_one_options(keys, "0,3", command="VIEW"))
        stream.send(stream.level_one_options(keys[:1], "0,3", command="UNSUBS"))
        eventually(lambda: {"VIEW", "UNSUBS"} <= carried_out(frames), 10, "VIEW and UNSUBS answered")
        return {"keys": keys, "after_the_cut": again, "carried_out": sorted(carried_out(frames))}
    finally:
        stream.stop()


def received(frames: Frames) -> set[str]:
    """Keys of which something came."""
    blocks = (block for frame in list(frames) for block in frame.get("data", []))
    return {item["key"] for block in blocks for item in block["content"]}


def carried_out(frames: Frames) -> set[str]:
    """Commands that were answered with success."""
    responses = (response for frame in list(frames) for response in frame.get("response", []))
    return {response["command"] for response in responses if response["content"]["code"] == 0}


def main() -> None:
    """One session from the login to the end of the stream."""
    base, folder = sys.argv[1], Path(sys.argv[2])
    readdress(base)
    client = login(base, folder)
    seen = {
        "versions": {"schwabdev": schwabdev.__version__, "urllib3": urllib3.__version__},
        "refreshed": refreshed(client),
        "read": read(client),
        "streamed": streamed(client, base),
    }
    sys.stdout.write("\n" + json.dumps(seen) + "\n")


if __name__ == "__main__":
    main()
