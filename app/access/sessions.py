"""Who is signed in: sessions kept in the cache under the hash of their id, so that reading the cache yields no cookie."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass

import orjson

from app.cache.base import Store
from app.errors import CacheError

SESSION_LIFE_S = 7 * 86_400  # as long as a Schwab login lasts
_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that signed in. Times are seconds since the epoch."""

    identity: str
    created_at: float
    expires_at: float


def digest(secret: str) -> str:
    """What is kept in place of a secret that a browser holds."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Sessions:
    """Creates, finds and revokes sessions.

    While the cache is away a session that this process has seen stays good, so that its owner can go on looking at the
    last copy; one that it hasn't seen can't be judged: CacheError.

    Args:
        store: shared by all workers.
        realm: sessions of one realm are worth nothing in another: anybody can sign in to the simulator.
    """

    def __init__(self, store: Store, realm: str) -> None:
        self._store = store
        self._realm = realm
        self._seen: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def create(self, identity: str) -> str:
        """A new session; returns the id for the cookie. Raises CacheError."""
        now = time.time()
        session = Session(identity, now, now + SESSION_LIFE_S)
        secret = secrets.token_urlsafe(32)
        self._store.put(self._key(secret), orjson.dumps(asdict(session)), SESSION_LIFE_S)
        return secret

    def find(self, secret: str) -> Session | None:
        """The live session of this id. Raises CacheError when the cache is away and the session was never seen."""
        if not secret:
            return None
        key = self._key(secret)
        try:
            found = _parse(self._store.get(key))
        except CacheError:
            found = self._recall(key)
            if found is None:
                raise
        alive = found if found and found.expires_at > time.time() else None
        self._remember(key, alive)
        return alive

    def revoke(self, secret: str) -> None:
        """End a session, here and everywhere. Raises CacheError."""
        if secret:
            self._remember(self._key(secret), None)
            self._store.delete(self._key(secret))

    def _key(self, secret: str) -> str:
        return f"session:{self._realm}:{digest(secret)}"

    def _recall(self, key: str) -> Session | None:
        with self._lock:
            return self._seen.get(key)

    def _remember(self, key: str, session: Session | None) -> None:
        with self._lock:
            self._seen.pop(key, None)
            if session:
                self._seen[key] = session
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)


def _parse(data: bytes | None) -> Session | None:
    if data is None:
        return None
    try:
        return Session(**orjson.loads(data))
    except (TypeError, ValueError):
        return None
