"""Every rule of url_map, asked by a stranger, by a guest of another symbol, and by a key that may only read."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.access.guard import OPEN
from tests.security.conftest import Record
from tests.security.people import PAGE, guest, key, owner
from tests.webserver import StandInBroker, make_server

SHARED, OTHER = "SPX", "SPY"
# What the rules' arguments may be; a new argument needs a value here, or the walk fails.
VALUES = {
    "symbol": OTHER,
    "path": "x",
    "filename": "x.js",
    "package_name": "dash",
    "fingerprinted_path": "x.js",
    "token": "gexs_x",
    "day": "2026-01-05",
    "at": "2026-01-05T15:00Z",
    "rule_id": "x",
    "id": "x",
    "name": "x",
}
# The page's frame is the same for every symbol; what fills it is asked for by name.
FRAME = {"/_dash-layout", "/_dash-dependencies", "/_favicon.ico", "/method", "/differences"}
FRAME_PREFIXES = ("/_dash-component-suites/", "/assets/")


@pytest.fixture
def owning(tmp_path: Path) -> FlaskClient:
    return owner(make_server(tmp_path, StandInBroker(), access="private", symbols=f"{SHARED},{OTHER}"))


def _asked(server: Flask) -> Iterator[tuple[str, str, str]]:
    """Method, path and endpoint of every rule that isn't open."""
    adapter = server.url_map.bind("127.0.0.1")
    for rule in server.url_map.iter_rules():
        if rule.endpoint not in OPEN:
            url = adapter.build(rule.endpoint, {name: VALUES[name] for name in rule.arguments})
            for method in sorted((rule.methods or set()) - {"OPTIONS"}):
                yield method, url, rule.endpoint


def test_every_route_off_the_open_list_is_refused(owning: FlaskClient, figure: Record) -> None:
    stranger, asked, opened = owning.application.test_client(), 0, []
    for method, url, _ in _asked(owning.application):
        for accept in ("text/html", "application/json"):
            answer = stranger.open(url, method=method, headers={"Accept": accept})
            asked += 1
            if answer.status_code != 401 and answer.headers.get("Location") != "/login":
                opened.append(f"{method} {url} answers {answer.status_code}")
    measured = f"{asked - len(opened)} of {asked} requests to every rule {opened or ''}".strip()
    figure(
        2, "routes without credentials", "all refused off the open list", measured, not opened and asked > 60
    )


def test_a_guest_of_one_symbol_reaches_no_rule_of_another(owning: FlaskClient) -> None:
    browser = guest(owning, SHARED)
    for method, url, endpoint in _asked(owning.application):
        if url in FRAME or url.startswith(FRAME_PREFIXES) or "/_dash" in url:
            continue
        answer = browser.open(
            url, method=method, headers=PAGE, json={"symbol": OTHER} if method != "GET" else None
        )
        refused = answer.status_code == 403 or (url == "/" and answer.headers["Location"] == f"/gex/{SHARED}")
        assert refused, f"{method} {url} ({endpoint}) answers {answer.status_code}"


def test_a_key_that_reads_changes_nothing_under_any_rule(owning: FlaskClient) -> None:
    script, header = owning.application.test_client(), key(owning, "read")
    for method, url, endpoint in _asked(owning.application):
        if method in ("GET", "HEAD"):
            continue
        answer = script.open(url, method=method, headers={**header, "Accept": "application/json"}, json={})
        assert answer.status_code in (401, 403), f"{method} {url} ({endpoint}) answers {answer.status_code}"
