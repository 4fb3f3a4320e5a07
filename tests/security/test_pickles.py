"""A pickle that would run a command, planted in every key of a Redis that a running product reads."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from app.api.context import context
from app.cache.base import Store, wall_ms
from app.cache.embedded import EmbeddedRedis
from app.history.schema import SCHEMA
from app.models import Event, SchwabConnection
from tests.chains import synthetic
from tests.security.conftest import Record
from tests.security.people import PAGE, guest, key, owner
from tests.security.test_malformed_bodies import URL, real_bodies
from tests.webserver import StandInBroker, make_server

pytestmark = pytest.mark.redis

READS = (
    *("health", "health/ready", "connection/status", "cache/stats", "symbols"),
    *("gex/SPX", "gex/SPX/levels", "market/SPX", "options/SPX", "alerts"),
)
PAGES = ("/login", "/login/keys", "/login/shares", "/login/sessions", "/gex/SPX")


class Planted:
    """Touches a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._marker}",)


@pytest.fixture
def client(own_redis: EmbeddedRedis, tmp_path: Path) -> FlaskClient:
    """An owner's browser at a server whose Redis holds everything that one holds."""
    server = make_server(tmp_path, StandInBroker(), access="private", symbols="SPX", redis_url=own_redis.url)
    browser = owner(server)
    with server.app_context():
        _fill(context().store)
    return browser


def _fill(store: Store) -> None:
    epoch = store.acquire("feed", "test", 60_000) or 1
    store.publish(synthetic()[0], epoch)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    store.put_status(
        SchwabConnection(state="live", since=now, source="schwab", heartbeat_at=now).json_bytes(), epoch
    )
    store.add_event(Event(at=now, kind="test", message="made for the test"))
    store.put("page:stats", b"{}")
    store.append("history:SPX", (wall_ms(), 0), SCHEMA.serialize().to_pybytes(), epoch, kept=10)


def _visit(browser: FlaskClient) -> list[int]:
    """Everything that reads Redis, pages, REST and callbacks."""
    statuses = [browser.get(f"/api/v1/{path}").status_code for path in READS]
    statuses += [browser.get(path, headers=PAGE).status_code for path in PAGES]
    with browser.application.app_context():
        store = context().store
        store.events()
        store.entries("history:SPX")
    return statuses


def _plant(server: redis.Redis, payload: bytes) -> list[bytes]:
    """The payload in place of every value, in its own kind of container; the names of the keys."""
    names: list[bytes] = list(server.scan_iter())
    for name in names:
        kind: Any = server.type(name)
        if kind == b"hash":
            for part in server.hkeys(name):
                server.hset(name, part, payload)
        elif kind == b"list":
            server.lpush(name, payload)
        elif kind == b"set":
            server.sadd(name, payload)
        elif kind == b"stream":
            server.xadd(name, {"data": payload})
        else:
            server.set(name, payload, keepttl=True)
    return names


def _tries_to_sign_in(server: Flask) -> FlaskClient:
    """A browser whose login may fail on what was planted."""
    browser = server.test_client()
    state = browser.post("/login").headers.get("Location", "").rpartition("state=")[2]
    browser.get(f"/login/callback?code=c&state={state}")
    return browser


def test_no_planted_pickle_is_run(
    client: FlaskClient, own_redis: EmbeddedRedis, tmp_path: Path, figure: Record
) -> None:
    marker = tmp_path / "executed"
    bodies = real_bodies(client)
    guest(client)
    client.application.test_client().get("/api/v1/symbols", headers=key(client))
    assert 200 in _visit(client)
    planted, answers = set[bytes](), []
    with redis.Redis.from_url(own_redis.url) as server:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            planted.update(_plant(server, pickle.dumps(Planted(marker), protocol)))
            for browser in (client, _tries_to_sign_in(client.application)):
                answers += _visit(browser)
                answers += [browser.post(URL, json=body).status_code for body in bodies]
    # the plant itself works
    assert not marker.exists()
    pickle.loads(pickle.dumps(Planted(tmp_path / "works")))  # noqa: S301
    assert (tmp_path / "works").exists()
    measured = f"{int(marker.exists())} executions: {len(planted)} keys, {len(answers)} answers after it"
    figure(
        8, "a pickle in every Redis key", "0 executions", measured, not marker.exists() and len(planted) >= 10
    )
