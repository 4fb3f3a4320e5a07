"""The tokens of the simulated login: signed, so that they outlive a restart of the simulator, and hard to forge."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any, Literal

import orjson

from app.simulator.options import Options

Kind = Literal["code", "access", "refresh"]


class TokenRefused(Exception):  # noqa: N818 - it says what happened to the token
    """A code or token that is forged, used up, expired or of another kind."""


class TokenMint:
    """Makes and checks codes, access tokens and refresh tokens.

    A refresh token lives seven days from the login it came from, however often it is used; a code is good once.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._key = hashlib.sha256(f"{options.app_key}:{options.app_secret}".encode()).digest()
        self._used: set[str] = set()
        self._not_before = {"access": 0.0, "refresh": 0.0}

    def code(self, redirect_uri: str, challenge: str | None) -> str:
        """A code for one exchange, bound to the redirect address and, if there is one, the PKCE challenge."""
        return "C0." + self._sign("code", self._options.code_life_s, uri=redirect_uri, challenge=challenge)

    def redeem(self, code: str, redirect_uri: str, verifier: str | None) -> None:
        """Use a code up. Raises TokenRefused."""
        payload = self._read(code.removeprefix("C0."), "code")
        if code in self._used:
            raise TokenRefused("code was used before")
        self._used.add(code)
        if payload["uri"] != redirect_uri:
            raise TokenRefused("redirect_uri is not the one of the login")
        challenge = payload["challenge"]
        if self._options.open.pkce == "check" and challenge and not _verifies(challenge, verifier or ""):
            raise TokenRefused("code_verifier does not match")

    def access(self, life_s: float | None = None) -> str:
        """A new access token."""
        return "I0." + self._sign("access", self._options.access_life_s if life_s is None else life_s)

    def refresh(self) -> str:
        """A new refresh token: only a login makes one."""
        return self._sign("refresh", self._options.refresh_life_s)

    def check_access(self, token: str) -> None:
        """Raises TokenRefused unless this access token is good now."""
        self._read(token.removeprefix("I0."), "access")

    def check_refresh(self, token: str) -> None:
        """Raises TokenRefused unless this refresh token is good now."""
        self._read(token, "refresh")

    def expire(self, kind: Literal["access", "refresh"]) -> None:
        """A fault: every token of this kind that is out has expired."""
        self._not_before[kind] = time.time()

    def _sign(self, kind: Kind, life_s: float, **more: Any) -> str:
        now = time.time()
        payload = {"kind": kind, "at": now, "until": now + life_s, "id": secrets.token_hex(6), **more}
        text = base64.urlsafe_b64encode(orjson.dumps(payload)).decode().rstrip("=")
        return f"{text}.{self._signature(text)}@"

    def _signature(self, text: str) -> str:
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _read(self, token: str, kind: Kind) -> dict[str, Any]:
        text, _, signature = token.removesuffix("@").rpartition(".")
        if not text or not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            raise TokenRefused("not a token of this server")
        payload: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if payload["kind"] != kind:
            raise TokenRefused(f"not a token for {kind}")
        if time.time() >= payload["until"] or payload["at"] <= self._not_before.get(kind, 0.0):
            raise TokenRefused("expired")
        return payload


def _verifies(challenge: str, verifier: str) -> bool:
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return hmac.compare_digest(digest, challenge)
