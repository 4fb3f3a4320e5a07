"""Logins under way: what was sent to Schwab, kept on the server for ten minutes and bound to the browser that began it."""

from __future__ import annotations

import hmac
import re
from dataclasses import asdict, dataclass

import orjson

from app.access.cures import CURES
from app.access.sessions import digest
from app.cache.base import Store
from app.errors import AuthError

PENDING_LIFE_S = 600
HOME = "/"
# Pages that a sign-in may lead to. No "//", no backslash, no other host.
_TARGET = re.compile(
    r"/(?:gex/\$?[A-Za-z][A-Za-z0-9]{0,5}(?:[./][A-Za-z]{1,2})?)?(?:\?[A-Za-z0-9_.,:;=&%+*@!~-]{0,1000})?\Z"
)


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """One login that a browser began.

    Attributes:
        browser: hash of the cookie of that browser.
        verifier: the PKCE code verifier, "" when none was sent.
        target: the page to show afterwards, a path of ours.
        origin: where that browser reaches the server, for the callback listener.
    """

    browser: str
    verifier: str
    target: str
    origin: str


class PendingLogins:
    """Keeps logins under way by the hash of their state. Every method raises CacheError when the cache is away."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, state: str, login: PendingLogin) -> None:
        self._store.put(_state_key(state), orjson.dumps(asdict(login)), PENDING_LIFE_S)

    def peek(self, state: str) -> PendingLogin | None:
        """The login of that state, left where it is."""
        data = self._store.get(_state_key(state))
        return None if data is None else PendingLogin(**orjson.loads(data))

    def redeem(self, state: str, browser: str) -> PendingLogin:
        """The login of that state, once, for the browser that began it. Raises AuthError."""
        if not state:
            raise AuthError("The address carries no state.", cure=CURES["state_missing"].cure)
        login = self.peek(state)
        if login is None:
            raise AuthError("This login is unknown, used or too old.", cure=CURES["state_unknown"].cure)
        if not hmac.compare_digest(login.browser, digest(browser)):
            raise AuthError("This login was started in another browser.", cure=CURES["state_foreign"].cure)
        # of two requests with the same state, exactly one pops it
        if self._store.pop(_state_key(state)) is None:
            raise AuthError("This login is unknown, used or too old.", cure=CURES["state_unknown"].cure)
        return login

    def remember_target(self, browser: str, target: str) -> None:
        """Keep the page that a browser wanted when it was sent to sign in."""
        if target != HOME and _TARGET.match(target):
            self._store.put(_target_key(browser), target.encode(), PENDING_LIFE_S)

    def target(self, browser: str) -> str:
        """The page that this browser wanted, HOME when none is known."""
        data = self._store.get(_target_key(browser)) if browser else None
        kept = HOME if data is None else data.decode()
        return kept if _TARGET.match(kept) else HOME


def _state_key(state: str) -> str:
    return f"login:{digest(state)}"


def _target_key(browser: str) -> str:
    return f"target:{digest(browser)}"
