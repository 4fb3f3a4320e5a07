"""The page on which the owner sees where the account is signed in, and ends sessions."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from app.access.account import SESSIONS, Trouble, gate, instant, refused, render, status_of
from app.access.visitor import visitor
from app.errors import CacheError, GexError

log = logging.getLogger(__name__)

session_views = Blueprint("access_sessions", __name__)


@session_views.get(SESSIONS)
def sessions() -> ResponseReturnValue:
    """Every browser that is signed in."""
    return refused("sees sessions") or _page()


@session_views.post(f"{SESSIONS}/end")
def end_session() -> ResponseReturnValue:
    """End one session."""
    return _change(lambda: gate().sessions.end(request.form.get("id", "")))


@session_views.post(f"{SESSIONS}/end-others")
def end_others() -> ResponseReturnValue:
    """End every session but this one."""
    return _change(lambda: gate().sessions.end_others(visitor().id))


def _change(change: Callable[[], None]) -> ResponseReturnValue:
    closed = refused("ends sessions")
    if closed:
        return closed
    try:
        change()
    except GexError as error:
        return _page(Trouble(str(error), error.cure), status_of(error))
    log.info("sessions were ended")
    return redirect(SESSIONS, code=303)


def _page(trouble: Trouble | None = None, status: int = 200) -> ResponseReturnValue:
    door, own = gate(), visitor().id
    try:
        listed = door.sessions.all()
    except CacheError as error:
        listed, trouble, status = [], trouble or Trouble(str(error), error.cure), 503
    rows = [
        (
            session,
            session.id == own,
            instant(session.created_at),
            instant(door.last_use.of(session.id)),
            instant(session.expires_at),
        )
        for session in reversed(listed)
    ]
    return render("sessions.html", trouble, status, rows=rows, others=len(listed) > 1)
