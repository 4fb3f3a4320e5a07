"""GET /metrics: what is counted, for whom, and under bounded labels."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app.access.account import gate
from app.api.context import context
from tests.chains import synthetic
from tests.webserver import make_server


def _samples(client: FlaskClient, **headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    server = make_server(tmp_path, symbols="SPX,SPY")
    with server.app_context():
        context().store.publish(synthetic()[0], 1)
    return server.test_client()


def test_requests_computations_and_chains_are_counted(client: FlaskClient) -> None:
    route = frozenset({("route", "/api/v1/gex/<symbol>/levels"), ("method", "GET"), ("status", "200")})
    before = _samples(client)

    client.get("/api/v1/gex/SPX/levels")
    client.get("/api/v1/gex/SPX/levels")

    after = _samples(client)
    assert after["gex_http_requests_total", route] - before.get(("gex_http_requests_total", route), 0) == 2
    fits = ("gex_engine_seconds_count", frozenset({("stage", "fit")}))
    assert after[fits] - before.get(fits, 0) == 1
    assert after["gex_chain_version", frozenset({("symbol", "SPX")})] == 1
    assert after["gex_cache_up", frozenset()] == 1


def test_made_up_addresses_methods_and_symbols_make_no_series(client: FlaskClient) -> None:
    client.get("/api/v1/gex/SPX")
    before = {key for key in _samples(client) if key[0] == "gex_http_requests_total"}

    for number in range(30):
        client.get(f"/api/v1/gex/A{number}")
        client.get(f"/api/made/up/{number}")
        client.open("/api/v1/symbols", method=f"M{number}")

    after = {key for key in _samples(client) if key[0] == "gex_http_requests_total"}
    assert len(after - before) <= 4
    assert not any("A7" in str(key) or "M7" in str(key) for key in after)


def test_without_redis_it_says_so(tmp_path: Path) -> None:
    client = make_server(tmp_path, redis_url="redis://127.0.0.1:1/0", symbols="SPX").test_client()

    assert _samples(client)["gex_cache_up", frozenset()] == 0


def test_a_private_server_shows_them_to_who_may_read(tmp_path: Path) -> None:
    server = make_server(tmp_path, access="private", symbols="SPX")
    client = server.test_client()
    with server.app_context():
        key = gate().keys.create("prometheus", "read")

    assert client.get("/metrics").status_code == 401
    assert _samples(client, Authorization=f"Bearer {key}")
