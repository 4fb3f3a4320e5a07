"""Requests are counted in Redis for all workers together, and go on being counted while it is away."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.access import throttle
from app.cache.embedded import EmbeddedRedis
from tests.security.people import key, owner
from tests.webserver import StandInBroker, make_server

pytestmark = pytest.mark.redis
LIVE = "/api/v1/health/live"
DISTANT = {"REMOTE_ADDR": "203.0.113.7"}


@pytest.fixture(autouse=True)
def _four_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "REST", "4 per minute")


def _statuses(client: FlaskClient, count: int, **headers: str) -> list[int]:
    return [client.get(LIVE, environ_base=DISTANT, headers=headers).status_code for _ in range(count)]


def test_two_workers_count_together(redis_url: str, tmp_path: Path) -> None:
    one, other = (make_server(tmp_path, redis_url=redis_url).test_client() for _ in range(2))

    assert _statuses(one, 3) == [200] * 3
    assert _statuses(other, 3) == [200, 429, 429]
    assert _statuses(one, 1) == [429]


def test_without_redis_each_worker_counts_on(own_redis: EmbeddedRedis, tmp_path: Path) -> None:
    client = make_server(tmp_path, redis_url=own_redis.url).test_client()
    assert _statuses(client, 1) == [200]

    own_redis.stop()

    statuses = _statuses(client, 8)
    assert set(statuses) == {200, 429}
    assert statuses[-1] == 429


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1/0",
        "redis+sentinel://127.0.0.1:1,127.0.0.1:2/primary",
        "redis+cluster://127.0.0.1:1,127.0.0.1:2",
    ],
)
def test_no_address_of_redis_keeps_requests_from_being_counted(tmp_path: Path, url: str) -> None:
    client = make_server(tmp_path, redis_url=url).test_client()

    assert _statuses(client, 6) == [200] * 4 + [429] * 2


def test_a_key_is_counted_wherever_it_comes_from(redis_url: str, tmp_path: Path) -> None:
    server = make_server(tmp_path, StandInBroker(), redis_url=redis_url, access="private")
    first, second = key(owner(server)), key(owner(server))
    client = server.test_client()

    assert _statuses(client, 5, **first)[-1] == 429
    elsewhere = client.get(LIVE, environ_base={"REMOTE_ADDR": "198.51.100.9"}, headers=first)
    assert elsewhere.status_code == 429
    assert _statuses(client, 1, **second) == [200]


@pytest.mark.parametrize(
    ("hops", "header"),
    [
        (1, "203.0.113.7"),
        (1, "127.0.0.1, 203.0.113.7"),  # the client's own forgery stands before what the proxy added
        (2, "203.0.113.7, 10.0.0.2"),
        (2, "127.0.0.1, 203.0.113.7, 10.0.0.2"),
        (0, "127.0.0.1"),
    ],
)
def test_the_clients_address_is_the_one_that_the_proxies_saw(tmp_path: Path, hops: int, header: str) -> None:
    settings = {"trusted_proxies": hops, "public_url": "http://localhost", "access": "public"}
    client = make_server(tmp_path, **settings).test_client()
    direct = {"REMOTE_ADDR": "10.0.0.1"}

    statuses = [
        client.get(LIVE, environ_base=direct, headers={"X-Forwarded-For": header}).status_code
        for _ in range(6)
    ]

    assert statuses[-1] == 429
    mine = client.get(
        LIVE,
        environ_base={"REMOTE_ADDR": "10.0.0.1" if hops else "10.9.9.9"},
        headers={"X-Forwarded-For": "198.51.100.1, 198.51.100.2"},
    )
    assert mine.status_code == 200
