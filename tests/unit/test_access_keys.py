"""API keys: made and revoked by the owner, good for REST within their scope and nothing else."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.access.keys import MOST_KEYS
from tests.security.people import key, owner
from tests.webserver import StandInBroker, make_server

READ = "/api/v1/cache/stats"


def _owner(tmp_path: Path, **settings: str) -> FlaskClient:
    client = make_server(tmp_path, StandInBroker(), **{"access": "private", **settings}).test_client()
    state = client.post("/login").headers["Location"].rpartition("state=")[2]
    client.get(f"/login/callback?code=c&state={state}")
    return client


def _make(owner: FlaskClient, name: str = "notebook") -> str:
    answer = owner.post("/login/keys", data={"name": name})
    assert answer.status_code == 201
    found = re.search(r"<code>(gex_[\w-]{43})</code>", answer.text)
    assert found
    return found.group(1)


def _with(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_reads_rest_without_a_session(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    key = _make(owner)
    script = owner.application.test_client()

    assert script.get(READ).status_code == 401
    assert script.get(READ, headers=_with(key)).status_code == 200


def test_a_key_opens_nothing_but_rest(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    script = owner.application.test_client()
    headers = {**_with(_make(owner)), "Accept": "text/html"}

    for path in ("/gex/SPX", "/_dash-layout", "/login/keys"):
        assert script.get(path, headers=headers).status_code in (303, 401)
    assert script.post("/login/disconnect", headers=headers).status_code in (303, 401)
    assert script.post("/_dash-update-component", headers=headers).status_code == 401


@pytest.mark.parametrize("key", ["", "gex_", "gex_" + "x" * 43, "Bearer", "x"])
def test_a_made_up_key_opens_nothing(tmp_path: Path, key: str) -> None:
    owner = _owner(tmp_path)
    _make(owner)

    assert owner.application.test_client().get(READ, headers=_with(key)).status_code == 401


def test_only_a_key_of_scope_manage_changes_what_is_followed(tmp_path: Path) -> None:
    server = make_server(tmp_path, StandInBroker(), access="private", symbols="SPX", max_symbols="2")
    signed_in = owner(server)
    script = server.test_client()
    body = {"symbol": "AAPL"}

    refused = script.post("/api/v1/symbols", json=body, headers=key(signed_in, "read"))
    assert refused.status_code == 403
    assert "scope manage" in refused.get_json()["cure"]
    header = key(signed_in, "manage")
    assert script.post("/api/v1/symbols", json=body, headers=header).status_code in (200, 201)
    assert script.get("/api/v1/symbols", headers=header).status_code == 200
    assert script.delete("/api/v1/symbols/AAPL", headers=header).status_code == 204


def test_where_all_may_look_nobody_changes_what_is_followed(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), access="public").test_client()

    assert client.get("/api/v1/symbols").status_code == 200
    assert client.post("/api/v1/symbols", json={"symbol": "AAPL"}).status_code == 401
    assert client.delete("/api/v1/symbols/SPX").status_code == 401


def test_a_key_has_a_known_scope(tmp_path: Path) -> None:
    answer = _owner(tmp_path).post("/login/keys", data={"name": "x", "scope": "everything"})

    assert answer.status_code == 400


def test_the_last_use_is_listed(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    shown = _make(owner)
    assert "not used yet" in owner.get("/login/keys").text

    owner.application.test_client().get(READ, headers=_with(shown))

    assert "not used yet" not in owner.get("/login/keys").text


def test_keys_that_somebody_else_wrote_count_as_none(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    shown = _make(owner)
    (tmp_path / "keys-schwab").write_bytes(b"\x80\x04N.")

    assert owner.application.test_client().get(READ, headers=_with(shown)).status_code == 401
    assert owner.get("/login/keys").status_code == 200
    _make(owner)


def test_a_key_in_the_address_is_ignored(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    key = _make(owner)

    assert owner.application.test_client().get(f"{READ}?key={key}&access_token={key}").status_code == 401


def test_a_revoked_key_is_worthless(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    key, other = _make(owner, "first"), _make(owner, "second")
    ids = re.findall(r'name="id" value="(\w+)"', owner.get("/login/keys").text)

    owner.post("/login/keys/revoke", data={"id": ids[0]})

    script = owner.application.test_client()
    assert script.get(READ, headers=_with(key)).status_code == 401
    assert script.get(READ, headers=_with(other)).status_code == 200


def test_keys_outlast_a_restart_and_are_kept_as_hashes(tmp_path: Path) -> None:
    key = _make(_owner(tmp_path))

    again = make_server(tmp_path, StandInBroker(), access="private").test_client()

    assert again.get(READ, headers=_with(key)).status_code == 200
    for path in tmp_path.iterdir():
        assert key.encode() not in path.read_bytes()


def test_a_key_is_shown_once(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    key = _make(owner)

    assert key not in owner.get("/login/keys").text


def test_nobody_but_the_owner_makes_keys_even_where_all_may_look(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker(), access="public").test_client()

    assert client.get("/login/keys").status_code == 403
    assert client.post("/login/keys", data={"name": "x"}).status_code == 403
    assert client.post("/login/keys/revoke", data={"id": "x"}).status_code == 403


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b"])
def test_a_key_needs_a_name(tmp_path: Path, name: str) -> None:
    assert _owner(tmp_path).post("/login/keys", data={"name": name}).status_code == 400


def test_a_name_is_shown_as_text(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    _make(owner, "<script>alert(1)</script>")

    assert "<script>" not in owner.get("/login/keys").text


def test_there_is_an_end_to_keys(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    for number in range(MOST_KEYS):
        _make(owner, f"key {number}")

    answer = owner.post("/login/keys", data={"name": "one more"})

    assert answer.status_code == 400
    assert "Revoke one" in answer.text
