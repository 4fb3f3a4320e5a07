"""The sign-in pages: /login, the way to Schwab and back, pasting the address, signing out, disconnecting."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.access.callback import check_callback, listener_address
from app.access.cures import CURES, SECTIONS
from app.access.gate import Gate, new_browser_id
from app.access.origin import Cookie, is_secure, own_origin
from app.access.pending import PENDING_LIFE_S
from app.access.sessions import SESSION_LIFE_S, Session
from app.errors import AuthError, BrokerError, CacheError, GexError
from app.models import SchwabConnection, TokenLife

log = logging.getLogger(__name__)

EXTENSION = "gex-access"
LONGEST_ADDRESS = 4_000

views = Blueprint(
    "access",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/login/static",
)


@dataclass(frozen=True)
class Trouble:
    """What the page shows in red: what happened and what helps."""

    message: str
    cure: str = ""


def gate() -> Gate:
    """The door of the server that handles the current request."""
    return cast(Gate, current_app.extensions[EXTENSION])


def session_cookie() -> Cookie:
    return Cookie("gex_session", lambda: is_secure(request, gate().settings))


def browser_cookie() -> Cookie:
    """What binds a login to the browser that began it."""
    return Cookie("gex_browser", lambda: is_secure(request, gate().settings))


def current_session() -> Session | None:
    """Who is signed in on this request. Raises CacheError when that can't be found out."""
    if "gex_session" not in g:
        g.gex_session = gate().sessions.find(session_cookie().read(request))
    return cast("Session | None", g.gex_session)


@views.get("/login")
def page() -> ResponseReturnValue:
    """The sign-in page."""
    return show()


@views.post("/login")
def begin() -> ResponseReturnValue:
    """Send the browser to Schwab."""
    browser = browser_cookie().read(request) or new_browser_id()
    try:
        address = gate().begin(browser, own_origin(request, gate().settings))
    except GexError as error:
        return _failed(error)
    response = make_response(redirect(address, code=303))
    browser_cookie().write(response, browser, PENDING_LIFE_S)
    return response


@views.get("/login/callback")
def callback() -> ResponseReturnValue:
    """Where Schwab, or the listener on the callback's port, sends the browser back to."""
    if "error" in request.args:
        return show(Trouble("Schwab sent you back without a login.", CURES["login_refused"].cure), 400)
    elsewhere = _begun_elsewhere()
    if elsewhere:
        query = request.query_string.decode("ascii", "replace")
        return redirect(f"{elsewhere}/login/callback?{query}", code=303)
    return _complete("?" + request.query_string.decode("ascii", "replace"))


def _begun_elsewhere() -> str:
    """The name of ours under which this browser began, when it comes back under another: cookies don't follow it there.

    So it is with localhost, whose name Schwab's callback can't have.
    """
    try:
        origin = gate().origin_of(request.args.get("state", ""))
    except CacheError:
        return ""
    return "" if origin == own_origin(request, gate().settings) else origin


@views.post("/login/paste")
def paste() -> ResponseReturnValue:
    """The same with the address that a person copied from the address bar."""
    address = request.form.get("address", "")[:LONGEST_ADDRESS]
    return _complete(address)


@views.post("/logout")
def sign_out() -> ResponseReturnValue:
    """End this browser's session. Schwab stays connected."""
    secret = session_cookie().read(request)
    try:
        gate().sessions.revoke(secret)
    except CacheError as error:
        return _failed(error)
    response = make_response(redirect("/login", code=303))
    session_cookie().clear(response)
    return response


@views.post("/login/disconnect")
def disconnect() -> ResponseReturnValue:
    """Delete the Schwab tokens. Only for who is signed in, also where everyone may look."""
    try:
        if current_session() is None:
            return show(Trouble("Only the owner can disconnect Schwab.", "Sign in first."), 403)
        gate().broker.sign_out()
    except GexError as error:
        return _failed(error)
    log.info("Schwab was disconnected from the sign-in page")
    return redirect("/login", code=303)


def _complete(address: str) -> ResponseReturnValue:
    try:
        secret, target = gate().complete(address, browser_cookie().read(request))
        gate().sessions.revoke(session_cookie().read(request))
    except GexError as error:
        return _failed(error)
    response = make_response(redirect(target, code=303))
    session_cookie().write(response, secret, SESSION_LIFE_S)
    browser_cookie().clear(response)
    return response


def _failed(error: GexError) -> ResponseReturnValue:
    log.warning("sign-in failed: %s", error)
    status = 400
    if isinstance(error, BrokerError):
        status = 502
    elif isinstance(error, CacheError):
        status = 503
    elif not isinstance(error, AuthError):
        status = 500
    return show(Trouble(str(error), error.cure), status)


def show(trouble: Trouble | None = None, status: int = 200) -> ResponseReturnValue:
    """The sign-in page, with what went wrong on it."""
    settings = gate().settings
    session = _session_or_none()
    may_see = settings.is_public or session is not None
    text = render_template(
        "login.html",
        trouble=trouble,
        session=session,
        settings=settings,
        simulated=settings.simulated,
        half_configured=_half_configured(),
        warnings=[] if settings.simulated else check_callback(settings.schwab_callback_url),
        listens=listener_address(settings) is not None,
        connection=_connection() if may_see else None,
        life=_life() if may_see else None,
        now=datetime.now(UTC),
        sections=SECTIONS,
    )
    response = make_response(text, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _session_or_none() -> Session | None:
    try:
        return current_session()
    except CacheError:
        return None


def _life() -> TokenLife | None:
    try:
        return gate().broker.life()
    except GexError:
        return None


def _connection() -> SchwabConnection | None:
    try:
        return gate().connection()
    except CacheError:
        return None


def _half_configured() -> str:
    """Which of key and secret is missing while the other is there: "" when none or both are."""
    settings = gate().settings
    key, secret = settings.schwab_app_key.get_secret_value(), settings.schwab_app_secret.get_secret_value()
    if bool(key) == bool(secret):
        return ""
    return "SCHWAB_APP_SECRET" if key else "SCHWAB_APP_KEY"
