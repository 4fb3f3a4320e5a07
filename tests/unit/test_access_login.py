"""Signing in, step by step: state, browser, account, session."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.access.account import EXTENSION
from app.errors import AuthError, BrokerError, CacheError
from tests.support import eventually
from tests.webserver import StandInBroker, make_server

PRIVATE = {"access": "private"}


def _begin(client: FlaskClient, **extra: Any) -> str:
    answer = client.post("/login", **extra)
    assert answer.status_code == 303
    return str(answer.headers["Location"]).rpartition("state=")[2]


def _return(client: FlaskClient, state: str, code: str = "C0.abc%40") -> TestResponse:
    return client.get(f"/login/callback?code={code}&session=1&state={state}")


def _sign_in(client: FlaskClient) -> None:
    assert _return(client, _begin(client)).status_code == 303


def test_a_login_opens_the_door(tmp_path: Path) -> None:
    broker = StandInBroker()
    client = make_server(tmp_path, broker, **PRIVATE).test_client()
    assert client.get("/gex/SPX", headers={"Accept": "text/html"}).status_code == 303

    answer = _return(client, _begin(client))

    assert answer.status_code == 303
    assert broker.stored == ["C0.abc@"]
    assert broker.verifiers == ["verifier-1"]
    assert client.get("/gex/SPX", headers={"Accept": "text/html"}).status_code == 200


def test_the_page_that_was_wanted_comes_after_the_login(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), **PRIVATE).test_client()
    client.get("/gex/SPY?expiries=0dte", headers={"Accept": "text/html"})

    answer = _return(client, _begin(client))

    assert answer.headers["Location"] == "/gex/SPY?expiries=0dte"


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example/gex/SPX", "/gex/../../evil", "/gex/SPX?next=//evil.example", "/api/v1/cache/stats"],
)
def test_a_target_never_leads_elsewhere(tmp_path: Path, wanted: str) -> None:
    client = make_server(tmp_path, StandInBroker(), **PRIVATE).test_client()
    client.get(wanted, headers={"Accept": "text/html"})

    answer = _return(client, _begin(client))

    assert answer.headers["Location"] == "/"


def test_a_target_in_the_address_is_ignored(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), **PRIVATE).test_client()
    state = _begin(client, query_string={"next": "https://evil.example"})

    answer = client.get(f"/login/callback?code=c&state={state}&next=https://evil.example")

    assert answer.headers["Location"] == "/"


def test_a_pasted_address_finishes_the_login(tmp_path: Path) -> None:
    broker = StandInBroker()
    client = make_server(tmp_path, broker, **PRIVATE).test_client()
    state = _begin(client)

    address = f"https://127.0.0.1:8182/?code=C0.abc%40&session=1&state={state}"
    answer = client.post("/login/paste", data={"address": address})

    assert answer.status_code == 303
    assert broker.stored == ["C0.abc@"]


@pytest.mark.parametrize(
    "address",
    ["", "x", "http://[?code=c", "//[::?code=c&state=s", "?code=%ff%00", "https://x/?" + "a" * 9000],
)
def test_a_pasted_text_that_is_no_address_is_refused_with_words(tmp_path: Path, address: str) -> None:
    client = make_server(tmp_path, StandInBroker(), **PRIVATE).test_client()

    answer = client.post("/login/paste", data={"address": address})

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


def test_a_missing_state_is_refused(tmp_path: Path) -> None:
    broker = StandInBroker()
    client = make_server(tmp_path, broker).test_client()
    _begin(client)

    answer = client.get("/login/callback?code=abc")

    assert answer.status_code == 400
    assert "carries no state" in answer.text
    assert broker.stored == []


def test_a_wrong_state_is_refused(tmp_path: Path) -> None:
    broker = StandInBroker()
    client = make_server(tmp_path, broker).test_client()
    _begin(client)

    assert _return(client, "guessed").status_code == 400
    assert broker.stored == []


def test_a_state_works_once(tmp_path: Path) -> None:
    broker = StandInBroker()
    client = make_server(tmp_path, broker).test_client()
    state = _begin(client)
    assert _return(client, state).status_code == 303

    again = _return(client, state)

    assert again.status_code == 400
    assert len(broker.stored) == 1


def test_another_browser_cannot_finish_a_login(tmp_path: Path) -> None:
    broker = StandInBroker()
    server = make_server(tmp_path, broker)
    state = _begin(server.test_client())
    stranger = server.test_client()
    _begin(stranger)

    answer = _return(stranger, state)

    assert answer.status_code == 400
    assert "another browser" in answer.text
    assert broker.stored == []


def test_a_refusal_in_another_browser_does_not_spoil_the_login(tmp_path: Path) -> None:
    server = make_server(tmp_path, StandInBroker())
    client = server.test_client()
    state = _begin(client)
    _return(server.test_client(), state)

    assert _return(client, state).status_code == 303


def test_an_old_login_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.access.pending.PENDING_LIFE_S", 0.001)
    server = make_server(tmp_path, StandInBroker())
    client = server.test_client()
    state = _begin(client)
    eventually(lambda: server.extensions[EXTENSION].pending.peek(state) is None, what="the login's end")

    assert _return(client, state).status_code == 400


def test_the_first_account_owns_the_dashboard_and_another_is_refused(tmp_path: Path) -> None:
    broker = StandInBroker(customer="owner")
    server = make_server(tmp_path, broker, **PRIVATE)
    _sign_in(server.test_client())
    broker.customer = "stranger"
    stranger = server.test_client()

    answer = _return(stranger, _begin(stranger))

    assert answer.status_code == 400
    assert "belongs to another Schwab account" in answer.text
    assert "stranger" not in answer.text
    assert len(broker.stored) == 1
    assert stranger.get("/gex/SPX", headers={"Accept": "text/html"}).status_code == 303


def test_the_owner_is_remembered_when_the_cache_forgets(tmp_path: Path) -> None:
    _sign_in(make_server(tmp_path, StandInBroker(customer="owner")).test_client())

    client = make_server(tmp_path, StandInBroker(customer="stranger")).test_client()

    assert _return(client, _begin(client)).status_code == 400


def test_the_allowlist_decides_when_there_is_one(tmp_path: Path) -> None:
    refused = make_server(tmp_path, StandInBroker(customer="b"), owner_allowlist="0" * 32).test_client()
    page = _return(refused, _begin(refused)).text
    identity = page.partition("identity is ")[2][:32]

    admitted = make_server(tmp_path, StandInBroker(customer="b"), owner_allowlist=identity).test_client()

    assert _return(admitted, _begin(admitted)).status_code == 303


def test_a_refused_code_says_what_to_do(tmp_path: Path) -> None:
    broker = StandInBroker(problem=AuthError("Schwab refused the code.", cure="Start again."))
    client = make_server(tmp_path, broker).test_client()

    answer = _return(client, _begin(client))

    assert answer.status_code == 400
    assert "Schwab refused the code." in answer.text
    assert "Start again." in answer.text


def test_an_outage_of_schwab_is_a_502_page(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(problem=BrokerError("Schwab is down."))).test_client()

    answer = _return(client, _begin(client))

    assert answer.status_code == 502
    assert "Schwab is down." in answer.text


def test_schwabs_own_refusal_is_shown(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker()).test_client()

    answer = client.get("/login/callback?error=access_denied&state=x")

    assert answer.status_code == 400
    assert "without a login" in answer.text


def test_markup_in_an_address_is_not_run(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker()).test_client()

    answer = client.post("/login/paste", data={"address": "https://x/?code=<script>alert(1)</script>"})

    assert "<script>" not in answer.text


def test_signing_out_closes_the_door(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), **PRIVATE).test_client()
    _sign_in(client)
    kept = client.get_cookie("gex_session")
    assert kept is not None

    assert client.post("/logout").status_code == 303

    client.set_cookie("gex_session", kept.value)
    assert client.get("/gex/SPX", headers={"Accept": "text/html"}).status_code == 303


def test_a_new_login_gets_a_new_session_and_ends_the_old_one(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), **PRIVATE).test_client()
    _sign_in(client)
    first = client.get_cookie("gex_session")
    _sign_in(client)
    second = client.get_cookie("gex_session")
    assert first
    assert second
    assert first.value != second.value

    client.set_cookie("gex_session", first.value)

    assert client.get("/api/v1/cache/stats").status_code == 401


def test_disconnecting_needs_a_session_even_where_all_may_look(tmp_path: Path) -> None:
    broker = StandInBroker(stored=["a login"])
    server = make_server(tmp_path, broker, access="public")
    assert server.test_client().post("/login/disconnect").status_code == 403
    assert broker.stored

    owner = server.test_client()
    _sign_in(owner)

    assert owner.post("/login/disconnect").status_code == 303
    assert broker.stored == []


def test_cookies_are_hidden_from_scripts_and_bound_to_https_hosts(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), public_url="https://gex.example.com").test_client()
    base = "https://gex.example.com"

    began = client.post("/login", base_url=base)
    state = began.headers["Location"].rpartition("state=")[2]
    done = client.get(f"/login/callback?code=c&state={state}", base_url=base)

    for answer in (began, done):
        for line in answer.headers.getlist("Set-Cookie"):
            assert line.startswith("__Host-gex_")
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))


def test_the_callback_may_be_any_path_of_the_public_address(tmp_path: Path) -> None:
    broker = StandInBroker()
    server = make_server(
        tmp_path,
        broker,
        access="private",
        public_url="https://gex.example.com",
        schwab_callback_url="https://gex.example.com",
    )
    client = server.test_client()
    state = (
        client.post("/login", base_url="https://gex.example.com").headers["Location"].rpartition("state=")[2]
    )

    answer = client.get(f"/?code=c&state={state}", base_url="https://gex.example.com")

    assert answer.status_code == 303
    assert broker.stored == ["c"]


def test_a_login_begun_under_localhost_ends_under_localhost(tmp_path: Path) -> None:
    broker = StandInBroker()
    client = make_server(tmp_path, broker, **PRIVATE).test_client()
    began = client.post("/login", base_url="http://localhost:8050")
    state = began.headers["Location"].rpartition("state=")[2]

    back = client.get(f"/login/callback?code=c%40&state={state}", base_url="http://127.0.0.1:8050")

    assert back.headers["Location"] == f"http://localhost:8050/login/callback?code=c%40&state={state}"
    done = client.get(back.headers["Location"], base_url="http://localhost:8050")
    assert done.headers["Location"] == "/"
    assert broker.stored == ["c@"]


def test_a_login_begun_under_a_forged_name_leads_nowhere(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), host="0.0.0.0").test_client()  # noqa: S104
    began = client.post("/login", base_url="http://evil.example")
    state = began.headers["Location"].rpartition("state=")[2]

    back = client.get(f"/login/callback?code=c&state={state}", base_url="http://192.168.0.9:8050")

    assert back.status_code == 400


def test_without_a_cache_signing_in_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server(tmp_path, StandInBroker(), redis_url="redis://127.0.0.1:1/0", access="private")

    answer = server.test_client().post("/login")

    assert answer.status_code == 503
    assert "Signing in needs the cache" in answer.text


def test_without_a_cache_a_session_that_was_seen_stays_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(tmp_path, StandInBroker(), **PRIVATE)
    client = server.test_client()
    _sign_in(client)
    assert client.get("/api/v1/cache/stats").status_code == 200

    def away(self: object, key: str) -> bytes:
        raise CacheError("Redis is away.")

    monkeypatch.setattr("app.cache.memory.MemoryStore.get", away)

    assert client.get("/api/v1/cache/stats").status_code == 200
    client.set_cookie("gex_session", "unknown")
    assert client.get("/api/v1/cache/stats").status_code == 503
    page = client.get("/gex/SPX", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "Redis is away." in page.text


def test_the_sign_in_page_says_why_the_data_are_simulated(tmp_path: Path) -> None:
    other = make_server(tmp_path / "other", schwab_api_url="http://127.0.0.1:9").test_client()
    words = other.get("/login").text
    assert "SCHWAB_API_URL is not Schwab" in words
    assert "This is the demo" not in words
    demo = make_server(tmp_path / "demo", force_demo=True).test_client()
    assert "This is the demo" in demo.get("/login").text
