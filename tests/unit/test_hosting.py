"""What gunicorn is told, and what is refused before anything starts."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from app import hosting
from app.commands import run
from app.errors import SettingsError
from app.keeper import Kept, Plan, pause_s
from app.settings import Settings, get_settings, load_settings
from tests.webserver import StandInBroker, make_server

BROKER = {"schwab_app_key": "k" * 32, "schwab_app_secret": "s" * 16}


def settings(**given: object) -> Settings:
    return load_settings(_env_file=None, **given)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_memory_allows_one_worker_only() -> None:
    assert hosting.Hosting(settings(redis_url="memory://", workers=4), Plan()).workers == 1
    assert hosting.Hosting(settings(workers=3), Plan()).workers == 3
    assert 1 <= hosting.Hosting(settings(), Plan()).workers <= 4


def test_an_ipv6_host_is_written_in_brackets() -> None:
    assert hosting.address(settings(host="::1", port=9000)) == "[::1]:9000"


@pytest.mark.parametrize("bound", ["0.0.0.0:8050", "unix:/run/gex.sock", "[::]:8050", "10.0.0.4:80"])
def test_listening_beyond_what_host_says_is_refused(bound: str) -> None:
    with pytest.raises(SettingsError, match="HOST"):
        hosting.refuse_open_door(settings(), [bound])


def test_listening_beyond_host_is_the_users_choice_when_access_is_set() -> None:
    hosting.refuse_open_door(settings(access="private"), ["0.0.0.0:8050"])
    hosting.refuse_open_door(settings(access="public"), ["0.0.0.0:8050"])
    hosting.refuse_open_door(settings(trusted_proxies=1), ["unix:/run/gex.sock"])
    hosting.refuse_open_door(settings(), ["127.0.0.1:8050", "[::1]:8050"])


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"port": 9000}, "http://127.0.0.1:9000"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:8050"),  # noqa: S104
        ({"host": "::1"}, "http://[::1]:8050"),
        ({"host": "192.168.0.9"}, "http://192.168.0.9:8050"),
        ({"public_url": "https://gex.example.com/"}, "https://gex.example.com"),
    ],
)
def test_the_address_that_is_shown_is_one_that_a_browser_can_open(
    given: dict[str, object], address: str
) -> None:
    assert settings(**given).home == address


def test_credentials_end_the_demo_unless_it_is_forced() -> None:
    assert settings().demo
    assert not settings(**BROKER).demo
    assert settings(**BROKER, force_demo=True).demo
    assert settings(**BROKER, schwab_api_url="http://127.0.0.1:9").simulated
    assert not settings(**BROKER).simulated


def test_a_published_server_is_private() -> None:
    assert settings().is_public
    assert not settings(public_url="https://gex.example.com").is_public
    assert settings(public_url="http://127.0.0.1:8050").is_public
    assert settings(public_url="https://gex.example.com", access="public").is_public


def test_a_public_url_must_be_an_address() -> None:
    with pytest.raises(SettingsError, match="PUBLIC_URL"):
        settings(public_url="gex.example.com")


def test_a_name_that_is_not_ours_is_a_wrong_request_behind_a_proxy_too(tmp_path: Path) -> None:
    server = make_server(tmp_path, StandInBroker(), public_url="https://gex.example.com", trusted_proxies=1)
    answer = server.test_client().get("/login", base_url="http://evil.example")
    assert answer.status_code == 400


def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port}") as caught:
            run.check_port(settings(port=port))
    assert "PORT" in caught.value.cure


def test_a_host_that_is_not_this_machine_is_told() -> None:
    with pytest.raises(SettingsError, match="not an address"):
        run.check_port(settings(host="192.0.2.1"))


def test_the_plan_travels_as_text() -> None:
    plan = Plan("run/x", {"simulator": ["python", "-m", "app"]})
    assert Plan.from_argument(plan.to_argument()) == plan
    assert not Plan()


def test_pauses_between_restarts_grow_to_half_a_minute() -> None:
    assert [pause_s(n) for n in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert pause_s(50) == 30.0


@pytest.mark.parametrize(("given", "missing"), [("SCHWAB_APP_KEY", "SECRET"), ("SCHWAB_APP_SECRET", "KEY")])
def test_half_of_the_credentials_is_no_demo(
    monkeypatch: pytest.MonkeyPatch, given: str, missing: str, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(given, "x" * 32)
    get_settings.cache_clear()
    hosting.prepare.cache_clear()
    with pytest.raises(SettingsError, match=f"SCHWAB_APP_{missing} is not set"):
        hosting.prepare()
    get_settings.cache_clear()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Ended:
    """A process that has ended."""

    returncode = 1

    def poll(self) -> int:
        return 1


def test_a_child_that_ends_is_started_again_after_its_pause() -> None:
    clock, starts = Clock(), []
    kept = Kept("simulator", lambda: starts.append(1) or Ended(), clock)  # type: ignore[arg-type,return-value,func-returns-value]
    kept.start()
    kept.tend()
    kept.tend()
    assert len(starts) == 1, "not before the pause"
    clock.now = 0.5
    kept.tend()
    kept.tend()
    clock.now = 1.4
    kept.tend()
    assert len(starts) == 2, "the second pause is longer"
    clock.now = 1.5
    kept.tend()
    assert len(starts) == 3


def test_a_child_that_ran_for_long_is_started_again_quickly() -> None:
    clock, starts = Clock(), []
    kept = Kept("simulator", lambda: starts.append(1) or Ended(), clock)  # type: ignore[arg-type,return-value,func-returns-value]
    for _ in range(5):
        kept.start()
        clock.now += 60
        kept.tend()
        clock.now += 0.5
        kept.tend()
    assert len(starts) == 10


def test_the_password_of_redis_is_a_secret_too() -> None:
    assert settings(redis_url="redis://:hunter22@db:6379/0").secrets() == ["hunter22"]


def test_an_error_is_printed_in_one_line() -> None:
    assert SettingsError("a is wrong", cure="Set b.").line == "a is wrong. Set b."
    assert SettingsError("a\n is wrong").line == "a is wrong"


def test_a_ctrl_c_that_falls_into_a_finaliser_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    class Ends:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def work() -> None:
        with hosting.breakable():
            made = Ends()
            del made
            went_on.append("Python passes over what a finaliser raises")

    went_on: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work()
    assert went_on
    assert "Traceback" not in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
