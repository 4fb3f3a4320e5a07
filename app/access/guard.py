"""Every route is closed unless it is listed as open: what a request has to show before any view runs."""

from __future__ import annotations

from flask import Flask, Response, make_response, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import SecurityError

from app.access.callback import answered_by_server, callback_path
from app.access.gate import new_browser_id
from app.access.limits import client_of
from app.access.origin import SAFE_METHODS, is_cross_site, own_origin, trusted_hosts
from app.access.pending import PENDING_LIFE_S
from app.access.views import Trouble, browser_cookie, callback, current_session, gate, show
from app.api.problems import ApiError, respond, under_api
from app.errors import CacheError
from app.settings import Settings

# Endpoints that need no sign-in: the sign-in itself, its style sheet, and what a supervisor asks.
OPEN = frozenset(
    {
        "access.page",
        "access.begin",
        "access.callback",
        "access.paste",
        "access.sign_out",
        "access.static",
        "status.live",
        "status.ready",
    }
)
_WAIT_S = 2


def install(server: Flask, settings: Settings) -> None:
    """Check every request of the server before its view."""
    server.config["TRUSTED_HOSTS"] = trusted_hosts(settings)
    server.before_request(_check)


def _check() -> ResponseReturnValue | None:
    settings = gate().settings
    if isinstance(request.routing_exception, SecurityError):
        return _wrong_host()
    if is_cross_site(request, own_origin(request, settings)):
        return respond(
            ApiError(403, "Another site's page made this request.", cure="Use this server's own pages.")
        )
    waiting = _too_many()
    if waiting:
        return respond(ApiError(429, "Too many requests.", cure="Wait, then go on.", retry_after_s=waiting))
    if _is_callback(settings):
        return callback()
    if settings.is_public or request.endpoint in OPEN:
        return None
    try:
        return None if _has_key() or current_session() else _refuse()
    except CacheError as error:
        return _cannot_judge(error)


def _too_many() -> int:
    """Seconds that this client has to wait, 0 when it may go on."""
    client = client_of(request.remote_addr)
    if not client:
        return 0
    if under_api(request):
        return gate().requests.wait_s(client)
    signing_in = request.method == "POST" or request.endpoint == "access.callback"
    return gate().sign_ins.wait_s(client) if signing_in and request.path.startswith("/login") else 0


def _has_key() -> bool:
    """Whether a script shows an API key that is good for this request: reading REST."""
    if not under_api(request) or request.method not in SAFE_METHODS:
        return False
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and gate().keys.find(secret.strip()) is not None


def _is_callback(settings: Settings) -> bool:
    """Whether Schwab sent this browser back to the server's own address, whatever its path."""
    return (
        answered_by_server(settings)
        and request.path == callback_path(settings)
        and request.method == "GET"
        and "state" in request.args
    )


def _wrong_host() -> Response:
    cure = "Open it under its own address, or name this one in PUBLIC_URL or TRUSTED_HOSTS."
    return respond(ApiError(400, "This server doesn't go by that host name.", cure=cure))


def _is_page() -> bool:
    """Whether a person's browser asks for a page, which is sent to sign in, rather than a program for data."""
    if (
        request.method not in ("GET", "HEAD")
        or under_api(request)
        or request.path.startswith(("/_", "/assets/"))
    ):
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _refuse() -> ResponseReturnValue:
    if not _is_page():
        cure = "Sign in at /login, or send an API key: Authorization: Bearer gex_..."
        return respond(ApiError(401, "You are not signed in.", cure=cure), {"WWW-Authenticate": "Bearer"})
    response = make_response(redirect("/login", code=303))
    browser = browser_cookie().read(request) or new_browser_id()
    gate().pending.remember_target(browser, request.full_path.rstrip("?"))
    browser_cookie().write(response, browser, PENDING_LIFE_S)
    response.headers["Cache-Control"] = "no-store"
    return response


def _cannot_judge(error: CacheError) -> ResponseReturnValue:
    message = f"Who you are can't be checked now. {error}"
    if _is_page():
        return show(Trouble(message, error.cure), 503)
    return respond(ApiError(503, message, cure=error.cure, retry_after_s=_WAIT_S))
