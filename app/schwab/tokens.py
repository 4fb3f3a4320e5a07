"""The Schwab login at rest: one token set, encrypted, in a slot that every process of the product shares.

The slot's lock sees to it that only one process renews a token at a time.
"""

from __future__ import annotations

import contextlib
import os
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.errors import SettingsError, SignInNeeded
from app.log import redact
from app.schwab.cures import trouble
from app.slots import Slot, private_folder, temporary

REFRESH_LIFE_S = 7 * 86_400


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """One login. Times are seconds since the epoch.

    Attributes:
        access: the bearer token, good until `expires_at`.
        refresh: what renews it, good for seven days from `signed_in_at`; a renewal doesn't extend that.
        audience: which app at which server it was issued to: it is never sent to another.
        refused: Schwab refused the refresh token for good; only a new sign-in helps.
    """

    access: str
    refresh: str
    signed_in_at: float
    expires_at: float
    audience: str = ""
    refused: bool = False

    def __repr__(self) -> str:
        return f"Token(signed_in_at={self.signed_in_at:.0f}, expires_at={self.expires_at:.0f}, refused={self.refused})"

    @property
    def login_ends_at(self) -> float:
        """When only a new browser login helps."""
        return self.signed_in_at + REFRESH_LIFE_S

    def mark_refused(self) -> Token:
        """The same login, known to be over."""
        return replace(self, refused=True)


class TokenCipher:
    """Encrypts with the newest of several Fernet keys and decrypts with any of them."""

    def __init__(self, keys: list[str]) -> None:
        """Raises SettingsError when a key isn't one."""
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError) as error:
            raise SettingsError(
                "TOKEN_KEY: not a Fernet key (32 bytes, url-safe base64)",
                cure='Make one: python -c "import secrets,base64;'
                'print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())"',
            ) from error

    @classmethod
    def open(cls, token_key: str, data_dir: Path) -> TokenCipher:
        """From TOKEN_KEY (several, newest first, separated by commas), else from a key file made on first use."""
        keys = [key.strip() for key in token_key.split(",") if key.strip()]
        return cls(keys or [_key_file(data_dir / "token.key")])

    def seal(self, clear: bytes) -> bytes:
        return self._fernet.encrypt(clear)

    def unseal(self, sealed: bytes) -> bytes:
        """Raises SignInNeeded when no key fits."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise trouble(SignInNeeded, "login_unreadable") from error


class TokenStore:
    """Loads and saves the login, encrypted."""

    def __init__(self, slot: Slot, cipher: TokenCipher) -> None:
        self._slot = slot
        self._cipher = cipher

    def load(self) -> Token | None:
        """The stored login. Raises SignInNeeded when it can't be decrypted or read."""
        sealed = self._slot.read()
        if sealed is None:
            return None
        clear = self._cipher.unseal(sealed)
        try:
            kept = orjson.loads(clear)
            token = Token(**{field.name: kept[field.name] for field in fields(Token) if field.name in kept})
        except (TypeError, ValueError) as error:
            raise trouble(SignInNeeded, "login_unreadable") from error
        redact.learn(token.access, token.refresh)
        return token

    def save(self, token: Token) -> None:
        redact.learn(token.access, token.refresh)
        self._slot.write(self._cipher.seal(orjson.dumps(asdict(token))))

    def clear(self) -> None:
        self._slot.delete()

    def lock(self) -> AbstractContextManager[object]:
        """Hold this while renewing: load again first, for another process may have done it."""
        return self._slot.lock()


def _key_file(path: Path) -> str:
    """The key in `path`, made on first use; two processes starting at once agree on one key."""
    try:
        private_folder(path.parent)
        if not path.exists():
            fresh = temporary(path, Fernet.generate_key())
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            os.unlink(fresh)
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"DATA_DIR: the key file {path} can't be used: {error}",
            cure="Make DATA_DIR writable, or set TOKEN_KEY.",
        ) from error
