"""What the demo leaves behind is worth nothing once the dashboard runs on a real account."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.services import build_services, demo_sign_in
from tests.feeding import default_settings_at, signed_in
from tests.simulation import simulator_in_a_thread
from tests.webserver import StandInBroker, make_server

pytestmark = pytest.mark.redis

READ = "/api/v1/cache/stats"


def _sign_in(client: FlaskClient) -> int:
    state = client.post("/login").headers["Location"].rpartition("state=")[2]
    return client.get(f"/login/callback?code=c&state={state}").status_code


def test_who_signed_in_to_the_simulator_is_nobody_at_schwab(tmp_path: Path, redis_url: str) -> None:
    shared = {"redis_url": redis_url, "access": "private"}
    visitor = make_server(
        tmp_path, StandInBroker(), schwab_api_url="http://127.0.0.1:1", **shared
    ).test_client()
    assert _sign_in(visitor) == 303
    assert visitor.get(READ).status_code == 200
    kept = visitor.get_cookie("gex_session")
    assert kept

    real = make_server(tmp_path, StandInBroker(customer="trader"), **shared)
    visitor = real.test_client()
    visitor.set_cookie("gex_session", kept.value)

    assert visitor.get(READ).status_code == 401
    assert _sign_in(real.test_client()) == 303


def test_two_demos_on_one_folder_keep_a_login_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.schwab.oauth._RECHECK_S", -1.0)  # look at what is kept at every question
    with simulator_in_a_thread() as one, simulator_in_a_thread() as other:
        demos = [
            build_services(
                default_settings_at(base, tmp_path, force_demo=True, redis_url="memory://", data_dir=tmp_path)
            )
            for base in (one, other)
        ]
        for demo in demos:
            sign_in = demo_sign_in(demo.settings, demo.oauth)
            assert sign_in
            sign_in()

        assert [signed_in(demo.oauth) for demo in demos] == [True, True]
