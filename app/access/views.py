"""The sign-in pages: /login, the way to Schwab and back, pasting the address, signing out, disconnecting."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from flask import Blueprint, make_response, redirect, request, send_from_directory
from flask.typing import ResponseReturnValue

from app.access.account import SIGN_IN, Trouble, asking, gate, render
from app.access.callback import check_callback, listener_address
from app.access.cures import CURES, SECTIONS
from app.access.gate import new_browser_id
from app.access.origin import own_origin
from app.access.pending import PENDING_LIFE_S
from app.access.recognition import browser_cookie, guest_cookie, session_cookie
from app.access.sessions import SESSION_LIFE_S, browser_kind
from app.access.visitor import visitor
from app.errors import AuthError, BrokerError, CacheError, GexError
from app.models import SchwabConnection, TokenLife

log = logging.getLogger(__name__)

LONGEST_ADDRESS = 4_000
_ASSETS = Path(__file__).resolve().parents[2] / "assets"

views = Blueprint(
    "access",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/login/static",
)


@views.get("/login/tokens.css")
def tokens() -> ResponseReturnValue:
    """The page's own colours, which a stranger's sign-in page needs as well."""
    return send_from_directory(_ASSETS, "tokens.css")


@views.get("/login")
def page() -> ResponseReturnValue:
    """The sign-in page."""
    return show()


@views.post("/login")
def begin() -> ResponseReturnValue:
    """Send the browser to Schwab."""
    browser = browser_cookie(gate().settings).read(request) or new_browser_id()
    try:
        address = gate().begin(browser, own_origin(request, gate().settings))
    except GexError as error:
        return _failed(error)
    response = make_response(redirect(address, code=303))
    browser_cookie(gate().settings).write(response, browser, PENDING_LIFE_S)
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
    """End this browser's session, or a guest's view. Schwab stays connected."""
    secret = session_cookie(gate().settings).read(request)
    try:
        gate().sessions.revoke(secret)
    except CacheError as error:
        return _failed(error)
    response = make_response(redirect(SIGN_IN, code=303))
    session_cookie(gate().settings).clear(response)
    guest_cookie(gate().settings).clear(response)
    return response


@views.post("/login/disconnect")
def disconnect() -> ResponseReturnValue:
    """Delete the Schwab tokens. Only for who is signed in, also where everyone may look."""
    try:
        if visitor().kind != "owner":
            return show(Trouble("Only the owner can disconnect Schwab.", "Sign in first."), 403)
        gate().broker.sign_out()
    except GexError as error:
        return _failed(error)
    log.info("Schwab was disconnected from the sign-in page")
    return redirect(SIGN_IN, code=303)


def _complete(address: str) -> ResponseReturnValue:
    try:
        kind = browser_kind(request.headers.get("User-Agent", ""))
        secret, target = gate().complete(address, browser_cookie(gate().settings).read(request), kind)
        gate().sessions.revoke(session_cookie(gate().settings).read(request))
    except GexError as error:
        return _failed(error)
    response = make_response(redirect(target, code=303))
    session_cookie(gate().settings).write(response, secret, SESSION_LIFE_S)
    browser_cookie(gate().settings).clear(response)
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
    who = asking()
    session = who is not None and who.kind == "owner"
    may_see = settings.is_public or session
    return render(
        "login.html",
        trouble,
        status,
        session=session,
        settings=settings,
        half_configured=_half_configured(),
        warnings=[] if settings.simulated else check_callback(settings.schwab_callback_url),
        listens=listener_address(settings) is not None,
        connection=_connection() if may_see else None,
        life=_life() if may_see else None,
        now=datetime.now(UTC),
        sections=SECTIONS,
    )


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
