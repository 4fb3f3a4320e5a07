"""REST and sign-in while a real Redis dies and returns."""

from pathlib import Path

import pytest

from app.api.context import context
from app.cache.embedded import EmbeddedRedis
from tests.chains import synthetic
from tests.support import eventually
from tests.webserver import StandInBroker, make_server

pytestmark = pytest.mark.redis


def test_an_outage_of_redis_leaves_the_last_copy_and_says_so(
    tmp_path: Path, own_redis: EmbeddedRedis
) -> None:
    server = make_server(tmp_path, StandInBroker(), redis_url=own_redis.url, symbols="SPX")
    with server.app_context():
        context().store.publish(synthetic()[0], 1)
    client = server.test_client()
    before = client.get("/api/v1/gex/SPX")
    assert before.status_code == 200
    assert "X-Chain-Stale" not in before.headers

    own_redis.stop()

    after = client.get("/api/v1/gex/SPX", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200, after.text
    assert after.headers["X-Chain-Stale"]
    assert after.get_json()["net_gex"] == before.get_json()["net_gex"]
    assert client.get("/api/v1/health/live").status_code == 200
    assert "cache" in client.get("/api/v1/health/ready").get_json()["missing"]
    assert client.get("/api/v1/cache/stats").get_json()["healthy"] is False
    assert client.get("/api/v1/market/SPX").status_code == 200
    for ages_unknown in ("/api/v1/symbols", "/api/v1/connection/status"):
        assert client.get(ages_unknown).status_code == 503
    assert client.post("/login").status_code == 503
    assert client.get("/login").status_code == 200


def test_a_signed_in_owner_is_not_locked_out_by_an_outage(tmp_path: Path, own_redis: EmbeddedRedis) -> None:
    server = make_server(tmp_path, StandInBroker(), redis_url=own_redis.url, access="private", symbols="SPX")
    client = server.test_client()
    state = client.post("/login").headers["Location"].rpartition("state=")[2]
    assert client.get(f"/login/callback?code=c&state={state}").status_code == 303
    assert client.get("/api/v1/cache/stats").status_code == 200

    own_redis.stop()

    assert client.get("/api/v1/cache/stats").status_code == 200
    stranger = server.test_client()
    assert stranger.get("/api/v1/cache/stats").status_code == 401
    stranger.set_cookie("gex_session", "guessed")
    assert stranger.get("/api/v1/cache/stats").status_code == 503

    own_redis.start()

    eventually(lambda: stranger.get("/api/v1/cache/stats").status_code == 401, 15, "the cache is asked again")


def test_the_sign_in_page_opens_without_redis(tmp_path: Path, own_redis: EmbeddedRedis) -> None:
    client = make_server(tmp_path, redis_url=own_redis.url, symbols="SPX").test_client()
    own_redis.stop()

    assert client.get("/login").status_code == 200
    refused = client.post("/login")
    assert refused.status_code == 503
    assert "Signing in needs the cache" in refused.text
