"""Rules for the callback address, and who answers it."""

from pathlib import Path

import pytest

from app.access.callback import answered_by_server, callback_path, check_callback, listener_address
from app.settings import Settings, load_settings


def _settings(**given: object) -> Settings:
    return load_settings(_env_file=None, **given)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:8182", "https://127.0.0.1", "https://gex.example.com/login/callback"]
)
def test_a_callback_that_schwab_takes_has_no_warning(url: str) -> None:
    assert check_callback(url) == []


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://127.0.0.1:8182", "https"),
        ("https://localhost:8182", "localhost"),
        ("https://127.0.0.1:8182/", "slash"),
        ("https://127.0.0.1:8182/?a=b", "query"),
        ("https://127.0.0.1:8182, https://127.0.0.1", "comma"),
        ("https://" + "a" * 250 + ".example", "255"),
        ("https://me@127.0.0.1", "user name"),
        ("https://", "host"),
        ("https://127.0.0.1:99999", "not an address"),
        ("https://127.0.0.1:0", "port"),
        ("https://[::1", "not an address"),
    ],
)
def test_each_rule_of_schwab_is_named(url: str, word: str) -> None:
    said = check_callback(url)

    assert any(word in sentence for sentence in said), said
    assert all(sentence.startswith("SCHWAB_CALLBACK_URL") for sentence in said)


def test_the_loopback_callback_is_answered_by_the_listener() -> None:
    settings = _settings(schwab_callback_url="https://127.0.0.1:8182")

    assert listener_address(settings) == ("127.0.0.1", 8182)
    assert callback_path(settings) == "/"


def test_the_servers_own_public_address_needs_no_listener() -> None:
    settings = _settings(
        public_url="https://gex.example.com", schwab_callback_url="https://gex.example.com:443/back"
    )

    assert answered_by_server(settings)
    assert listener_address(settings) is None
    assert callback_path(settings) == "/back"


def test_nobody_listens_for_another_machines_address() -> None:
    assert listener_address(_settings(schwab_callback_url="https://elsewhere.example.com")) is None


def test_an_ipv6_loopback_callback_is_answered(tmp_path: Path) -> None:
    assert listener_address(_settings(schwab_callback_url="https://[::1]:8182")) == ("::1", 8182)
