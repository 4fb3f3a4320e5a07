"""Callback requests that no page sends are refused, and none of them is a 500."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.webserver import make_server

URL = "/_dash-update-component"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return make_server(tmp_path_factory.mktemp("data")).test_client()


def _bodies(client: FlaskClient) -> list[dict[str, Any]]:
    """What a page really sends, one body per callback."""
    listed = client.get("/_dash-dependencies").get_json()
    bodies = []
    for callback in listed:
        if callback["clientside_function"]:
            continue
        name = callback["output"]
        names = name[2:-2].split("...") if name.startswith("..") else [name]
        outputs = [dict(zip(("id", "property"), each.rsplit(".", 1), strict=True)) for each in names]
        body = {"output": name, "outputs": outputs if name.startswith("..") else outputs[0]}
        given = {kind: callback[kind] for kind in ("inputs", "state")}
        bodies.append({**body, **given, "changedPropIds": []})
    return bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"output": 7}',
        b'{"output": "x.children"}',
    ],
)
def test_what_is_no_callback_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = client.post(URL, data=body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"


def test_every_damaged_field_is_refused(client: FlaskClient) -> None:
    for body in _bodies(client):
        for field in ("output", "outputs", "inputs", "state"):
            for wrong in (7, None, [], {}, "x", [7], [[]], [{"id": "x"}]):
                if wrong == body[field]:
                    continue
                answer = client.post(URL, json={**body, field: wrong})
                assert answer.status_code == 400, (field, wrong)


def test_a_page_of_ours_is_understood(client: FlaskClient) -> None:
    for body in _bodies(client):
        assert client.post(URL, data=json.dumps(body), content_type="application/json").status_code != 400


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=JSON)
def test_no_document_is_a_server_error(client: FlaskClient, document: Any) -> None:
    assert client.post(URL, json=document).status_code < 500


@pytest.mark.parametrize("value", [None, 1, -1e308, "x", "../", "<b>", [], {}, [[]], {"a": {"b": [1]}}, True])
def test_no_value_of_an_input_is_a_server_error(client: FlaskClient, value: Any) -> None:
    for body in _bodies(client):
        for item in [*body["inputs"], *body["state"]]:
            item["value"] = value
        answer = client.post(URL, json=body)
        assert answer.status_code < 500, body["output"]


@pytest.mark.parametrize("path", ["dash/x.js", "nothing/x.js", "dash/../../etc/passwd", "dash/%00"])
def test_a_script_that_is_not_there_is_a_404(client: FlaskClient, path: str) -> None:
    assert client.get(f"/_dash-component-suites/{path}").status_code == 404


@pytest.mark.parametrize("dates", [["BRK/B"], ["\x00", None, 7, {}], ["2026-01-16", "x"], "2026-01-16", 7])
def test_expiries_that_are_no_dates_are_left_out(client: FlaskClient, dates: object) -> None:
    body = next(body for body in _bodies(client) if "controls.children" in body["output"])
    given = {"pathname": "/gex/SPX", "search": "", "data": dates}
    for item in body["inputs"]:
        item["value"] = given[item["property"]]

    assert client.post(URL, json=body).status_code == 200
