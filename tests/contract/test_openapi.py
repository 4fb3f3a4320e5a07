"""The OpenAPI document is valid, says what the server does, and its examples and answers fit it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from app.api.context import context
from app.models import SchwabConnection
from tests.chains import synthetic
from tests.webserver import make_server

PATHS = {
    "/api/v1/health",
    "/api/v1/health/live",
    "/api/v1/health/ready",
    "/api/v1/connection/status",
    "/api/v1/cache/stats",
    "/api/v1/symbols",
    "/api/v1/alerts",
    "/api/v1/alerts/rules",
    "/api/v1/market/{symbol}",
    "/api/v1/options/{symbol}",
    "/api/v1/gex/{symbol}",
    "/api/v1/gex/{symbol}/levels",
    "/api/v1/gex/{symbol}/strikes",
    "/api/v1/gex/{symbol}/expiries",
    "/api/v1/gex/{symbol}/profile",
    "/api/v1/gex/{symbol}/history",
    "/api/v1/gex/{symbol}/history/strikes",
    "/api/v1/gex/{symbol}/days",
}
STREAMS = {"/api/v1/gex/{symbol}/stream"}
FILES = {"/api/v1/gex/{symbol}/levels/file"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A server that follows SPX, whose chain it has, and SPY, which hasn't arrived."""
    server = make_server(tmp_path_factory.mktemp("data"), symbols="SPX,SPY")
    with server.app_context():
        store = context().store
    store.publish(synthetic()[0], 1)
    store.put_status(_status().json_bytes(), 1)
    with server.test_client() as client:
        yield client


def _status() -> SchwabConnection:
    now = datetime.now(UTC)
    return SchwabConnection(
        state="live", since=now, source="simulator", heartbeat_at=now + timedelta(hours=1)
    )


@pytest.fixture(scope="module")
def spec(client: FlaskClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/api/openapi.json").get_json()
    return document


def _fits(spec: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator({**schema, "components": spec["components"]}).validate(value)


def _schema(spec: dict[str, Any], path: str, status: str, kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = spec["paths"][path]["get"]["responses"][status]["content"][kind]["schema"]
    return schema


def test_the_document_is_valid_openapi_3_1(spec: dict[str, Any]) -> None:
    assert spec["openapi"].startswith("3.1")
    validate(spec)


def test_it_lists_every_resource(spec: dict[str, Any]) -> None:
    assert {path for path, item in spec["paths"].items() if "get" in item} == PATHS | STREAMS | FILES
    assert {(method, path) for path, item in spec["paths"].items() for method in item if method != "get"} == {
        ("post", "/api/v1/symbols"),
        ("delete", "/api/v1/symbols/{symbol}"),
        ("put", "/api/v1/alerts/rules"),
        ("post", "/api/v1/alerts/acknowledged"),
        ("post", "/api/v1/alerts/webhooks"),
        ("delete", "/api/v1/alerts/webhooks/{id}"),
        ("post", "/api/v1/alerts/webhooks/{id}/test"),
    }


def test_every_operation_has_a_name_a_summary_and_an_example(spec: dict[str, Any]) -> None:
    names = []
    for path, item in spec["paths"].items():
        for operation in item.values():
            assert operation["summary"], path
            assert operation["responses"].keys() & {"200", "201", "204"}, path
            for answer in operation["responses"].values():
                content = answer.get("content", {})
                assert "application/json" not in content or "example" in content["application/json"], path
            names.append(operation["operationId"])
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", sorted(PATHS))
def test_the_example_fits_its_schema(spec: dict[str, Any], path: str) -> None:
    content = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]

    _fits(spec, content["schema"], content["example"])


@pytest.mark.parametrize("path", sorted(PATHS - {"/api/v1/health/ready"}))
def test_the_answer_fits_its_schema(client: FlaskClient, spec: dict[str, Any], path: str) -> None:
    answer = client.get(path.replace("{symbol}", "SPX"))

    assert answer.status_code == 200
    _fits(spec, _schema(spec, path, "200", "application/json"), answer.get_json())


@pytest.mark.parametrize("path", sorted(PATHS))
def test_no_answer_holds_what_json_does_not_know(client: FlaskClient, path: str) -> None:
    text = client.get(path.replace("{symbol}", "SPX")).text

    orjson.loads(text)  # strict: refuses NaN and Infinity


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/gex/{symbol}", "422"),
        ("/api/v1/gex/{symbol}", "503"),
        ("/api/v1/gex/{symbol}", "404"),
        ("/api/v1/options/{symbol}", "422"),
    ],
)
def test_an_error_fits_its_schema(client: FlaskClient, spec: dict[str, Any], path: str, status: str) -> None:
    asked = {"422": ("SPX", "?side=nobody&right=x"), "503": ("SPY", ""), "404": ("ZZZZ", "")}[status]

    answer = client.get(path.replace("{symbol}", asked[0]) + asked[1])

    assert answer.status_code == int(status)
    assert answer.mimetype == "application/problem+json"
    _fits(spec, _schema(spec, path, status, "application/problem+json"), answer.get_json())


def test_readiness_fits_its_schema_when_something_is_missing(
    client: FlaskClient, spec: dict[str, Any]
) -> None:
    answer = client.get("/api/v1/health/ready")

    assert answer.status_code == 503
    assert answer.get_json()["missing"] == ["chain:SPY"]
    _fits(spec, _schema(spec, "/api/v1/health/ready", "503", "application/json"), answer.get_json())


def test_the_files_of_levels_are_told_with_their_types(spec: dict[str, Any]) -> None:
    (path,) = FILES

    kinds = spec["paths"][path]["get"]["responses"]["200"]["content"].keys()

    assert kinds == {"text/csv", "text/plain"}


def test_swagger_ui_is_served_from_here(client: FlaskClient) -> None:
    page = client.get("/api/docs").text

    for part in (
        "/api/docs/ui/js/swagger-ui-bundle.js",
        "/api/docs/ui/css/swagger-ui.css",
        "/api/docs/page/swagger.js",
    ):
        assert part in page
        with client.get(part) as answer:
            assert answer.status_code == 200
