"""Share links: each opens one symbol, read-only, for a while. The server keeps a hash; the link is shown once."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from app.access.keys import KeyRefused, read_name
from app.access.ledger import Ledger
from app.access.sessions import digest
from app.cache.base import Store
from app.errors import CacheError
from app.log import redact

MOST_LINKS = 100
HOUR_S, DAY_S = 3_600, 86_400
# What the page offers, as it words them.
LIVES: Mapping[str, tuple[int, str]] = {
    "hour": (HOUR_S, "1 hour"),
    "day": (DAY_S, "1 day"),
    "week": (7 * DAY_S, "7 days"),
    "month": (30 * DAY_S, "30 days"),
}
LONGEST_LIFE_S = max(seconds for seconds, _ in LIVES.values())
PREFIX = "gexs_"
_REMEMBERED = 1_000
_MOST_HELD = 20


@dataclass(frozen=True, slots=True)
class ShareLink:
    """One link, without its secret. Times are seconds since the epoch."""

    id: str
    symbol: str
    name: str
    digest: str
    created_at: float
    expires_at: float

    @property
    def alive(self) -> bool:
        return self.expires_at > time.time()


class ShareLinks:
    """Makes, finds and revokes links, for all processes that share the ledger. What ended leaves with the next change."""

    def __init__(self, ledger: Ledger[ShareLink]) -> None:
        self._ledger = ledger

    def all(self) -> list[ShareLink]:
        """Every link that hasn't ended, oldest first. Raises CacheError."""
        return [link for link in self._ledger.all() if link.alive]

    def create(self, symbol: str, name: str, life: str) -> str:
        """A new link's secret, to be shown once. Raises KeyRefused, CacheError."""
        if life not in LIVES:
            raise KeyRefused(f"A link lasts one of {', '.join(words for _, words in LIVES.values())}.")
        label = read_name(name, "A link")
        made = f"{PREFIX}{secrets.token_urlsafe(32)}"
        redact.learn(made)
        now = time.time()
        with self._ledger.change() as links:
            links[:] = [link for link in links if link.alive]
            if len(links) >= MOST_LINKS:
                raise KeyRefused(
                    f"There are {MOST_LINKS} links already.", cure="Revoke one that isn't needed."
                )
            links.append(
                ShareLink(secrets.token_hex(4), symbol, label, digest(made), now, now + LIVES[life][0])
            )
        return made

    def revoke(self, link_id: str) -> None:
        """Close a link and every view that it opened; an unknown id changes nothing. Raises CacheError."""
        with self._ledger.change() as links:
            links[:] = [link for link in links if link.id != link_id and link.alive]

    def find(self, secret: str) -> ShareLink | None:
        """The living link of this secret. Raises CacheError when that can't be found out."""
        if not secret.startswith(PREFIX):
            return None
        shown = digest(secret)
        found = self._ledger.find(lambda link: hmac.compare_digest(link.digest, shown))
        return found if found and found.alive else None


class Guests:
    """Browsers that came by share links: which links each holds, under the hash of its cookie.

    What they may see is looked up with every request, so a revoked link closes its views at once.
    """

    def __init__(self, store: Store, realm: str, links: ShareLinks) -> None:
        self._store = store
        self._realm = realm
        self._links = links
        self._seen: OrderedDict[str, list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, link: ShareLink, before: str = "") -> str:
        """A new session for a browser that shows this link; returns the cookie's value. Raises CacheError.

        Args:
            before: the browser's cookie so far, whose other links it keeps.
        """
        held = [link.id, *(other for other in self._held(before) if other != link.id)][:_MOST_HELD]
        secret = secrets.token_urlsafe(32)
        self._store.put(self._key(secret), orjson.dumps(held), LONGEST_LIFE_S)
        if before:
            self._store.delete(self._key(before))
        return secret

    def links(self, secret: str) -> list[ShareLink]:
        """The living links that this browser holds. Raises CacheError when that can't be found out."""
        held = self._held(secret)
        return [link for link in self._links.all() if link.id in held] if held else []

    def _held(self, secret: str) -> list[str]:
        if not secret:
            return []
        key = self._key(secret)
        try:
            held = _ids(self._store.get(key))
        except CacheError:
            with self._lock:
                if key not in self._seen:
                    raise
                return self._seen[key]
        self._remember(key, held)
        return held

    def _remember(self, key: str, held: list[str]) -> None:
        with self._lock:
            self._seen[key] = held
            self._seen.move_to_end(key)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)

    def _key(self, secret: str) -> str:
        return f"guest:{self._realm}:{digest(secret)}"


def _ids(data: bytes | None) -> list[str]:
    try:
        found = orjson.loads(data) if data else []
    except ValueError:
        return []
    return [held for held in found if isinstance(held, str)] if isinstance(found, list) else []
