"""API keys: what scripts show in place of a session. The server keeps a hash; the key itself is shown once."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Literal, get_args

from app.access.ledger import Ledger
from app.access.sessions import digest
from app.errors import GexError
from app.log import redact

MOST_KEYS = 50
LONGEST_NAME = 60
PREFIX = "gex_"

Scope = Literal["read", "manage"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class KeyRefused(GexError):  # noqa: N818
    """A key or link can't be made as asked."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, without its secret. `created_at` is in seconds since the epoch.

    Attributes:
        scope: read allows reading REST; manage also changing what is followed.
    """

    id: str
    name: str
    digest: str
    created_at: float
    scope: Scope = "read"


class ApiKeys:
    """Makes, finds and revokes keys, for all processes that share the ledger."""

    def __init__(self, ledger: Ledger[ApiKey]) -> None:
        self._ledger = ledger

    def all(self) -> list[ApiKey]:
        """Every key, oldest first. Raises CacheError."""
        return self._ledger.all()

    def create(self, name: str, scope: str = "read") -> str:
        """A new key, to be shown once. Raises KeyRefused, CacheError."""
        if scope not in SCOPES:
            raise KeyRefused(f"A key has one of the scopes {', '.join(SCOPES)}.")
        label = read_name(name, "A key")
        made = f"{PREFIX}{secrets.token_urlsafe(32)}"
        redact.learn(made)
        with self._ledger.change() as keys:
            if len(keys) >= MOST_KEYS:
                raise KeyRefused(f"There are {MOST_KEYS} keys already.", cure="Revoke one that isn't used.")
            keys.append(ApiKey(secrets.token_hex(4), label, digest(made), time.time(), scope))
        return made

    def revoke(self, key_id: str) -> None:
        """Make a key worthless, at once and everywhere; an unknown id changes nothing. Raises CacheError."""
        with self._ledger.change() as keys:
            keys[:] = [key for key in keys if key.id != key_id]

    def find(self, secret: str) -> ApiKey | None:
        """The key that this is. Raises CacheError when that can't be found out."""
        if not secret.startswith(PREFIX):
            return None
        shown = digest(secret)
        return self._ledger.find(lambda key: hmac.compare_digest(key.digest, shown))


def read_name(name: str, what: str) -> str:
    """A name as a person types it, spaces tidied. Raises KeyRefused."""
    label = " ".join(name.split())
    if not label or len(label) > LONGEST_NAME or not label.isprintable():
        raise KeyRefused(f"{what} needs a name of 1 to {LONGEST_NAME} characters.")
    return label
