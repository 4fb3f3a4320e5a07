"""Who is signed in: sessions kept in the cache under the hash of their id, so that reading the cache yields no cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.access.ledger import Ledger

SESSION_LIFE_S = 7 * 86_400  # as long as a Schwab login lasts
MOST_SESSIONS = 100


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that signed in. Times are seconds since the epoch.

    Attributes:
        id: a name that may be shown.
        digest: hash of the cookie.
        identity: whose account.
        browser: its kind, in words.
    """

    id: str
    digest: str
    identity: str
    browser: str
    created_at: float
    expires_at: float

    @property
    def alive(self) -> bool:
        return self.expires_at > time.time()


def digest(secret: str) -> str:
    """What is kept in place of a secret that a browser holds."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Sessions:
    """Creates, finds and revokes sessions.

    While the cache is away, the sessions that this process read last stay good, so that their owner can go on looking at
    the last copy; before the first reading nobody can be judged: CacheError.

    Args:
        ledger: of one realm. Sessions of one realm are worth nothing in another: anybody can sign in to the simulator.
    """

    def __init__(self, ledger: Ledger[Session]) -> None:
        self._ledger = ledger

    def create(self, identity: str, browser: str = "") -> str:
        """A new session; returns the id for the cookie. The oldest gives way where there are too many. Raises CacheError."""
        now = time.time()
        secret = secrets.token_urlsafe(32)
        with self._ledger.change() as sessions:
            sessions[:] = [session for session in sessions if session.alive][1 - MOST_SESSIONS :]
            made = Session(secrets.token_hex(4), digest(secret), identity, browser, now, now + SESSION_LIFE_S)
            sessions.append(made)
        return secret

    def find(self, secret: str) -> Session | None:
        """The live session of this cookie. Raises CacheError when the cache is away and was never read."""
        if not secret:
            return None
        shown = digest(secret)
        found = self._ledger.find(lambda session: hmac.compare_digest(session.digest, shown))
        return found if found and found.alive else None

    def all(self) -> list[Session]:
        """Every live session, oldest first. Raises CacheError."""
        return [session for session in self._ledger.all() if session.alive]

    def revoke(self, secret: str) -> None:
        """End the session of this cookie, here and everywhere. Raises CacheError."""
        if secret:
            self._keep(lambda session: session.digest != digest(secret))

    def end(self, session_id: str) -> None:
        """End the session of this id; an unknown one changes nothing. Raises CacheError."""
        self._keep(lambda session: session.id != session_id)

    def end_others(self, session_id: str) -> None:
        """End every session but this one. Raises CacheError."""
        self._keep(lambda session: session.id == session_id)

    def _keep(self, wanted: Callable[[Session], bool]) -> None:
        with self._ledger.change() as sessions:
            sessions[:] = [session for session in sessions if session.alive and wanted(session)]


_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_kind(user_agent: str) -> str:
    """What kind of browser that is, in words: "Firefox on Windows". Nothing of the header itself is kept."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    if not browser:
        return f"A program on {system}" if system else "A program"
    return f"{browser} on {system}" if system else browser
