"""Share links: one symbol, read-only, for a while, and nothing else."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.access.account import EXTENSION
from app.access.visitor import Visitor
from app.api.context import context
from app.errors import CacheError
from app.models import Coverage, SchwabConnection
from tests.chains import synthetic
from tests.security.people import PAGE, guest, key, make_key, owner, share
from tests.small import small_chain
from tests.webserver import StandInBroker, make_server

URL = "/_dash-update-component"
SHARED, OTHER = "SPX", "SPY"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Flask:
    """A private server with two chains."""
    made = make_server(data_dir, StandInBroker(), access="private", symbols=f"{SHARED},{OTHER}")
    with made.app_context():
        store = context().store
        store.publish(synthetic()[0], 1)
        store.publish(small_chain(OTHER), 1)
        covered = {name: Coverage(contracts=10, streaming=5) for name in (SHARED, OTHER)}
        status = SchwabConnection(
            state="live", since="2026-01-05T15:00:00Z", source="schwab", coverage=covered, leader="host-7"
        )
        store.put_status(status.json_bytes(), 1)
    return made


@pytest.fixture
def owning(server: Flask) -> FlaskClient:
    """The owner, without any link so far."""
    shares = server.extensions[EXTENSION].shares
    for link in shares.all():
        shares.revoke(link.id)
    return owner(server)


def _question(symbol: str = SHARED, search: str = "") -> dict[str, Any]:
    raw = {"seq": 1, "symbol": symbol, "search": search, "have": "", "feed": "", "cache": ""}
    return {
        "output": "..ack.data...answer.data..",
        "outputs": [{"id": "ack", "property": "data"}, {"id": "answer", "property": "data"}],
        "inputs": [{"id": "request", "property": "data", "value": raw}],
        "state": [],
        "changedPropIds": ["request.data"],
    }


def _navigation(pathname: str, search: str = "") -> dict[str, Any]:
    names = ("problem", "symbols", "views", "controls")
    given = {"pathname": pathname, "search": search}
    inputs = [{"id": "url", "property": name, "value": value} for name, value in given.items()]
    return {
        "output": "..problem.children...symbols.children...views.children...controls.children..",
        "outputs": [{"id": name, "property": "children"} for name in names],
        "inputs": [*inputs, {"id": "dates", "property": "data", "value": None}],
        "state": [],
        "changedPropIds": ["url.pathname"],
    }


def test_a_link_opens_its_page_and_leaves_the_address(owning: FlaskClient) -> None:
    browser = owning.application.test_client()
    assert browser.get(f"/gex/{SHARED}", headers=PAGE).status_code == 303

    opened = browser.get(share(owning, SHARED))

    assert opened.headers["Location"] == f"/gex/{SHARED}"
    assert opened.headers["Cache-Control"] == "no-store"
    cookie = opened.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "gexs_" not in cookie
    assert browser.get(f"/gex/{SHARED}", headers=PAGE).status_code == 200


def test_a_guest_gets_the_picture_and_rest_of_the_symbol(owning: FlaskClient) -> None:
    browser = guest(owning)

    answered = browser.post(URL, json=_question()).get_json()["response"]

    assert answered["answer"]["data"]["etag"]
    for path in (f"gex/{SHARED}", f"gex/{SHARED.lower()}/levels", f"market/{SHARED}", f"options/{SHARED}"):
        assert browser.get(f"/api/v1/{path}").status_code == 200, path


def test_a_guest_gets_no_other_symbol_in_any_way(owning: FlaskClient) -> None:
    browser = guest(owning)

    for symbol in (OTHER, OTHER.lower(), f"${OTHER}"):
        for path in (f"gex/{symbol}", f"gex/{symbol}/levels", f"market/{symbol}", f"options/{symbol}"):
            assert browser.get(f"/api/v1/{path}").status_code == 403, path
        page = browser.get(f"/gex/{symbol}", headers=PAGE)
        assert page.status_code == 403
        assert f"Open {SHARED}" in page.text
        for body in (
            _question(symbol),
            _question(search=f"?view=compare&with={symbol}"),
            _question(search=f"?view=status&symbol={symbol}"),
            _navigation(f"/gex/{symbol}"),
            _navigation(f"/gex/{SHARED}", f"?with={symbol}"),
        ):
            answer = browser.post(URL, json=body)
            said = json.dumps(answer.get_json()["response"]) if answer.status_code == 200 else ""
            assert answer.status_code in (200, 403)
            assert "etag" not in said or body["inputs"][0]["value"]["symbol"] == SHARED
            said = re.sub(r'\{"symbol": "SPY", "why": "[^"]*"\}', "", said)  # that there is none for a guest
            assert not re.search(r"/gex/SPY|\"SPY\"", said), said[:300]


def test_every_callback_refuses_the_other_symbol(owning: FlaskClient) -> None:
    """Whatever callbacks there are: each is asked for the other symbol in each of its inputs, in several spellings."""
    browser = guest(owning)
    asked = 0
    for listed in browser.get("/_dash-dependencies").get_json():
        if listed["clientside_function"]:
            continue
        names = re.findall(r"([^.]+)\.([^.]+)", listed["output"].strip("."))
        outputs = [{"id": name, "property": what} for name, what in names]
        several = listed["output"].startswith("..")
        for item in [*listed["inputs"], *listed["state"]]:
            for value in (
                OTHER,
                f"/gex/{OTHER}",
                f"?with={OTHER}",
                {"symbol": OTHER},
                [OTHER],
                {"x": [f"a {OTHER}"]},
            ):
                inputs = [{**other, "value": value if other == item else None} for other in listed["inputs"]]
                state = [{**other, "value": value if other == item else None} for other in listed["state"]]
                body = {
                    "output": listed["output"],
                    "outputs": outputs if several else outputs[0],
                    "inputs": inputs,
                    "state": state,
                    "changedPropIds": [],
                }
                assert browser.post(URL, json=body).status_code == 403, (listed["output"], value)
                asked += 1
    assert asked >= 6


def test_a_guest_sees_nothing_of_the_server(owning: FlaskClient) -> None:
    browser = guest(owning)

    for path in (
        "symbols",
        "cache/stats",
        "connection/status",
        "health",
        "../openapi.json",
        "../docs",
        "../../metrics",
    ):
        assert browser.get(f"/api/v1/{path}").status_code in (403, 404), path
    for path in ("/login/keys", "/login/shares", "/login/sessions"):
        assert browser.get(path, headers=PAGE).status_code == 403
    ack = browser.post(URL, json=_question()).get_json()["response"]["ack"]["data"]
    assert set(ack["cache"]) <= {"id", "backend", "healthy", "breaker"}
    assert OTHER not in json.dumps(ack)
    assert "host-7" not in json.dumps(ack)
    for client, links in ((owning, 10), (browser, 9)):  # no tab leads a guest to what it is refused
        tabs = client.post(URL, json=_navigation(f"/gex/{SHARED}")).get_json()["response"]["views"][
            "children"
        ]
        assert len(tabs) == links
        assert ("view=status" in json.dumps(tabs)) == (client is owning)
    status = browser.post(URL, json=_question(search="?view=status")).get_json()["response"]
    assert "answer" not in status or status["answer"]["data"].get("chainless") is None


def test_a_guest_changes_nothing(owning: FlaskClient) -> None:
    browser = guest(owning)

    for path in ("/login/keys", "/login/shares", "/login/sessions/end-others"):
        assert browser.post(path, data={"name": "x"}).status_code == 403
    assert browser.post("/login/disconnect").status_code == 403
    assert browser.post("/api/v1/symbols", json={"symbol": "AAPL"}).status_code == 403
    assert browser.delete(f"/api/v1/symbols/{SHARED}").status_code == 403


def test_the_page_says_that_it_is_shared_and_offers_one_symbol(owning: FlaskClient) -> None:
    browser = guest(owning)

    layout = browser.get("/_dash-layout").text
    menu = browser.post(URL, json=_navigation(f"/gex/{SHARED}")).text

    assert re.search(r"Shared view, read-only, until \d\d \w\w\w \d\d:\d\d UTC", layout)
    assert "API keys" not in layout
    assert SHARED in menu
    assert OTHER not in menu
    assert "Shared view" not in owning.get("/_dash-layout").text
    assert "API keys" in owning.get("/_dash-layout").text


def test_the_start_page_leads_a_guest_to_what_is_shared(owning: FlaskClient) -> None:
    assert guest(owning, OTHER).get("/", headers=PAGE).headers["Location"] == f"/gex/{OTHER}"


def test_two_links_open_two_symbols(owning: FlaskClient) -> None:
    browser = guest(owning, SHARED)
    browser.get(share(owning, OTHER))

    for symbol in (SHARED, OTHER):
        assert browser.get(f"/api/v1/market/{symbol}").status_code == 200


def test_a_revoked_link_closes_its_views_at_once(owning: FlaskClient) -> None:
    link = share(owning)
    browser = owning.application.test_client()
    browser.get(link)
    assert browser.get(f"/api/v1/market/{SHARED}").status_code == 200
    listed = re.search(r'name="id" value="(\w+)"', owning.get("/login/shares").text)
    assert listed

    owning.post("/login/shares/revoke", data={"id": listed.group(1)})

    assert browser.get(f"/api/v1/market/{SHARED}").status_code == 401
    assert browser.post(URL, json=_question()).status_code == 401
    assert browser.get(link, headers=PAGE).status_code == 404


def test_a_link_ends_by_itself(owning: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    link = share(owning, life="hour")
    browser = owning.application.test_client()
    browser.get(link)
    later = time.time() + 3601

    monkeypatch.setattr("app.access.shares.time.time", lambda: later)

    assert browser.get(f"/api/v1/market/{SHARED}").status_code == 401
    assert browser.get(link).status_code == 404


def test_a_long_answer_ends_with_its_link(owning: FlaskClient) -> None:
    server = owning.application
    door = server.extensions[EXTENSION]
    link = share(owning)
    browser = server.test_client()
    browser.get(link)
    cookie = browser.get_cookie("gex_guest")
    assert cookie
    with server.test_request_context(f"/gex/{SHARED}", headers={"Cookie": f"gex_guest={cookie.value}"}):
        from app.access.visitor import visitor

        watching: Visitor = visitor()
    assert watching.still_welcome()

    door.shares.revoke(door.shares.all()[0].id)

    assert not watching.still_welcome()


@pytest.mark.parametrize("token", ["x", "gexs_", "gexs_" + "x" * 43, "gex_" + "x" * 43, "..%2f..%2fetc"])
def test_a_made_up_link_opens_nothing(owning: FlaskClient, token: str) -> None:
    share(owning)
    browser = owning.application.test_client()

    answer = browser.get(f"/share/{token}")

    assert answer.status_code in (303, 401, 404)
    assert answer.headers.get("Location") in (None, "/login")
    assert browser.get_cookie("gex_guest") is None


def test_guessing_links_is_slowed_down(owning: FlaskClient) -> None:
    browser = owning.application.test_client()
    stranger = {"REMOTE_ADDR": "203.0.113.7"}

    answers = [browser.get(f"/share/gexs_{n:043}", environ_base=stranger) for n in range(40)]

    assert answers[0].status_code == 404
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_links_are_listed_without_their_secret_and_kept_as_hashes(
    owning: FlaskClient, data_dir: Path
) -> None:
    secret = share(owning, name="for <b>Ann</b>").rpartition("/")[2]

    page = owning.get("/login/shares").text

    assert secret not in page
    assert "for &lt;b&gt;Ann&lt;/b&gt;" in page
    for path in filter(Path.is_file, data_dir.iterdir()):
        assert secret.encode() not in path.read_bytes()


def test_a_link_opens_an_owners_own_page_as_the_owner(owning: FlaskClient) -> None:
    assert owning.get(share(owning)).headers["Location"] == f"/gex/{SHARED}"
    assert owning.get_cookie("gex_guest") is None
    assert owning.get(f"/api/v1/market/{OTHER}").status_code == 200


def test_where_all_may_look_a_link_is_only_an_address(tmp_path: Path) -> None:
    public = make_server(tmp_path, StandInBroker(), access="public", symbols=f"{SHARED},{OTHER}")
    browser = public.test_client()

    assert browser.get(share(owner(public))).headers["Location"] == f"/gex/{SHARED}"
    assert browser.get_cookie("gex_guest") is None
    assert browser.get(f"/gex/{OTHER}", headers=PAGE).status_code == 200


@pytest.mark.parametrize(
    "form",
    [
        {"symbol": "ZZZZ", "name": "x", "life": "day"},
        {"symbol": "<b>", "name": "x", "life": "day"},
        {"symbol": SHARED, "name": "", "life": "day"},
        {"symbol": SHARED, "name": "x", "life": "for ever"},
        {},
    ],
)
def test_a_link_that_cannot_be_made_is_refused_with_words(owning: FlaskClient, form: dict[str, str]) -> None:
    answer = owning.post("/login/shares", data=form)

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


def test_a_script_makes_no_links(owning: FlaskClient) -> None:
    script = owning.application.test_client()
    header = key(owning, "manage")

    assert script.post("/login/shares", data={"symbol": SHARED}, headers=header).status_code == 401
    assert make_key(owning)


def test_without_a_cache_a_guest_that_was_seen_goes_on(
    owning: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = guest(owning)
    assert browser.get(f"/api/v1/market/{SHARED}").status_code == 200

    def away(self: object, key: str) -> bytes:
        raise CacheError("Redis is away.")

    monkeypatch.setattr("app.cache.memory.MemoryStore.get", away)

    assert browser.get(f"/api/v1/market/{SHARED}").status_code == 200
    assert browser.get(f"/api/v1/market/{OTHER}").status_code == 403
