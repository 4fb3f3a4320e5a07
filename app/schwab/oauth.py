"""The Schwab login: authorize address, code exchange, and an access token that is always fresh.

Every process of the product shares one login through a TokenStore. Whoever finds the access token short of life renews it
under the store's lock, so there is one renewal at a time whatever the number of processes.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from oauthlib.oauth2 import WebApplicationClient
from requests_oauthlib import OAuth2Session

from app.errors import AuthError, BrokerError, CacheError, GexError, SignInNeeded
from app.log import redact
from app.market.calendar import from_ms
from app.models import TokenLife
from app.schwab.cures import trouble
from app.schwab.token_endpoint import TokenEndpoint
from app.schwab.tokens import REFRESH_LIFE_S, Token, TokenStore
from app.settings import SCHWAB_API, Settings

log = logging.getLogger(__name__)

REFRESH_AHEAD_S = 300.0
_DEFAULT_LIFE_S = 1800.0
_RECHECK_S = 2.0  # how long another process's sign-in or sign-out may go unnoticed
_RETRY_S = 30.0  # pause between renewals that fail while the old token still works
_FORCED_EVERY_S = 55.0  # between renewals that only a refused token asks for


class Login(NamedTuple):
    """A sign-in that has begun: where the browser goes, and what has to be remembered until it returns."""

    url: str
    state: str
    code_verifier: str | None


class OAuth:
    """One Schwab app's login. Safe to share between threads.

    >>> login = oauth.authorize()                          # send the browser to login.url
    >>> code, state = OAuth.read_redirect(address)         # where it came back to; state must be login.state
    >>> oauth.exchange(code, login.code_verifier)
    >>> oauth.access_token()                               # from now on, in every process
    """

    def __init__(
        self,
        app_key: str,
        app_secret: str,
        callback_url: str,
        tokens: TokenStore,
        *,
        api_url: str = SCHWAB_API,
        pkce: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = app_key
        self._has_credentials = bool(app_key and app_secret)
        self._callback = callback_url
        self._tokens = tokens
        self._pkce = pkce
        self._clock = clock
        self.api_url = api_url.rstrip("/")
        self._endpoint = TokenEndpoint(app_key, app_secret, callback_url, self.api_url)
        self._audience = hashlib.sha256(f"{app_key}\n{self.api_url}".encode()).hexdigest()[:16]
        self._renewing = threading.Lock()
        self._cached: Token | None = None
        self._checked_at = float("-inf")
        self._retry_at = float("-inf")
        self._rejected = ""
        self._forced, self._forced_until = "", float("-inf")

    @classmethod
    def from_settings(
        cls, settings: Settings, tokens: TokenStore, *, clock: Callable[[], float] = time.time
    ) -> OAuth:
        """As the settings say. Raises SettingsError when Schwab's address is neither https nor on loopback."""
        return cls(
            settings.schwab_app_key.get_secret_value(),
            settings.schwab_app_secret.get_secret_value(),
            settings.schwab_callback_url,
            tokens,
            api_url=settings.schwab_api_url,
            pkce=settings.schwab_pkce,
            clock=clock,
        )

    # --- signing in -------------------------------------------------------------------------------

    def authorize(self) -> Login:
        """Begin a sign-in. Raises AuthError when Schwab could not accept the key or the callback anyway."""
        if not self._has_credentials:
            raise trouble(AuthError, "bad_key", "SCHWAB_APP_KEY or SCHWAB_APP_SECRET is empty")
        if self.api_url.startswith("https:"):  # the simulator on this machine takes plain http as well
            check_callback(self._callback)
        client = WebApplicationClient(self._key)
        verifier = client.create_code_verifier(64) if self._pkce else None
        challenge = (
            {
                "code_challenge": client.create_code_challenge(verifier, "S256"),
                "code_challenge_method": "S256",
            }
            if verifier
            else {}
        )
        session = OAuth2Session(client=client, redirect_uri=self._callback)
        url, state = session.authorization_url(f"{self.api_url}/v1/oauth/authorize", **challenge)
        return Login(url, state, verifier)

    @staticmethod
    def read_redirect(address: str) -> tuple[str, str | None]:
        """Code and state of the address that the browser came back to, as the server saw it or as a person pasted it.

        The code is decoded once: it ends in "@". Raises AuthError when there is none, or an error beside it.
        """
        text = address.strip()
        query = text.partition("?")[2].partition("#")[0] if "?" in text else text
        fields = parse_qs(query)
        code = fields.get("code", [""])[0].replace(" ", "+")  # a raw "+" of base64
        if not code or "error" in fields:
            raise trouble(AuthError, "bad_redirect")
        return code, fields.get("state", [None])[0]

    def exchange(
        self,
        code: str,
        code_verifier: str | None = None,
        *,
        accept: Callable[[str], None] | None = None,
    ) -> Token:
        """Turn the code into a login and store it. Raises AuthError (key, code or callback refused) or BrokerError.

        `accept` is told the customer id of whose login it is; where it raises, nothing is stored.
        """
        answer = self._endpoint.exchange(code, code_verifier)
        now = self._clock()
        token = self._token(answer, signed_in_at=now)
        if accept is not None:
            from app.schwab.identity import customer_of  # which needs this module's tokens

            redact.learn(token.access, token.refresh)
            accept(customer_of(token, self.api_url))
        with self._tokens.lock():
            self._tokens.save(token)
        self._remember(token)
        log.info("signed in at %s", self.api_url)
        return token

    def sign_out(self) -> None:
        """Forget the login, everywhere."""
        with self._tokens.lock():
            self._tokens.clear()
        self._cached, self._checked_at = None, float("-inf")

    # --- the access token -------------------------------------------------------------------------

    def access_token(self) -> str:
        """A token with life left, renewed ahead of its end.

        Raises:
            SignInNeeded: there is no login, or it is over.
            AuthError: the key is refused, or a freshly renewed token was rejected.
            BrokerError: Schwab can't be asked, and the old token is no longer good.
        """
        token = self._current()
        if token is None:
            raise trouble(SignInNeeded, "sign_in_needed")
        if not self._wants_renewal(token):
            return token.access
        with self._renewing:
            return self._renewed(token).access

    def reject(self, access_token: str) -> None:
        """Schwab refused this token: the next `access_token()` brings another one."""
        self._rejected = access_token
        self._checked_at = float("-inf")

    def life(self) -> TokenLife:
        """How long the login lasts; all None without one."""
        try:
            token = self._current()
        except GexError:
            token = None
        if token is None:
            return TokenLife()
        return TokenLife(
            signed_in_at=from_ms(round(token.signed_in_at * 1000)),
            access_expires_at=from_ms(round(token.expires_at * 1000)),
            refresh_expires_at=from_ms(round(token.login_ends_at * 1000)),
        )

    def signed_out(self) -> bool:
        """Whether there certainly is no login: it was never made, or was taken back."""
        try:
            return self._current() is None
        except GexError:
            return False

    def customer_id(self) -> str:
        """The streamer's customer id, the same for every login of one Schwab user. Raises as `access_token`."""
        from app.schwab.rest import Rest  # which needs this class's tokens

        return Rest(self, api_url=self.api_url).streamer_info().customer_id

    # --- inside -----------------------------------------------------------------------------------

    def _current(self) -> Token | None:
        """The stored login, read again every two seconds; None when there is none for this app at this server."""
        now = time.monotonic()
        if now - self._checked_at >= _RECHECK_S:
            self._checked_at = now
            try:
                self._cached = self._load()
            except CacheError:
                if self._cached is None:  # else the last copy serves until the cache is back
                    raise
        return self._cached

    def _load(self) -> Token | None:
        token = self._tokens.load()
        return token if token is not None and token.audience == self._audience else None

    def _remember(self, token: Token) -> None:
        self._cached, self._checked_at = token, time.monotonic()

    def _wants_renewal(self, token: Token) -> bool:
        if token.refused or token.access == self._rejected:
            return True
        left = token.expires_at - self._clock()
        if left <= 0:
            return True
        return left < REFRESH_AHEAD_S and time.monotonic() >= self._retry_at

    def _renewed(self, token: Token) -> Token:
        try:
            return self._renew()
        except (BrokerError, CacheError) as error:
            self._retry_at = time.monotonic() + _RETRY_S
            if token.access == self._rejected or token.expires_at <= self._clock():
                raise
            log.warning("the access token could not be renewed yet: %s", error)
            return token

    def _renew(self) -> Token:
        with self._tokens.lock():
            token = self._load()  # another process may have renewed it while we waited
            self._cached, self._checked_at = token, time.monotonic()
            if token is None:
                raise trouble(SignInNeeded, "sign_in_needed")
            if token.refused:
                raise trouble(SignInNeeded, "login_expired")
            rejected = token.access == self._rejected
            if not rejected and token.expires_at - self._clock() >= REFRESH_AHEAD_S:
                return token
            if rejected and token.access == self._forced and time.monotonic() < self._forced_until:
                raise trouble(AuthError, "not_authorized")
            fresh = self._refresh(token)
            if rejected:
                self._forced, self._forced_until = fresh.access, time.monotonic() + _FORCED_EVERY_S
            return fresh

    def _refresh(self, token: Token) -> Token:
        """Ask Schwab; the caller holds the store's lock."""
        try:
            answer = self._endpoint.refresh(token.refresh)
        except SignInNeeded:
            self._tokens.save(token.mark_refused())
            self._remember(token.mark_refused())
            raise
        fresh = self._token(answer, signed_in_at=token.signed_in_at)
        self._tokens.save(fresh)
        self._remember(fresh)
        log.info("renewed the access token")
        return fresh

    def _token(self, answer: dict[str, Any], signed_in_at: float) -> Token:
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        if not (isinstance(access, str) and access and isinstance(refresh, str) and refresh):
            raise trouble(BrokerError, "outage", "the token answer holds no tokens")
        now = self._clock()
        try:
            life = float(answer.get("expires_in", _DEFAULT_LIFE_S))
        except (TypeError, ValueError):
            life = _DEFAULT_LIFE_S
        if (
            not 0 < life < REFRESH_LIFE_S
        ):  # one without end would never be renewed, one without life at every call
            life = _DEFAULT_LIFE_S
        return Token(access, refresh, signed_in_at, now + life, self._audience)


def check_callback(url: str) -> None:
    """Raises AuthError when Schwab could never redirect to this address (schwab-protocol 1.2)."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise trouble(AuthError, "bad_callback", f"{url[:80]} is not https")
    if not parts.hostname or parts.hostname == "localhost":
        raise trouble(AuthError, "bad_callback", "the name localhost is refused; write 127.0.0.1")
    if len(url) > 255:
        raise trouble(AuthError, "bad_callback", f"{len(url)} characters")
