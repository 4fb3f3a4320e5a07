"""What the account's pages share: who may open them, how they are rendered, and the links between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from flask import current_app, g, make_response, render_template, request
from flask.typing import ResponseReturnValue

from app.access.gate import Gate
from app.access.visitor import Visitor, visitor
from app.errors import CacheError, GexError

EXTENSION = "gex-access"
THEME_COOKIE = "gex_theme"  # set by the page's theme switch; nothing but "light" or "dark" is believed
SIGN_IN, SHARES, KEYS, SESSIONS = "/login", "/login/shares", "/login/keys", "/login/sessions"


@dataclass(frozen=True)
class Trouble:
    """What the page shows in red: what happened and what helps."""

    message: str
    cure: str = ""


def gate() -> Gate:
    """The door of the server that handles the current request."""
    return cast(Gate, current_app.extensions[EXTENSION])


def asking() -> Visitor | None:
    """Who makes the current request; None while that can't be found out."""
    try:
        return visitor()
    except CacheError:
        return None


def account_links(who: Visitor | None) -> list[tuple[str, str]]:
    """Words and addresses of the account's pages that this visitor may use."""
    if who is None or who.kind != "owner":
        return [("Sign in", SIGN_IN)]
    return [("Account", SIGN_IN), ("Share links", SHARES), ("API keys", KEYS), ("Sessions", SESSIONS)]


def shared_words(who: Visitor | None) -> str:
    """What a guest's page says of itself, "" for everyone else."""
    if who is None or who.shared is None:
        return ""
    ends = {symbol: f"until {instant(at):%d %b %H:%M} UTC" for symbol, at in who.shared.items()}
    if len(ends) == 1:
        return f"Shared view, read-only, {ends.popitem()[1]}"
    return f"Shared view, read-only, {', '.join(f'{symbol} {end}' for symbol, end in ends.items())}"


def refused(what: str) -> ResponseReturnValue | None:
    """None for the owner; else a page that says so, also where everyone may look.

    Args:
        what: what only the owner does, as a verb: "manages API keys".
    """
    try:
        if visitor().kind == "owner":
            return None
    except CacheError as error:
        return render("refused.html", Trouble(str(error), error.cure), 503)
    return render("refused.html", Trouble(f"Only the owner {what}.", "Sign in first."), 403)


def render(
    template: str, trouble: Trouble | None = None, status: int = 200, **values: Any
) -> ResponseReturnValue:
    """One of the account's pages, in the theme that this browser chose. Never cached."""
    theme = request.cookies.get(THEME_COOKIE)
    text = render_template(
        template,
        trouble=trouble,
        theme=theme if theme in ("light", "dark") else "",
        links=account_links(asking()),
        here=request.path,
        simulated=gate().settings.simulated,
        **values,
    )
    response = make_response(text, status)
    response.headers["Cache-Control"] = "no-store"
    g.gex_account_page = True  # for app.access.headers: these have no scripts, and lead to Schwab
    return response


def instant(seconds: float | None) -> datetime | None:
    """A time as the pages show it, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def status_of(error: GexError) -> int:
    """The HTTP status of an error of ours on these pages."""
    return 503 if isinstance(error, CacheError) else 400
