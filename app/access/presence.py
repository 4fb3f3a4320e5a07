"""Who is signed in, as the Status view shows it."""

from __future__ import annotations

from app.access.account import gate
from app.access.sessions import Session
from app.access.visitor import visitor
from components.status_view import SessionSeen


def signed_in() -> list[SessionSeen] | None:
    """Every live session, the newest first, for the owner alone; None for everybody else. Raises CacheError."""
    asking = visitor()
    if asking.kind != "owner":
        return None
    return [_seen(session, own=session.id == asking.id) for session in reversed(gate().sessions.all())]


def _seen(session: Session, *, own: bool) -> SessionSeen:
    used = gate().last_use.of(session.id)
    return SessionSeen(
        browser=session.browser,
        own=own,
        since_ms=round(session.created_at * 1000),
        used_ms=None if used is None else round(used * 1000),
        ends_ms=round(session.expires_at * 1000),
    )
