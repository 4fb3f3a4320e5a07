"""REDIS_URL's forms."""

import pytest

from app.cache import open_store
from app.errors import SettingsError
from app.redis_address import parse_redis_url
from app.settings import load_settings


def test_sentinels_with_everything() -> None:
    found = parse_redis_url(
        "rediss+sentinel://app:pa%24s@s1:26379,s2,[::1]:26400/gex?db=2&sentinel_password=watch&ssl_cert_reqs=none"
    )
    assert found.kind == "sentinel"
    assert found.nodes == (("s1", 26379), ("s2", 26379), ("::1", 26400))
    assert found.service == "gex"
    assert found.sentinel_login == ("", "watch")
    assert found.url == "rediss://app:pa%24s@s1:26379?db=2&ssl_cert_reqs=none"
    assert set(found.passwords) == {"pa%24s", "pa$s", "watch"}


def test_a_cluster_with_a_password() -> None:
    found = parse_redis_url("redis+cluster://:secret@a:7000,b:7001")
    assert (found.kind, found.nodes) == ("cluster", (("a", 7000), ("b", 7001)))
    assert found.url == "redis://:secret@a:7000"


@pytest.mark.parametrize(
    "url", ["redis://h:6379/0", "rediss://:pw@h", "unix:///tmp/redis.sock?db=1", "memory://"]
)
def test_one_server_is_left_as_it_is(url: str) -> None:
    found = parse_redis_url(url)
    assert (found.url, found.nodes) == (url, ())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:6379", "not an address"),
        ("http://redis", "not an address"),
        ("redis+sentinel://:hunter22@s1,s2", "the Sentinels watch"),
        ("redis+sentinel://:hunter22@s1,s2/", "the Sentinels watch"),
        ("redis+sentinel://:hunter22@s1:99999/gex", "HOST:PORT"),
        ("redis+sentinel://:hunter22@s1/gex?db=x", "number"),
        ("redis+sentinel:///gex", "HOST:PORT"),
        ("redis+cluster://:hunter22@", "HOST:PORT"),
        ("redis+cluster://:hunter22@a:b", "HOST:PORT"),
        ("redis+cluster://:hunter22@a:7000/3", "database 0"),
        ("redis+cluster://:hunter22@a:7000?db=1", "database 0"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=f"REDIS_URL: .*{words}") as caught:
        load_settings(redis_url=url)
    assert "hunter22" not in str(caught.value)


def test_every_password_of_the_address_is_kept_from_the_log() -> None:
    url = "redis+sentinel://:one@s1/gex?sentinel_password=two"
    assert {"one", "two"} <= set(load_settings(redis_url=url).secrets())


@pytest.mark.parametrize(
    "url",
    [
        "rediss+sentinel://app:pw@s1,s2/gex?db=2&sentinel_password=watch&ssl_ca_certs=/ca.pem",
        "rediss+cluster://app:pw@a:7000,b:7001?ssl_cert_reqs=none&ssl_check_hostname=false",
    ],
)
def test_a_store_takes_them_with_tls_and_connects_to_nothing(url: str) -> None:
    open_store(url).close()
