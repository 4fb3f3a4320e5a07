"""Finds out who makes a request: by API key, by session, by a share link's cookie."""

from __future__ import annotations

from collections.abc import Callable

from flask import Request, request

from app.access.gate import Gate
from app.access.origin import Cookie, is_secure
from app.access.visitor import STRANGER, Visitor
from app.api.problems import under_api
from app.errors import CacheError
from app.settings import Settings


def session_cookie(settings: Settings) -> Cookie:
    return Cookie("gex_session", lambda: is_secure(request, settings))


def browser_cookie(settings: Settings) -> Cookie:
    """What binds a login to the browser that began it."""
    return Cookie("gex_browser", lambda: is_secure(request, settings))


def guest_cookie(settings: Settings) -> Cookie:
    """What a share link leaves in the browser."""
    return Cookie("gex_guest", lambda: is_secure(request, settings))


def takes_keys(asked: Request) -> bool:
    """Whether a script may show an API key here: REST and the metrics, nothing else."""
    return under_api(asked) or asked.path == "/metrics"


def recognise(door: Gate, asked: Request) -> Visitor:
    """Who makes this request. Raises CacheError when that can't be found out."""
    secret = _bearer(asked)
    found = _by_key(door, secret) if secret and takes_keys(asked) else None
    return found or _by_session(door, asked) or _by_link(door, asked) or STRANGER


def _bearer(asked: Request) -> str:
    scheme, _, secret = asked.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _by_key(door: Gate, secret: str) -> Visitor | None:
    key = door.keys.find(secret)
    if key is None:
        return None
    door.last_use.note(key.id)
    return Visitor(
        "key", key.id, manages=key.scope == "manage", check=_still(lambda: door.keys.find(secret) is not None)
    )


def _by_session(door: Gate, asked: Request) -> Visitor | None:
    secret = session_cookie(door.settings).read(asked)
    session = door.sessions.find(secret)
    if session is None:
        return None
    door.last_use.note(session.id)
    still = _still(lambda: door.sessions.find(secret) is not None)
    return Visitor("owner", session.id, manages=True, check=still)


def _by_link(door: Gate, asked: Request) -> Visitor | None:
    """A guest; None on a public server, where a link opens nothing that isn't open."""
    secret = guest_cookie(door.settings).read(asked)
    links = door.guests.links(secret) if secret and not door.settings.is_public else []
    if not links:
        return None
    shared: dict[str, float] = {}
    for link in links:
        shared[link.symbol] = max(link.expires_at, shared.get(link.symbol, 0.0))
        door.last_use.note(link.id)
    held = {link.id for link in links}
    still = _still(lambda: held <= {link.id for link in door.guests.links(secret)})
    return Visitor("guest", shared=shared, check=still)


def _still(check: Callable[[], bool]) -> Callable[[], bool]:
    """The check; while the cache can't be asked the answer is yes, as for everything else that was let in."""

    def ask() -> bool:
        try:
            return check()
        except CacheError:
            return True

    return ask
