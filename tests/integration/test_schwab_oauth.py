"""The Schwab login against the simulator: exchange, renewal, refusal, and one renewal at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.errors import AuthError, BrokerError, SignInNeeded
from app.schwab.oauth import OAuth
from app.simulator.control import Control
from app.simulator.person import approve
from tests.feeding import oauth_at, sign_in, signed_in, signed_in_at
from tests.simulation import running_simulator
from tests.support import eventually

DAY_S = 86_400


class Clock:
    """The wall clock, moved by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator("--symbols", "AAPL", "--rate-limit", "0") as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def oauth(base: str, tmp_path: Path, clock: Clock) -> OAuth:
    """A login that was just made."""
    return signed_in_at(base, tmp_path, clock=clock)


def accepted(base: str, token: str) -> bool:
    """Whether the server takes this access token."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{base}/trader/v1/userPreference", headers=headers, timeout=5).status_code == 200


def test_a_sign_in_brings_a_token_that_the_server_takes(base: str, oauth: OAuth) -> None:
    assert accepted(base, oauth.access_token())
    assert signed_in(oauth)
    assert len(oauth.customer_id()) == 64


def test_pkce_is_checked_end_to_end(tmp_path: Path) -> None:
    with running_simulator("--symbols", "AAPL", "--pkce", "check") as url:
        oauth = oauth_at(url, tmp_path)
        login = oauth.authorize()
        code, _ = OAuth.read_redirect(approve(login.url))
        with pytest.raises(AuthError):
            oauth.exchange(code, "x" * 64)
        sign_in(oauth)
        assert signed_in(oauth)


def test_without_pkce_no_challenge_is_sent(base: str, tmp_path: Path) -> None:
    login = oauth_at(base, tmp_path, pkce=False).authorize()
    assert login.code_verifier is None
    assert "code_challenge" not in login.url


def test_the_login_is_shared_by_every_process(base: str, oauth: OAuth, tmp_path: Path) -> None:
    assert oauth_at(base, tmp_path).access_token() == oauth.access_token()


def test_the_login_of_another_app_or_server_is_never_used(oauth: OAuth, tmp_path: Path) -> None:
    other = oauth_at("http://127.0.0.1:9", tmp_path)
    with pytest.raises(SignInNeeded):
        other.access_token()
    assert not signed_in(other)


def test_without_a_login_the_error_says_where_to_sign_in(base: str, tmp_path: Path) -> None:
    oauth = oauth_at(base, tmp_path)
    with pytest.raises(SignInNeeded) as caught:
        oauth.access_token()
    assert "/login" in caught.value.cure
    assert oauth.life().refresh_expires_at is None


def test_a_wrong_secret_names_the_settings(base: str, tmp_path: Path) -> None:
    oauth = oauth_at(base, tmp_path, app_secret="not-the-secret")
    code, _ = OAuth.read_redirect(approve(oauth.authorize().url))
    with pytest.raises(AuthError) as caught:
        oauth.exchange(code)
    assert caught.value.code == "bad_key"
    assert "SCHWAB_APP_SECRET" in caught.value.cure
    assert "Ready For Use" in caught.value.cure


def test_a_code_is_good_once(base: str, tmp_path: Path) -> None:
    oauth = oauth_at(base, tmp_path)
    login = oauth.authorize()
    code, _ = OAuth.read_redirect(approve(login.url))
    oauth.exchange(code, login.code_verifier)
    with pytest.raises(AuthError) as caught:
        oauth.exchange(code, login.code_verifier)
    assert caught.value.code == "bad_code"


def test_the_token_is_renewed_ahead_of_its_end_and_the_seven_days_stay(oauth: OAuth, clock: Clock) -> None:
    before, life = oauth.access_token(), oauth.life()
    clock.ahead = 1400
    assert oauth.access_token() == before
    clock.ahead = 1600
    after = oauth.access_token()
    assert after != before
    assert oauth.life().refresh_expires_at == life.refresh_expires_at
    assert life.signed_in_at is not None
    assert life.refresh_expires_at is not None
    assert (life.refresh_expires_at - life.signed_in_at).days == 7


def test_many_processes_renew_once(
    base: str, oauth: OAuth, clock: Clock, control: Control, tmp_path: Path
) -> None:
    before = control.state()["refreshes"]
    clock.ahead = 1700
    others = [oauth_at(base, tmp_path, clock=clock) for _ in range(8)]
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda o=o: tokens.append(o.access_token())) for o in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(tokens) == 8
    assert len(set(tokens)) == 1
    assert control.state()["refreshes"] - before == 1


def test_a_refused_token_is_renewed_once_and_then_reported(base: str, oauth: OAuth, control: Control) -> None:
    before = control.state()["refreshes"]
    first = oauth.access_token()
    oauth.reject(first)
    second = oauth.access_token()
    assert second != first
    assert accepted(base, second)
    oauth.reject(second)
    with pytest.raises(AuthError) as caught:
        oauth.access_token()
    assert caught.value.code == "not_authorized"
    assert control.state()["refreshes"] - before == 1


def test_a_login_that_is_over_asks_for_a_person_and_leaves_schwab_alone(
    base: str, oauth: OAuth, clock: Clock, control: Control, tmp_path: Path
) -> None:
    control.expire("refresh")
    clock.ahead = 1700
    with pytest.raises(SignInNeeded) as caught:
        oauth.access_token()
    assert caught.value.code == "login_expired"
    asked = control.state()["requests"]["/v1/oauth/token"]
    for other in (oauth, oauth_at(base, tmp_path, clock=clock)):
        with pytest.raises(SignInNeeded):
            other.access_token()
        assert not signed_in(other)
    assert control.state()["requests"]["/v1/oauth/token"] == asked
    sign_in(oauth)
    assert signed_in(oauth)


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_while_the_old_token_lives_an_outage_costs_nothing(
    oauth: OAuth, clock: Clock, control: Control, status: int
) -> None:
    before = oauth.access_token()
    control.fail(status, path="/v1/oauth/token")
    clock.ahead = 1700
    assert oauth.access_token() == before
    clock.ahead = 1801
    with pytest.raises(BrokerError) as caught:
        oauth.access_token()
    assert caught.value.cure
    control.clear()
    assert oauth.access_token() != before


def test_signing_out_reaches_every_process(base: str, oauth: OAuth, tmp_path: Path) -> None:
    other = oauth_at(base, tmp_path)
    assert signed_in(other)
    oauth.sign_out()
    eventually(lambda: not signed_in(other), 5)


def test_nobody_listening_is_a_broker_error(tmp_path: Path) -> None:
    with pytest.raises(BrokerError) as caught:
        oauth_at("http://127.0.0.1:9", tmp_path).exchange("code@")
    assert caught.value.code == "unreachable"
