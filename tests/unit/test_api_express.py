"""An answer that is repeated without Flask is the one that Flask gave, as long as it holds and only for whom it holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.access import throttle
from app.api.context import context_of
from app.cache.embedded import EmbeddedRedis
from app.models import FeedState
from tests.chains import synthetic
from tests.feeding import report
from tests.security.people import key, owner
from tests.support import eventually
from tests.webserver import StandInBroker, make_server

CHAIN = synthetic()[0]
LEVELS, WHOLE = "/api/v1/gex/SPX/levels", "/api/v1/gex/SPX"
DISTANT = {"REMOTE_ADDR": "203.0.113.7"}


class Counted:
    """A server that has a chain, a client, and how many requests have come as far as Flask."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.flask = 0
        server.before_request_funcs[None].insert(0, self._came)
        self.store = context_of(server).store
        self.store.publish(CHAIN, 1)
        self.client: FlaskClient = server.test_client(use_cookies=False)

    def _came(self) -> None:
        self.flask += 1

    def repeats(self, ask: Callable[[], Any]) -> bool:
        """Whether the second of two equal requests is answered without Flask."""
        ask()
        before = self.flask
        ask()
        return self.flask == before


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    return Counted(make_server(tmp_path, symbols="SPX,SPY"))


@pytest.mark.parametrize("packing", ["gzip", "br, gzip", "identity", ""])
@pytest.mark.parametrize("path", [LEVELS, WHOLE, f"{WHOLE}/strikes?side=long", "/api/v1/market/SPX"])
def test_the_repeated_answer_is_flasks_to_the_byte(counted: Counted, path: str, packing: str) -> None:
    headers = {"Accept-Encoding": packing, "X-From": "a notebook"}
    first = counted.client.get(path, headers=headers)
    asked = counted.flask
    again = counted.client.get(path, headers=headers)

    assert counted.flask == asked
    assert (again.status, again.data, list(again.headers)) == (first.status, first.data, list(first.headers))
    have = headers | {"If-None-Match": first.headers["ETag"]}
    unchanged = [counted.client.get(path, headers=have) for _ in range(2)]
    assert [answer.status_code for answer in unchanged] == [304, 304]
    assert [answer.data for answer in unchanged] == [b"", b""]
    assert list(unchanged[0].headers) == list(unchanged[1].headers)
    assert counted.flask == asked + 1


def test_a_new_version_is_computed_anew(counted: Counted) -> None:
    old = [counted.client.get(LEVELS).headers["ETag"] for _ in range(2)][-1]

    counted.store.publish(CHAIN, 1)

    answer = counted.client.get(LEVELS, headers={"If-None-Match": old})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != old


def test_a_dropped_underlying_is_gone_at_once(counted: Counted) -> None:
    assert counted.repeats(lambda: counted.client.get(LEVELS))

    context_of(counted.server).watchlist.drop("SPX")

    assert counted.client.get(LEVELS).status_code == 404


def test_an_underlying_that_was_dropped_is_gone_for_who_is_known_as_well(tmp_path: Path) -> None:
    counted = Counted(make_server(tmp_path, StandInBroker(), access="private", symbols="SPX,SPY"))
    script = key(owner(counted.server))
    tag = counted.client.get(LEVELS, headers=script).headers["ETag"]

    context_of(counted.server).watchlist.drop("SPX")

    assert counted.client.get(LEVELS, headers=script | {"If-None-Match": tag}).status_code == 404


@pytest.mark.parametrize("state", ["stopped", "signed_out"])
def test_while_the_feed_is_gone_every_answer_says_that_nothing_new_comes(
    counted: Counted, state: FeedState
) -> None:
    tag = counted.client.get(LEVELS).headers["ETag"]
    counted.store.put_status(report(state), 1)

    eventually(lambda: "X-Chain-Stale" in counted.client.get(LEVELS).headers, 3)
    for headers in ({}, {"If-None-Match": tag}):
        assert "the feed" in counted.client.get(LEVELS, headers=headers).headers["X-Chain-Stale"]

    counted.store.put_status(report("live"), 1)
    eventually(lambda: "X-Chain-Stale" not in counted.client.get(LEVELS).headers, 3)


@pytest.mark.redis
def test_without_redis_the_last_copy_is_named_as_such(own_redis: EmbeddedRedis, tmp_path: Path) -> None:
    counted = Counted(make_server(tmp_path, symbols="SPX", redis_url=own_redis.url))
    assert counted.repeats(lambda: counted.client.get(LEVELS))

    own_redis.stop()

    # the version is taken as read for a hundredth of a second
    eventually(lambda: "X-Chain-Stale" in counted.client.get(LEVELS).headers, 2)


def test_a_foreign_host_name_is_refused_for_a_known_address_too(counted: Counted) -> None:
    assert counted.repeats(lambda: counted.client.get(LEVELS))

    for _ in range(2):
        assert counted.client.get(LEVELS, base_url="http://evil.example:8050").status_code == 400


def test_https_is_not_answered_what_http_was(counted: Counted) -> None:
    assert counted.repeats(lambda: counted.client.get(LEVELS))

    secure = counted.client.get(LEVELS, base_url="https://localhost")

    assert "Strict-Transport-Security" in secure.headers


def test_who_is_counted_goes_on_being_counted(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "REST", "3 per minute")
    assert counted.repeats(lambda: counted.client.get(LEVELS))

    distant = [counted.client.get(LEVELS, environ_base=DISTANT).status_code for _ in range(5)]

    assert distant == [200, 200, 200, 429, 429]


@pytest.mark.parametrize(
    "shown", [{"Cookie": "gex_session=x"}, {"Authorization": "Bearer gex_x"}, {"X-Request-Id": "one"}]
)
def test_who_shows_something_else_is_looked_at(counted: Counted, shown: dict[str, str]) -> None:
    assert counted.repeats(lambda: counted.client.get(LEVELS))
    before = counted.flask

    counted.client.get(LEVELS, headers=shown)

    assert counted.flask == before + 1


def test_a_private_server_looks_at_everybody(tmp_path: Path) -> None:
    counted = Counted(make_server(tmp_path, StandInBroker(), access="private", symbols="SPX"))
    script = key(owner(counted.server))

    assert not counted.repeats(lambda: counted.client.get(LEVELS, headers=script))
    assert counted.client.get(LEVELS).status_code == 401


def test_only_answers_that_a_version_determines_are_repeated(counted: Counted) -> None:
    for path in (
        "/api/v1/symbols",
        "/api/v1/gex/XYZ",
        "/api/v1/gex/SPX?side=x",
        "/metrics",
        "/api/v1/health",
    ):
        assert not counted.repeats(lambda path=path: counted.client.get(path))
    assert not counted.repeats(lambda: counted.client.head(LEVELS))


def test_repeated_answers_are_counted_like_all_others(counted: Counted) -> None:
    series = 'gex_http_requests_total{method="GET",route="/api/v1/gex/<symbol>/levels",status="200"}'

    def count() -> float:
        lines = counted.client.get("/metrics").text.splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(series)), 0.0)

    before = count()
    for _ in range(5):
        counted.client.get(LEVELS)

    assert count() == before + 5
