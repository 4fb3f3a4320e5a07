"""Schwab's token endpoint: code exchange and renewal through requests-oauthlib, with refusals as errors of ours."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from oauthlib.oauth2 import OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from app.errors import AuthError, BrokerError, DataError, GexError, SettingsError, SignInNeeded
from app.schwab.cures import trouble
from app.schwab.http import decode_json, is_html, problem_of, translated

_TIMEOUT_S = (5.0, 15.0)
_DEAD_REFRESH = ("refresh_token_authentication_error", "unsupported_token_type", "invalid_grant")


class TokenEndpoint:
    """One app at one token endpoint. Both methods return the answer's JSON and raise AuthError or BrokerError."""

    def __init__(self, app_key: str, app_secret: str, callback_url: str, api_url: str) -> None:
        """Raises SettingsError when the address is neither https nor on this machine."""
        _allow_loopback_http(api_url)
        self._key = app_key
        self._secret = app_secret
        self._callback = callback_url
        self._url = f"{api_url}/v1/oauth/token"

    def exchange(self, code: str, code_verifier: str | None) -> dict[str, Any]:
        """The authorization_code grant."""
        extra = {"code_verifier": code_verifier} if code_verifier else {}
        with self._session("access_token_response", _code_problem) as session:
            return dict(
                session.fetch_token(self._url, code=code, auth=self._basic(), timeout=_TIMEOUT_S, **extra)
            )

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """The refresh_token grant. Raises SignInNeeded too, when the token is dead for good."""
        with self._session("refresh_token_response", _refresh_problem) as session:
            return dict(
                session.refresh_token(
                    self._url, refresh_token=refresh_token, auth=self._basic(), timeout=_TIMEOUT_S
                )
            )

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
