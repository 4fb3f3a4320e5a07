"""Which requests count as another site's, and which host names are ours."""

import pytest
from flask import Flask, request

from app.access.origin import is_cross_site, is_trusted, own_origin, trusted_hosts
from app.settings import Settings, load_settings


def _settings(**given: object) -> Settings:
    return load_settings(_env_file=None, **given)


@pytest.mark.parametrize(
    ("headers", "cross"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8050"}, True),
        ({"Origin": "http://127.0.0.1:8050"}, False),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "http://127.0.0.1:8051"}, True),
        ({"Origin": "https://127.0.0.1:8050"}, True),
        ({"Origin": "null"}, True),
        ({}, False),
    ],
)
def test_a_post_of_another_site_is_recognised(headers: dict[str, str], cross: bool) -> None:
    with Flask("t").test_request_context(
        "/login", method="POST", base_url="http://127.0.0.1:8050", headers=headers
    ):
        assert is_cross_site(request, own_origin(request, _settings())) is cross


def test_reading_is_never_cross_site() -> None:
    with Flask("t").test_request_context("/", headers={"Sec-Fetch-Site": "cross-site"}):
        assert not is_cross_site(request, "http://localhost")


def test_the_public_address_makes_a_request_secure_behind_a_proxy_that_says_nothing() -> None:
    settings = _settings(public_url="https://gex.example.com")
    with Flask("t").test_request_context("/", base_url="http://gex.example.com"):
        assert own_origin(request, settings) == "https://gex.example.com"
    with Flask("t").test_request_context("/", base_url="http://127.0.0.1:8050"):
        assert own_origin(request, settings) == "http://127.0.0.1:8050"


def test_on_loopback_only_loopback_names_are_trusted() -> None:
    assert trusted_hosts(_settings()) == ["127.0.0.1", "localhost", "[::1]", "127.0.0.1"]


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("127.0.0.1:8050", True),
        ("localhost", True),
        ("LocalHost:1", True),
        ("[::1]:8050", True),
        ("[::1]", True),
        ("gex.example", True),
        ("a.b.lan:8050", True),
        ("lan", False),
        ("[::2]", False),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("gex.example.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("127.0.0.1:8050:evil.example", False),
        ("", False),
    ],
)
def test_a_host_is_trusted_by_its_name_alone(host: str, trusted: bool) -> None:
    names = trusted_hosts(_settings(trusted_hosts="gex.example, .lan"))

    assert is_trusted(host, names) is trusted
    assert is_trusted(host, None)


def test_named_hosts_are_trusted_as_well() -> None:
    hosts = trusted_hosts(_settings(public_url="https://a.example", trusted_hosts="b.example, c.example"))

    assert hosts is not None
    assert {"a.example", "b.example", "c.example", "127.0.0.1"} <= set(hosts)


def test_beyond_loopback_without_a_public_address_any_name_may_do() -> None:
    assert trusted_hosts(_settings(host="0.0.0.0")) is None  # noqa: S104
