"""No exception of redis-py crosses the cache's edge."""

import pytest
import redis.exceptions as theirs

from app.cache.breaker import Breaker
from app.cache.failures import describe, translated
from app.errors import CacheError

EVERY_ERROR = [
    kind for kind in vars(theirs).values() if isinstance(kind, type) and issubclass(kind, Exception)
]


@pytest.mark.parametrize("kind", EVERY_ERROR, ids=lambda kind: kind.__name__)
def test_every_error_of_redis_py_becomes_a_cache_error(kind: type[Exception]) -> None:
    with pytest.raises(CacheError), translated(Breaker()):
        raise kind.__new__(kind)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (theirs.OutOfMemoryError("command not allowed when used memory > 'maxmemory'"), "full"),
        (theirs.ReadOnlyError("You can't write against a read only replica."), "read-only"),
        (theirs.AuthenticationError("WRONGPASS"), "password"),
        (theirs.TimeoutError("Timeout reading from socket"), "did not answer in time"),
        (ConnectionRefusedError(111, "refused"), "can't be reached"),
    ],
)
def test_an_error_says_what_is_wrong(error: Exception, words: str) -> None:
    assert words in str(describe(error))


def test_an_error_never_quotes_the_address_which_may_hold_a_password() -> None:
    error = theirs.ConnectionError("Error connecting to redis://:hunter22@db:6379")
    assert "hunter22" not in str(describe(error)) + describe(error).cure


def test_a_refused_command_does_not_count_against_the_server() -> None:
    breaker = Breaker(threshold=1)
    with pytest.raises(CacheError), translated(breaker):
        raise theirs.ReadOnlyError("read only")
    assert breaker.state == "closed"


def test_an_open_breaker_refuses_before_the_call() -> None:
    breaker = Breaker(threshold=1)
    breaker.failure()
    called = []
    with pytest.raises(CacheError), translated(breaker):
        called.append(1)
    assert not called
