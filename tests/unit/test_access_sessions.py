"""Sessions: listed with their browser, ended one by one or all others at once."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.access.sessions import MOST_SESSIONS, browser_kind
from tests.security.people import PAGE, owner
from tests.webserver import StandInBroker, make_server

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1"
LIST = "/login/sessions"


@pytest.fixture
def two(tmp_path: Path) -> tuple[FlaskClient, FlaskClient]:
    """Two browsers of one owner."""
    server = make_server(tmp_path, StandInBroker(), access="private")
    return owner(server), owner(server)


def _ids(client: FlaskClient) -> list[str]:
    return re.findall(r'name="id" value="(\w+)"', client.get(LIST).text)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (SAFARI, "Safari on iPhone"),
        ("curl/8.5", "A program"),
        ("", "A program"),
        ("<script>alert(1)</script>", "A program"),
    ],
)
def test_a_browser_is_named_by_its_kind(header: str, kind: str) -> None:
    assert browser_kind(header) == kind


def test_every_browser_is_listed_and_ones_own_is_marked(two: tuple[FlaskClient, FlaskClient]) -> None:
    page = two[0].get(LIST).text

    assert page.count("signed in") == 3  # the sentence above the list, too
    assert page.count("this one") == 1
    assert len(_ids(two[0])) == 1


def test_one_session_is_ended(two: tuple[FlaskClient, FlaskClient]) -> None:
    here, there = two

    here.post(f"{LIST}/end", data={"id": _ids(here)[0]})

    assert there.get("/gex/SPX", headers=PAGE).status_code == 303
    assert here.get("/gex/SPX", headers=PAGE).status_code == 200


def test_all_others_are_ended(tmp_path: Path) -> None:
    server = make_server(tmp_path, StandInBroker(), access="private")
    here, *others = (owner(server) for _ in range(4))

    here.post(f"{LIST}/end-others")

    assert here.get("/gex/SPX", headers=PAGE).status_code == 200
    assert {other.get("/gex/SPX", headers=PAGE).status_code for other in others} == {303}
    assert _ids(here) == []


def test_no_cookie_is_shown_or_kept(two: tuple[FlaskClient, FlaskClient], tmp_path: Path) -> None:
    cookie = two[1].get_cookie("gex_session")
    assert cookie
    assert cookie.value not in two[0].get(LIST).text


def test_nobody_but_the_owner_sees_sessions(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), access="public").test_client()

    assert client.get(LIST).status_code == 403
    assert client.post(f"{LIST}/end", data={"id": "x"}).status_code == 403
    assert client.post(f"{LIST}/end-others").status_code == 403


def test_there_is_an_end_to_sessions(tmp_path: Path) -> None:
    server = make_server(tmp_path, StandInBroker(), access="private")
    door = server.extensions["gex-access"]
    first = owner(server)
    for _ in range(MOST_SESSIONS):
        door.sessions.create("somebody")

    assert first.get("/gex/SPX", headers=PAGE).status_code == 303
    assert len(door.sessions.all()) == MOST_SESSIONS


def test_the_pages_follow_the_theme_that_the_dashboard_chose(two: tuple[FlaskClient, FlaskClient]) -> None:
    here = two[0]
    assert "data-theme" not in here.get(LIST).text

    here.set_cookie("gex_theme", "light")
    assert '<html lang="en" data-theme="light">' in here.get(LIST).text
    here.set_cookie("gex_theme", '"><script>')
    assert "data-theme" not in here.get(LIST).text
