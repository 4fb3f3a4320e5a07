"""Whose dashboard this is: the first Schwab account that signs in, or those of OWNER_ALLOWLIST.

An account is known by a slow hash of its streamer customer id; the id itself is never stored or shown.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import tempfile
from functools import lru_cache
from pathlib import Path

from app.access.cures import CURES
from app.cache.base import Store
from app.errors import AuthError, SettingsError

log = logging.getLogger(__name__)

_CLAIM_MS = 10_000
_IDENTITY = re.compile(rb"[0-9a-f]{32}")
_SALT = b"gex-dashboard owner identity"


@lru_cache(maxsize=64)
def identify(customer_id: str) -> str:
    """The account's identity, 32 hex digits: the same wherever it signs in. Slow on purpose, for ids are guessable."""
    return hashlib.scrypt(customer_id.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=16).hex()


class Owner:
    """Decides who may sign in.

    Args:
        store: shared by all workers.
        folder: where a file outlives the cache, which the embedded Redis does not.
        realm: the owner in one realm is nobody in another: who tried the demo first has claimed nothing.
        allowlist: identities, separated by commas; when given, they alone decide.
    """

    def __init__(self, store: Store, folder: Path, realm: str, allowlist: str = "") -> None:
        self._store = store
        self._key = f"owner:{realm}"
        self._path = folder / f"owner-{realm}"
        self._allowed = [part.strip().lower() for part in allowlist.split(",") if part.strip()]

    def admit(self, identity: str) -> None:
        """Let the owner in, making the first account the owner. Raises AuthError for anyone else."""
        if self._allowed:
            if not any(hmac.compare_digest(identity, allowed) for allowed in self._allowed):
                raise _refusal(identity)
            return
        known = self.known() or self._claim(identity)
        if not hmac.compare_digest(known, identity):
            raise _refusal(identity)

    def known(self) -> str | None:
        """The owner's identity, None before the first sign-in. Raises CacheError, and AuthError when it is garbled."""
        kept = self._store.get(self._key)
        if kept is not None and _IDENTITY.fullmatch(kept):
            return kept.decode()
        filed = self._read()
        if filed is not None:
            self._store.put(self._key, filed.encode())
        elif kept is not None:
            raise AuthError(
                "Whose dashboard this is can't be read from the cache: somebody else wrote there.",
                cure=f"Delete the key kv:{self._key} in Redis, or name the owner in OWNER_ALLOWLIST.",
            )
        return filed

    def _claim(self, identity: str) -> str:
        claimant = secrets.token_hex(8)
        if self._store.acquire(self._key, claimant, _CLAIM_MS) is None:
            raise AuthError("Another sign-in is under way.", cure="Try again in a few seconds.")
        try:
            known = self.known()
            if known is None:
                self._write(identity)
                self._store.put(self._key, identity.encode())
                log.info(
                    "the first account has signed in and owns this dashboard", extra={"identity": identity}
                )
            return known or identity
        finally:
            self._store.release(self._key, claimant)

    def _read(self) -> str | None:
        try:
            return self._path.read_text("ascii").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"DATA_DIR: {self._path} can't be read: {error}") from error

    def _write(self, identity: str) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".owner.", dir=self._path.parent)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(identity + "\n")
            os.replace(name, self._path)
        except OSError as error:
            raise SettingsError(
                f"DATA_DIR: {self._path} can't be written: {error}", cure="Make DATA_DIR writable."
            ) from error


def _refusal(identity: str) -> AuthError:
    cure = f"{CURES['other_account'].cure} This account's identity is {identity}."
    return AuthError("This dashboard belongs to another Schwab account.", cure=cure)
