"""Who comes to the door: an owner, a script with a key, a guest with a share link."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient

PAGE = {"Accept": "text/html"}


def owner(server: Flask) -> FlaskClient:
    """A browser that signed in at a server with a StandInBroker."""
    client = server.test_client()
    state = client.post("/login").headers["Location"].rpartition("state=")[2]
    assert client.get(f"/login/callback?code=c&state={state}").status_code == 303
    return client


def make_key(client: FlaskClient, scope: str = "read", name: str = "notebook") -> str:
    """A new API key, made by the owner."""
    answer = client.post("/login/keys", data={"name": name, "scope": scope})
    assert answer.status_code == 201, answer.text
    found = re.search(r"<code>(gex_[\w-]{43})</code>", answer.text)
    assert found
    return found.group(1)


def key(client: FlaskClient, scope: str = "read") -> dict[str, str]:
    """The header of a new API key."""
    return {"Authorization": f"Bearer {make_key(client, scope)}"}


def share(
    client: FlaskClient,
    symbol: str = "SPX",
    life: str = "day",
    name: str = "a friend",
    base_url: str | None = None,
) -> str:
    """The path of a new share link, made by the owner."""
    form = {"symbol": symbol, "life": life, "name": name}
    answer = client.post("/login/shares", data=form, base_url=base_url)
    assert answer.status_code == 201, answer.text
    found = re.search(r"<code>(http[^<]*/share/gexs_[\w-]{43})</code>", answer.text)
    assert found
    return urlsplit(found.group(1)).path


def guest(client: FlaskClient, symbol: str = "SPX", life: str = "day") -> FlaskClient:
    """A browser that opened a share link of this owner's."""
    browser = client.application.test_client()
    assert browser.get(share(client, symbol, life)).status_code == 303
    return browser
