"""How often one client may ask."""

from pathlib import Path

import pytest

from app.access.limits import Limit, client_of
from tests.webserver import StandInBroker, make_server


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    clock = Clock()
    limit = Limit(3, 0.5, clock)

    assert [limit.wait_s("a") for _ in range(4)] == [0, 0, 0, 2]
    clock.now += 2.0
    assert [limit.wait_s("a") for _ in range(2)] == [0, 2]


def test_clients_do_not_share_a_bucket() -> None:
    limit = Limit(1, 1.0, Clock())

    assert limit.wait_s("a") == 0
    assert limit.wait_s("b") == 0
    assert limit.wait_s("a") == 1


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("127.0.0.1", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (None, "unknown"),
    ],
)
def test_who_counts_as_one_client(address: str | None, client: str) -> None:
    assert client_of(address) == client


def test_a_stranger_cannot_flood_the_sign_in(tmp_path: Path) -> None:
    client = make_server(tmp_path, StandInBroker()).test_client()
    stranger = {"REMOTE_ADDR": "203.0.113.7"}

    answers = [client.post("/login", environ_base=stranger) for _ in range(30)]

    assert answers[0].status_code == 303
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert client.get("/login", environ_base=stranger).status_code == 200
    assert client.post("/login", environ_base={"REMOTE_ADDR": "203.0.113.8"}).status_code == 303


def test_scripts_on_this_machine_are_not_limited(tmp_path: Path) -> None:
    client = make_server(tmp_path).test_client()

    assert {client.get("/api/v1/health/live").status_code for _ in range(400)} == {200}


def test_a_wrong_method_is_counted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.access.throttle.REST", "3 per hour")
    client = make_server(tmp_path).test_client()
    distant = {"REMOTE_ADDR": "203.0.113.7"}

    answers = [client.put("/api/v1/health/live", environ_base=distant) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [405, 405, 405, 429, 429]


def test_a_distant_script_is_told_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.access.throttle.REST", "3 per hour")
    client = make_server(tmp_path).test_client()
    distant = {"REMOTE_ADDR": "203.0.113.7"}

    answers = [client.get("/api/v1/health/live", environ_base=distant) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].mimetype == "application/problem+json"
    assert int(answers[-1].headers["Retry-After"]) > 0
