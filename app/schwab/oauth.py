"""The Schwab login: authorize address, code exchange, and an access token that is always fresh.

Every process of the product shares one login through a TokenStore. Whoever finds the access token short of life renews it
under the store's lock, so there is one renewal at a time whatever the number of processes.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import requests
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from app.errors import AuthError, BrokerError, CacheError, DataError, GexError, SettingsError, SignInNeeded
from app.log import redact
from app.market.calendar import from_ms
from app.models import TokenLife
from app.schwab.cures import trouble
from app.schwab.http import decode_json, is_html, problem_of, translated
from app.schwab.tokens import Token, TokenStore
from app.settings import SCHWAB_API, Settings

log = logging.getLogger(__name__)

REFRESH_AHEAD_S = 300.0
_DEFAULT_LIFE_S = 1800.0
_RECHECK_S = 2.0  # how long another process's sign-in or sign-out may go unnoticed
_RETRY_S = 30.0  # pause between renewals that fail while the old token still works
_FORCED_EVERY_S = 55.0  # between renewals that only a refused token asks for
_TIMEOUT_S = (5.0, 15.0)
_DEAD_REFRESH = ("refresh_token_authentication_error", "unsupported_token_type", "invalid_grant")


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
        self._secret = app_secret
        self._callback = callback_url
        self._tokens = tokens
        self._pkce = pkce
        self._clock = clock
        self.api_url = api_url.rstrip("/")
        _allow_loopback_http(self.api_url)
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
        if not (self._key and self._secret):
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

        The code is decoded once: it ends in "@". Raises AuthError when there is none.
        """
        text = address.strip()
        query = urlsplit(text).query if "?" in text else text
        fields = parse_qs(query)
        code = fields.get("code", [""])[0].replace(" ", "+")  # a raw "+" of base64
        if not code:
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
        extra = {"code_verifier": code_verifier} if code_verifier else {}
        with self._session("access_token_response", _code_problem) as session:
            answer = session.fetch_token(
                f"{self.api_url}/v1/oauth/token", code=code, auth=self._basic(), timeout=_TIMEOUT_S, **extra
            )
        now = self._clock()
        token = self._token(answer, signed_in_at=now)
        if accept is not None:
            from app.schwab.identity import customer_of  # which needs this module's tokens

            redact.learn(token.access, token.refresh)
            accept(customer_of(token, self.api_url))
        with self._tokens.lock():
            self._tokens.save(token)
        self._remember(token)
        log.info("signed in with Schwab")
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

    def signed_in(self) -> bool:
        """Whether there is a login that Schwab has not refused."""
        try:
            token = self._current()
        except GexError:
            return False
        return token is not None and not token.refused

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
        except BrokerError as error:
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
            with self._session("refresh_token_response", _refresh_problem) as session:
                answer = session.refresh_token(
                    f"{self.api_url}/v1/oauth/token",
                    refresh_token=token.refresh,
                    auth=self._basic(),
                    timeout=_TIMEOUT_S,
                )
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
        return Token(access, refresh, signed_in_at, now, now + life, self._audience)

    def _basic(self) -> HTTPBasicAuth:
        return HTTPBasicAuth(self._key, self._secret)

    @contextmanager
    def _session(
        self, hook: str, problem: Callable[[requests.Response], GexError | None]
    ) -> Iterator[OAuth2Session]:
        """A session whose answers are judged before oauthlib parses them, and whose errors are ours."""

        def judge(response: requests.Response) -> requests.Response:
            found = problem(response)
            if found is not None:
                raise found
            return response

        session = OAuth2Session(client_id=self._key, redirect_uri=self._callback)
        session.register_compliance_hook(hook, judge)
        try:
            with translated():
                yield session
        except (OAuth2Error, ValueError, TypeError) as error:
            raise trouble(
                BrokerError, "outage", f"unreadable token answer, {type(error).__name__}"
            ) from error
        finally:
            session.close()


def check_callback(url: str) -> None:
    """Raises AuthError when Schwab could never redirect to this address (schwab-protocol 1.2)."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise trouble(AuthError, "bad_callback", f"{url[:80]} is not https")
    if not parts.hostname or parts.hostname == "localhost":
        raise trouble(AuthError, "bad_callback", "the name localhost is refused; write 127.0.0.1")
    if len(url) > 255:
        raise trouble(AuthError, "bad_callback", f"{len(url)} characters")


def _code_problem(response: requests.Response) -> GexError | None:
    return _token_problem(response, lambda text: trouble(AuthError, "bad_code", text))


def _refresh_problem(response: requests.Response) -> GexError | None:
    def refused(text: str) -> GexError:
        if any(name in text for name in _DEAD_REFRESH):
            return trouble(SignInNeeded, "login_expired")
        return trouble(AuthError, "not_authorized", text)

    return _token_problem(response, refused)


def _token_problem(response: requests.Response, refused: Callable[[str], GexError]) -> GexError | None:
    """What an answer of the token endpoint means (schwab-protocol 1.5); None for a good one."""
    status = response.status_code
    error, description = _error_of(response)
    if response.ok and not is_html(response) and not error:
        return (
            None if _is_object(response) else trouble(BrokerError, "outage", "the token answer is not JSON")
        )
    if error == "invalid_client" or (status == 401 and not error):
        return trouble(AuthError, "bad_key")
    if status in (400, 401):
        return refused(f"{error} {description}".strip())
    if 400 <= status < 500 and status not in (403, 429):
        return trouble(BrokerError, "outage", f"status {status}", status=status)
    return problem_of(response)


def _error_of(response: requests.Response) -> tuple[str, str]:
    """`error` and `error_description`. The description holds unescaped quotation marks: a body may not parse."""
    if is_html(response):
        return "", ""
    try:
        document = decode_json(response.content)
    except DataError:
        text = response.text[:400]
        return ("unreadable", text) if '"error"' in text else ("", "")
    if not isinstance(document, dict) or not isinstance(document.get("error"), str):
        return "", ""
    return document["error"][:80], str(document.get("error_description", ""))[:300]


def _is_object(response: requests.Response) -> bool:
    try:
        return isinstance(decode_json(response.content), dict)
    except DataError:
        return False


def _allow_loopback_http(api_url: str) -> None:
    """oauthlib insists on https; the simulator on this machine speaks http. Nothing else may."""
    parts = urlsplit(api_url)
    if parts.scheme == "https":
        return
    try:
        local = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = False
    if parts.scheme != "http" or not local:
        raise SettingsError(f"SCHWAB_API_URL: {api_url!r} is neither https nor on this machine")
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
