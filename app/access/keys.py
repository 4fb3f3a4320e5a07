"""API keys: what scripts show in place of a session. The server keeps a hash; the key itself is shown once."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from dataclasses import asdict, dataclass

import orjson

from app.access.sessions import digest
from app.cache.base import Store
from app.cache.slot import RedisSlot
from app.errors import CacheError, GexError
from app.log import redact
from app.settings import Settings
from app.slots import FileSlot, Slot

MOST_KEYS = 50
LONGEST_NAME = 60
_PREFIX = "gex_"


class KeyRefused(GexError):  # noqa: N818
    """A key can't be made as asked."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, without its secret: reading REST is all it allows. `created_at` is in seconds since the epoch."""

    id: str
    name: str
    digest: str
    created_at: float


class ApiKeys:
    """Makes, finds and revokes keys, for all processes that share the slot.

    While the cache is away, the keys that this process read last stay good.
    """

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._last: list[ApiKey] | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, settings: Settings, store: Store, realm: str) -> ApiKeys:
        """Where they outlast a restart: the user's own Redis, else a file in DATA_DIR. Each realm has its own."""
        own = store.backend == "redis"
        return cls(
            RedisSlot(store, f"keys-{realm}") if own else FileSlot(settings.data_dir / f"keys-{realm}")
        )

    def all(self) -> list[ApiKey]:
        """Every key, oldest first. Raises CacheError when they can't be read and never were."""
        try:
            keys = _parse(self._slot.read())
        except CacheError:
            with self._lock:
                if self._last is None:
                    raise
                return self._last
        with self._lock:
            self._last = keys
        return keys

    def create(self, name: str) -> str:
        """A new key, to be shown once. Raises KeyRefused, CacheError."""
        label = " ".join(name.split())
        if not label or len(label) > LONGEST_NAME or not label.isprintable():
            raise KeyRefused(f"A key needs a name of 1 to {LONGEST_NAME} characters.")
        made = f"{_PREFIX}{secrets.token_urlsafe(32)}"
        redact.learn(made)
        with self._slot.lock():
            keys = _parse(self._slot.read())
            if len(keys) >= MOST_KEYS:
                raise KeyRefused(f"There are {MOST_KEYS} keys already.", cure="Revoke one that isn't used.")
            new = ApiKey(secrets.token_hex(4), label, digest(made), time.time())
            self._slot.write(orjson.dumps([asdict(key) for key in [*keys, new]]))
        return made

    def revoke(self, key_id: str) -> None:
        """Make a key worthless, at once and everywhere; an unknown id changes nothing. Raises CacheError."""
        with self._slot.lock():
            kept = [key for key in _parse(self._slot.read()) if key.id != key_id]
            self._slot.write(orjson.dumps([asdict(key) for key in kept]))

    def find(self, secret: str) -> ApiKey | None:
        """The key that this is. Raises CacheError when that can't be found out."""
        if not secret.startswith(_PREFIX):
            return None
        shown = digest(secret)
        return next((key for key in self.all() if hmac.compare_digest(key.digest, shown)), None)


def _parse(data: bytes | None) -> list[ApiKey]:
    if data is None:
        return []
    try:
        return [ApiKey(**fields) for fields in orjson.loads(data)]
    except (TypeError, ValueError) as error:
        raise CacheError(
            "The stored API keys can't be read.", cure="Delete them, and make new ones."
        ) from error
