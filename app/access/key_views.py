"""The page on which the owner makes and revokes API keys."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from flask import Blueprint, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.access.views import Trouble, current_session, gate, show
from app.errors import CacheError, GexError

log = logging.getLogger(__name__)

key_views = Blueprint("access_keys", __name__)


@key_views.get("/login/keys")
def keys() -> ResponseReturnValue:
    """The keys there are."""
    return _guarded() or _page()


@key_views.post("/login/keys")
def make_key() -> ResponseReturnValue:
    """Make a key, and show it this once."""
    refused = _guarded()
    if refused:
        return refused
    try:
        made = gate().keys.create(request.form.get("name", ""))
    except GexError as error:
        return _page(trouble=Trouble(str(error), error.cure), status=_status(error))
    log.info("an API key was made")
    return _page(made=made, status=201)


@key_views.post("/login/keys/revoke")
def revoke_key() -> ResponseReturnValue:
    """Revoke a key."""
    refused = _guarded()
    if refused:
        return refused
    try:
        gate().keys.revoke(request.form.get("id", ""))
    except GexError as error:
        return _page(trouble=Trouble(str(error), error.cure), status=_status(error))
    log.info("an API key was revoked")
    return redirect("/login/keys", code=303)


def _guarded() -> ResponseReturnValue | None:
    """None for the owner; else the sign-in page, also where everyone may look."""
    try:
        if current_session():
            return None
    except CacheError as error:
        return show(Trouble(str(error), error.cure), 503)
    return show(Trouble("Only the owner manages API keys.", "Sign in first."), 403)


def _page(made: str = "", trouble: Trouble | None = None, status: int = 200) -> ResponseReturnValue:
    try:
        listed = gate().keys.all()
    except CacheError as error:
        listed, trouble, status = [], trouble or Trouble(str(error), error.cure), 503
    rows = [(key, datetime.fromtimestamp(key.created_at, UTC)) for key in listed]
    text = render_template("keys.html", rows=rows, made=made, trouble=trouble, home=request.host_url)
    response = make_response(text, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _status(error: GexError) -> int:
    return 503 if isinstance(error, CacheError) else 400
