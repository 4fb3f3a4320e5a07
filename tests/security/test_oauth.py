"""Attacks on the way through Schwab's login: states, codes, error answers, and where it may lead."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import pytest
from flask.testing import FlaskClient

from app.access.account import EXTENSION
from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL
from app.simulator.person import approve
from tests.security.conftest import FULL, Record
from tests.security.payloads import EVIL, REDIRECTS
from tests.security.people import PAGE
from tests.simulation import simulator_in_a_thread
from tests.support import eventually
from tests.webserver import StandInBroker, make_server

OWN = "http://localhost"


@pytest.fixture(scope="module")
def schwab() -> Iterator[str]:
    with simulator_in_a_thread("--symbols", "AAPL") as base:
        yield base


@pytest.fixture
def browser(schwab: str, tmp_path: Path) -> FlaskClient:
    """A browser at a private server of its own."""
    server = make_server(
        tmp_path,
        access="private",
        symbols="AAPL",
        schwab_api_url=schwab,
        schwab_app_key=APP_KEY,
        schwab_app_secret=APP_SECRET,
        schwab_callback_url=CALLBACK_URL,
    )
    return server.test_client()


def _back(browser: FlaskClient) -> dict[str, str]:
    """Begin a login and approve it; what Schwab sends the browser back with."""
    address = approve(browser.post("/login").headers["Location"])
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def _refused(browser: FlaskClient, query: str, paste: bool) -> bool:
    """Whether an answer of this form is refused, whichever way it comes, and leaves no session."""
    if paste:
        answer = browser.post("/login/paste", data={"address": f"{CALLBACK_URL}/?{query}"})
    else:
        answer = browser.get(f"/login/callback?{query}")
    inside = browser.get("/gex/AAPL", headers=PAGE).status_code == 200
    return answer.status_code in (400, 502) and not inside


@pytest.mark.parametrize("paste", [False, True], ids=["redirect", "paste"])
def test_no_forged_answer_of_schwab_signs_in(
    browser: FlaskClient, figure: Record, monkeypatch: pytest.MonkeyPatch, paste: bool
) -> None:
    door = browser.application.extensions[EXTENSION]
    stranger = browser.application.test_client()
    foreign, expired = _back(stranger), ""
    with monkeypatch.context() as short:
        short.setattr("app.access.pending.PENDING_LIFE_S", 0.001)
        old = _back(browser)
        expired = f"code={quote(old['code'])}&state={old['state']}"
        eventually(lambda: door.pending.peek(old["state"]) is None, what="the login's end")
    mine = _back(browser)
    code, state = quote(mine["code"]), mine["state"]
    cases = {
        "missing state": f"code={code}",
        "empty state": f"code={code}&state=",
        "wrong state": f"code={code}&state={'x' * 43}",
        "long state": f"code={code}&state={state}{'x' * 5000}",
        "state with a NUL": f"code={code}&state={state}%00",
        "foreign session's state": f"code={quote(foreign['code'])}&state={foreign['state']}",
        "own state of another browser's login": f"code={code}&state={foreign['state']}",
        "expired state": expired,
        "no code": f"state={state}",
        "error": f"error=access_denied&state={state}",
        "error beside a code": f"error=server_error&code={code}&state={state}",
        "nothing": "",
    }
    accepted = [name for name, query in cases.items() if not _refused(browser, query, paste)]
    # the state is spent by the made-up code; then a login that succeeds, its replay, and its code with a fresh state
    cases["made-up code"] = f"code=C0.made-up%40&state={_back(browser)['state']}"
    accepted += [] if _refused(browser, cases["made-up code"], paste) else ["made-up code"]
    good = _back(browser)
    query = f"code={quote(good['code'])}&state={good['state']}"
    assert browser.get(f"/login/callback?{query}").status_code == 303
    assert browser.post("/logout").status_code == 303
    fresh = _back(browser)
    cases |= {"replayed": query, "code used twice": f"code={quote(good['code'])}&state={fresh['state']}"}
    accepted += [
        name for name in ("replayed", "code used twice") if not _refused(browser, cases[name], paste)
    ]
    way = "pasted" if paste else "redirected"
    measured = f"{len(cases) - len(accepted)} of {len(cases)} refused {accepted or ''}".strip()
    figure(6, f"forged OAuth answers, {way}", "all refused", measured, not accepted)


def _lands_elsewhere(location: str) -> bool:
    """Where a browser would go: it drops control characters and reads a backslash as a slash."""
    seen = "".join(sign for sign in location if ord(sign) > 32).replace("\\", "/")
    return (urlsplit(urljoin(OWN, seen)).hostname or "localhost") not in ("localhost", "schwab.example")


def _locations(tmp_path: Path, payload: str) -> list[str]:
    """Every Location on a login that was begun with the payload in all places."""
    client = make_server(tmp_path, StandInBroker(), access="private", symbols="SPX").test_client()
    extra = {"next": payload, "target": payload, "redirect_uri": payload, "return_to": payload}
    headers = {
        **PAGE,
        "Referer": payload.encode("ascii", "ignore").decode().replace("\t", " "),
        "X-Forwarded-Host": EVIL,
    }
    path = payload if payload.startswith("/") else f"/{payload}"
    answers = [
        client.get(asked, headers=headers) for asked in (path, quote(path), f"/gex/SPX?next={quote(payload)}")
    ]
    answers.append(client.post("/login", query_string=extra, data=extra, headers=headers))
    state = answers[-1].headers["Location"].rpartition("state=")[2]
    query = {**extra, "code": "c", "state": state}
    answers.append(client.get("/login/callback", query_string=query, headers=headers))
    assert answers[-1].status_code == 303
    ways = ("/logout", "/login/disconnect", "/login/keys/revoke", "/login/shares/revoke")
    answers += [client.post(way, query_string=extra, data=extra, headers=headers) for way in ways]
    answers.append(client.get(path, headers=headers))
    return [answer.headers["Location"] for answer in answers if "Location" in answer.headers]


def test_no_payload_leads_off_the_origin(tmp_path: Path, figure: Record) -> None:
    assert len(set(REDIRECTS)) >= 60
    followed, off = 0, []
    payloads = REDIRECTS if FULL else REDIRECTS[::6]
    for number, payload in enumerate(payloads):
        locations = _locations(tmp_path / str(number), payload)
        followed += len(locations)
        off += [f"{payload} -> {location}" for location in locations if _lands_elsewhere(location)]
    measured = (
        f"{len(off)} off-origin of {followed} redirects to {len(payloads)} payloads {off or ''}".strip()
    )
    figure(6, "redirect payloads", "0 off-origin", measured, not off)


def test_a_foreign_host_name_begins_no_login(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), access="private").test_client()

    assert client.post("/login", base_url=f"http://{EVIL}").status_code == 400
