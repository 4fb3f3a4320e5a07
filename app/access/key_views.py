"""The page on which the owner makes and revokes API keys."""

from __future__ import annotations

import logging

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from app.access.account import KEYS, Trouble, gate, instant, refused, render, status_of
from app.errors import CacheError, GexError

log = logging.getLogger(__name__)

key_views = Blueprint("access_keys", __name__)


@key_views.get(KEYS)
def keys() -> ResponseReturnValue:
    """The keys there are."""
    return refused("manages API keys") or _page()


@key_views.post(KEYS)
def make_key() -> ResponseReturnValue:
    """Make a key, and show it this once."""
    closed = refused("manages API keys")
    if closed:
        return closed
    scope = request.form.get("scope", "read")
    try:
        made = gate().keys.create(request.form.get("name", ""), scope)
    except GexError as error:
        return _page(trouble=Trouble(str(error), error.cure), status=status_of(error))
    log.info("an API key was made", extra={"scope": scope})
    return _page(made=made, status=201)


@key_views.post(f"{KEYS}/revoke")
def revoke_key() -> ResponseReturnValue:
    """Revoke a key."""
    closed = refused("manages API keys")
    if closed:
        return closed
    try:
        gate().keys.revoke(request.form.get("id", ""))
    except GexError as error:
        return _page(trouble=Trouble(str(error), error.cure), status=status_of(error))
    log.info("an API key was revoked")
    return redirect(KEYS, code=303)


def _page(made: str = "", trouble: Trouble | None = None, status: int = 200) -> ResponseReturnValue:
    door = gate()
    try:
        listed = door.keys.all()
    except CacheError as error:
        listed, trouble, status = [], trouble or Trouble(str(error), error.cure), 503
    rows = [(key, instant(key.created_at), instant(door.last_use.of(key.id))) for key in listed]
    return render("keys.html", trouble, status, rows=rows, made=made, home=request.host_url)
