"""Every route is closed unless it is listed as open: what a request has to show before any view runs."""

from __future__ import annotations

from flask import Flask, Response, make_response, redirect, request
from flask.typing import ResponseReturnValue

from app.access import throttle
from app.access.account import Trouble, gate
from app.access.callback import answered_by_server, callback_path
from app.access.gate import new_browser_id
from app.access.guests import CALLBACK, may_ask
from app.access.limits import client_of
from app.access.origin import SAFE_METHODS, is_cross_site, is_trusted, own_origin, trusted_hosts
from app.access.pending import PENDING_LIFE_S
from app.access.recognition import browser_cookie, recognise, takes_keys
from app.access.share_views import shared_pages, show_shared
from app.access.views import callback, show
from app.access.visitor import RESOLVER, Visitor, not_shared, require_manage, visitor
from app.api.problems import ApiError, respond, under_api
from app.cache.base import Store
from app.errors import CacheError
from app.settings import Settings

# Endpoints that need no sign-in: the sign-in itself, share links, their style sheets, and what a supervisor asks.
OPEN = frozenset(
    {
        "access.page",
        "access.begin",
        "access.callback",
        "access.paste",
        "access.sign_out",
        "access.static",
        "access.tokens",
        "access_shares.redeem",
        "status.live",
        "status.ready",
    }
)
# Where a wrong method is told so, instead of asking who comes.
OPEN_PATHS = frozenset({"/api/v1/health/live", "/api/v1/health/ready"})
_WAIT_S = 2


def install(server: Flask, settings: Settings, store: Store) -> None:
    """Check every request of the server before its view."""
    names = trusted_hosts(settings)
    server.extensions[RESOLVER] = lambda: recognise(gate(), request)
    server.before_request(lambda: None if is_trusted(request.host, names) else _wrong_host())
    server.before_request(_screen)
    throttle.install(server, settings.redis_url, store)
    server.before_request(_admit)


def _screen() -> ResponseReturnValue | None:
    """What is refused whoever asks."""
    if request.method not in SAFE_METHODS and is_cross_site(request, own_origin(request, gate().settings)):
        return respond(
            ApiError(403, "Another site's page made this request.", cure="Use this server's own pages.")
        )
    client = client_of(request.remote_addr)
    waiting = gate().questions.wait_s(client) if client and request.path == CALLBACK else 0
    if waiting:
        return respond(ApiError(429, "Too many requests.", cure="Wait, then go on.", retry_after_s=waiting))
    return None


def _admit() -> ResponseReturnValue | None:
    settings = gate().settings
    if _is_callback(settings):
        return callback()
    if request.endpoint in OPEN or (request.endpoint is None and request.path in OPEN_PATHS):
        return None
    try:
        return _judge(settings)
    except CacheError as error:
        return _cannot_judge(error)


def _judge(settings: Settings) -> ResponseReturnValue | None:
    changes = request.method not in SAFE_METHODS and request.routing_exception is None
    if changes and under_api(request):
        require_manage()
    if settings.is_public:
        return None
    asking = visitor()
    if asking.kind == "guest":
        return None if may_ask(asking, request, gate().followed()) else _not_shared(asking)
    return _refuse() if asking.kind == "stranger" else None


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
        or takes_keys(request)
        or request.path.startswith(("/_", "/assets/"))
    ):
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _refuse() -> ResponseReturnValue:
    if not _is_page():
        cure = "Sign in at /login, or send an API key: Authorization: Bearer gex_..."
        return respond(ApiError(401, "You are not signed in.", cure=cure), {"WWW-Authenticate": "Bearer"})
    response = make_response(redirect("/login", code=303))
    cookie = browser_cookie(gate().settings)
    browser = cookie.read(request) or new_browser_id()
    gate().pending.remember_target(browser, request.full_path.rstrip("?"))
    cookie.write(response, browser, PENDING_LIFE_S)
    response.headers["Cache-Control"] = "no-store"
    return response


def _not_shared(guest: Visitor) -> ResponseReturnValue:
    """A guest's way back to what was shared."""
    if not _is_page():
        return respond(ApiError(403, not_shared(guest), cure="Ask the owner for another link."))
    if request.path == "/":
        return redirect(shared_pages(guest)[0][1], code=303)
    return show_shared(guest, Trouble(not_shared(guest), "Ask the owner for another link."), 403)


def _cannot_judge(error: CacheError) -> ResponseReturnValue:
    message = f"Who you are can't be checked now. {error}"
    if _is_page():
        return show(Trouble(message, error.cure), 503)
    return respond(ApiError(503, message, cure=error.cure, retry_after_s=_WAIT_S))
