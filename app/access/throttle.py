"""How often one client may ask, counted in Redis for all workers by Flask-Limiter; in this process while Redis is away.

Only what a person or a script asks now and then is counted there: signing in, share links, the account's pages, REST. The
page's own question comes once a second from every tab, and is counted in the process (app.access.limits): it must not
wait for one more answer of Redis.
"""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Request, Response, request
from flask_limiter import Limiter, RequestLimit
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.access.limits import client_of
from app.access.visitor import visitor
from app.api.problems import ApiError, respond, under_api
from app.cache.base import Store
from app.errors import CacheError

SIGN_IN = "20 per minute"
SHARE = "30 per minute"
REST = "1000 per 10 second"
IN_PROCESS = "memory://"
_TIMEOUT_S = 0.25
_OURS = ("redis://", "rediss://", "unix://")


def install(server: Flask, redis_url: str, store: Store) -> None:
    """Limit every request from here on. Call it after whatever finds out who asks.

    Args:
        redis_url: where to count. Addresses that the counting library doesn't share with us (Sentinel, Cluster) and
            memory:// count in each worker.
    """
    shared = store.backend != "memory" and redis_url.startswith(_OURS)
    limiter = _Counter(
        key_func=_client,
        application_limits=[lambda: rate_of(request)],
        storage_uri=redis_url.replace("unix://", "redis+unix://", 1) if shared else IN_PROCESS,
        storage_options=_patience() if shared else {},
        strategy="sliding-window-counter",
        in_memory_fallback_enabled=True,
        on_breach=_too_many,
        key_prefix="gex",
        request_identifier=_identify,
    )
    limiter.init_app(server)


class _Counter(Limiter):
    """Flask-Limiter, asked only for requests that are counted: to find out that none applies costs it as much as a view."""

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        if not _uncounted():
            super()._check_request_limit(callable_name, in_middleware)


def _patience() -> dict[str, Any]:
    return {
        "socket_timeout": _TIMEOUT_S,
        "socket_connect_timeout": _TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "client_name": "gex-limits",
    }


def rate_of(asked: Request) -> str:
    """The limit that a request falls under, "" for none."""
    if under_api(asked) or asked.path == "/metrics":
        return REST
    if asked.path.startswith("/share/"):
        return SHARE
    signing_in = asked.method == "POST" or asked.endpoint == "access.callback"
    return SIGN_IN if signing_in and asked.path.startswith(("/login", "/logout")) else ""


def _identify() -> str:
    return request.endpoint or "none"  # a path asked with a wrong method has no endpoint, and is counted too


def _uncounted() -> bool:
    return not client_of(request.remote_addr) or not rate_of(request)


def _client() -> str:
    """Whose requests are added up: a key's, wherever they come from, else an address's."""
    try:
        asking = visitor()
    except CacheError:
        return client_of(request.remote_addr)
    return f"key {asking.id}" if asking.kind == "key" else client_of(request.remote_addr)


def _too_many(breached: RequestLimit) -> Response:
    wait_s = max(1, int(breached.reset_at - time.time()) + 1)
    return respond(ApiError(429, "Too many requests.", cure="Wait, then go on.", retry_after_s=wait_s))
