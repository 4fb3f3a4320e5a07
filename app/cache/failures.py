"""Where errors of redis-py become CacheError, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis.exceptions as theirs

from app.cache.breaker import Breaker
from app.errors import CacheError, ForeignServer, ReadOnlyCache

# redis-py's exceptions have three roots beside RedisError.
REDIS_ERRORS: tuple[type[Exception], ...] = (
    theirs.RedisError,
    theirs.RedisClusterException,
    theirs.ChildDeadlockedError,
    theirs.IncorrectPolicyType,
    OSError,  # a socket that fails outside of redis-py's own reads and writes
)
# What says that the server is away or hung, as opposed to refusing one command.
_UNREACHABLE = (
    theirs.ConnectionError,
    theirs.TimeoutError,
    theirs.InvalidResponse,
    theirs.RedisClusterException,  # no node answers, or not all slots have one
    theirs.ClusterDownError,
    theirs.MasterDownError,
    OSError,
)

# The first class that fits decides, so the narrower come first.
_WORDS: list[tuple[type[Exception], str, str]] = [
    (theirs.BusyLoadingError, "Redis is still loading its data", ""),
    (theirs.AuthenticationError, "Redis refuses the password", "Correct the user and password in REDIS_URL."),
    (theirs.AuthorizationError, "Redis refuses this user", "Correct the user and password in REDIS_URL."),
    (theirs.MaxConnectionsError, "too many connections to Redis are open", ""),
    (theirs.TimeoutError, "Redis did not answer in time", ""),
    (theirs.ConnectionError, "Redis can't be reached", ""),
    (theirs.InvalidResponse, "what answers there is no Redis", ForeignServer.cure),
    (theirs.OutOfMemoryError, "Redis is full", "Raise its maxmemory, or follow fewer symbols."),
    (theirs.ReadOnlyError, "Redis is read-only", ReadOnlyCache.cure),
    (
        theirs.NoPermissionError,
        "Redis does not let this user do that",
        "Give the user of REDIS_URL read, write and scripting rights.",
    ),
    (theirs.ClusterDownError, "the Redis Cluster is down: not all of its slots are served", ""),
    (theirs.RedisClusterException, "the Redis Cluster can't be reached", ""),
    (theirs.MasterDownError, "Redis has lost its primary", ""),
    (TimeoutError, "Redis did not answer in time", ""),
    (OSError, "Redis can't be reached", ""),
]

# What callers tell from other failures.
_OURS: dict[type[Exception], type[CacheError]] = {
    theirs.ReadOnlyError: ReadOnlyCache,
    theirs.InvalidResponse: ForeignServer,
}

# Servers before Redis 7 wrap the error of a command inside a script into a plain ResponseError.
_IN_SCRIPT: dict[str, type[Exception]] = {
    "-OOM ": theirs.OutOfMemoryError,
    "-READONLY ": theirs.ReadOnlyError,
    "-NOPERM ": theirs.NoPermissionError,
}
# What redis-py has no class for, and what our own script says.
_CODES: dict[str, tuple[str, str]] = {
    "MISCONF": ("Redis can't save to its disk and takes no writes", "Free its disk, or look at its log."),
    "LOST the quotes": (
        "Redis evicts what it should keep",
        "Raise its maxmemory, or set its maxmemory-policy to noeviction.",
    ),
    "NOREPLICAS": ("Redis has too few replicas to take writes", "Bring its replicas back."),
}


@contextmanager
def translated(breaker: Breaker) -> Iterator[None]:
    """Run a call to Redis: refused at once while the breaker is open, its errors told to the breaker and raised as
    CacheError."""
    if not breaker.allow():
        raise CacheError("Redis does not answer; the next try is seconds away")
    try:
        yield
    except REDIS_ERRORS as error:
        if isinstance(error, _UNREACHABLE):
            breaker.failure()
        else:
            breaker.success()
        raise describe(error) from error
    except BaseException:
        # not about Redis, yet whoever tries a half-open breaker has to report
        breaker.success()
        raise
    breaker.success()


def describe(error: Exception) -> CacheError:
    """The CacheError that says what a redis-py error means. Never quotes an address: it may hold a password."""
    cause = _cause(error)
    kind_of_ours = next((ours for kind, ours in _OURS.items() if issubclass(cause, kind)), CacheError)
    for kind, words, cure in _WORDS:
        if issubclass(cause, kind):
            return kind_of_ours(words, cure=cure)
    for code, (words, cure) in _CODES.items():
        if code in str(error):
            return CacheError(words, cure=cure)
    return CacheError(f"Redis refuses the command ({type(error).__name__})")


def _cause(error: Exception) -> type[Exception]:
    if type(error) is theirs.ResponseError:
        return next((kind for code, kind in _IN_SCRIPT.items() if code in str(error)), type(error))
    return type(error)
