"""Share links: the page on which the owner makes and revokes them, and the address at which they are redeemed."""

from __future__ import annotations

import logging
from urllib.parse import quote

from flask import Blueprint, make_response, redirect, request
from flask.typing import ResponseReturnValue

from app.access.account import SHARES, Trouble, asking, gate, instant, refused, render, status_of
from app.access.origin import own_origin
from app.access.recognition import guest_cookie
from app.access.shares import LIVES, LONGEST_LIFE_S, ShareLink
from app.access.visitor import Visitor
from app.errors import CacheError, GexError
from app.market.symbols import canonical

log = logging.getLogger(__name__)

share_views = Blueprint("access_shares", __name__)

_GONE = Trouble(
    "This link has ended, was revoked, or was copied incompletely.", "Ask its owner for a new one."
)


@share_views.get("/share/<token>")
def redeem(token: str) -> ResponseReturnValue:
    """Exchange a link for a cookie, and go on to the page: the secret leaves the address."""
    door = gate()
    try:
        link = door.shares.find(token)
        if link is None:
            return render("shared.html", _GONE, 404, pages=[])
        if door.settings.is_public or _is_owner():
            return _to(link)
        cookie = guest_cookie(door.settings)
        secret = door.guests.admit(link, cookie.read(request))
    except CacheError as error:
        return render("shared.html", Trouble(str(error), error.cure), 503, pages=[])
    response = make_response(_to(link))
    cookie.write(response, secret, LONGEST_LIFE_S)
    return response


def _is_owner() -> bool:
    who = asking()
    return who is not None and who.kind == "owner"


def _to(link: ShareLink) -> ResponseReturnValue:
    response = make_response(redirect(symbol_page(link.symbol), code=303))
    response.headers["Cache-Control"] = "no-store"
    return response


def symbol_page(symbol: str) -> str:
    """The address of a symbol's page, as components.controls has it."""
    return f"/gex/{quote(symbol.replace('/', '.'))}"


def shared_pages(guest: Visitor) -> list[tuple[str, str]]:
    """Symbols and addresses that a guest may open."""
    return [(symbol, symbol_page(symbol)) for symbol in guest.shared or ()]


def show_shared(guest: Visitor, trouble: Trouble, status: int) -> ResponseReturnValue:
    """A page that leads a guest back to what was shared."""
    return render("shared.html", trouble, status, pages=shared_pages(guest))


@share_views.get(SHARES)
def links() -> ResponseReturnValue:
    """The links there are."""
    return refused("makes share links") or _page()


@share_views.post(SHARES)
def make_link() -> ResponseReturnValue:
    """Make a link, and show it this once."""
    closed = refused("makes share links")
    if closed:
        return closed
    form = request.form
    try:
        symbol = canonical(form.get("symbol", ""))
        if symbol not in gate().followed():
            return _page(trouble=Trouble(f"{symbol} is not followed.", "Choose one of the list."), status=400)
        made = gate().shares.create(symbol, form.get("name", ""), form.get("life", ""))
    except GexError as error:
        return _page(trouble=Trouble(str(error), error.cure), status=status_of(error))
    log.info("a share link for %s was made", symbol)
    return _page(made=f"{own_origin(request, gate().settings)}/share/{made}", status=201)


@share_views.post(f"{SHARES}/revoke")
def revoke_link() -> ResponseReturnValue:
    """Revoke a link, and with it every view that it opened."""
    closed = refused("revokes share links")
    if closed:
        return closed
    try:
        gate().shares.revoke(request.form.get("id", ""))
    except GexError as error:
        return _page(trouble=Trouble(str(error), error.cure), status=status_of(error))
    log.info("a share link was revoked")
    return redirect(SHARES, code=303)


def _page(made: str = "", trouble: Trouble | None = None, status: int = 200) -> ResponseReturnValue:
    door = gate()
    try:
        listed = door.shares.all()
    except CacheError as error:
        listed, trouble, status = [], trouble or Trouble(str(error), error.cure), 503
    rows = [(link, instant(link.expires_at), instant(door.last_use.of(link.id))) for link in listed]
    return render(
        "shares.html",
        trouble,
        status,
        rows=rows,
        made=made,
        symbols=door.followed(),
        lives=LIVES,
        public=door.settings.is_public,
    )
