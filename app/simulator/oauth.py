"""The login: the page on which a person allows the application, and the token endpoint."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import uuid
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from aiohttp import web

from app.simulator.answers import reply
from app.simulator.shared import Shared
from app.simulator.tokens import TokenRefused

AUTHORIZE = "/v1/oauth/authorize"
TOKEN = "/v1/oauth/token"  # noqa: S105 - a path
_PAGES = Path(__file__).parent / "pages"


class Login:
    """Handlers of the two OAuth addresses."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def authorize_page(self, request: web.Request) -> web.Response:
        """GET: what a person sees; an HTML error page for an application or address that isn't registered."""
        problem = self._problem(request)
        if problem:
            return _page("refused.html", 500 if problem == "client" else 400)
        return _page("authorize.html", callback=request.query["redirect_uri"], query=request.query_string)

    async def authorize(self, request: web.Request) -> web.Response:
        """POST: the person allowed it; the browser goes back to the application with a code."""
        problem = self._problem(request)
        if problem:
            return _page("refused.html", 500 if problem == "client" else 400)
        uri = request.query["redirect_uri"]
        answer = {
            "code": self._shared.mint.code(uri, request.query.get("code_challenge")),
            "session": str(uuid.uuid4()),
        }
        if "state" in request.query:
            answer["state"] = request.query["state"]
        return web.Response(
            status=302, headers={"Location": _with_query(uri, answer), "Cache-Control": "no-store"}
        )

    async def token(self, request: web.Request) -> web.Response:
        """POST /v1/oauth/token: both grants."""
        if not self._known(request.headers.get("Authorization", "")):
            return await _error(request, 401, "invalid_client", "Unauthorized")
        if request.content_type != "application/x-www-form-urlencoded":
            return await _error(request, 400, "invalid_request", "form-encoded body expected")
        form = {name: str(value) for name, value in (await request.post()).items()}
        grant = form.get("grant_type", "")
        if grant == "authorization_code":
            return await self._exchange(request, form)
        if grant == "refresh_token":
            return await self._refresh(request, form.get("refresh_token", ""))
        return await _error(request, 400, "unsupported_grant_type", f"grant_type {grant!r} is not supported")

    async def _exchange(self, request: web.Request, form: dict[str, str]) -> web.Response:
        try:
            self._shared.mint.redeem(
                form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier")
            )
        except TokenRefused as refused:
            return await _error(request, 400, "invalid_grant", f"Invalid authorization code: {refused}")
        self._shared.counters.exchanges += 1
        return await self._grant(request, self._shared.mint.refresh())

    async def _refresh(self, request: web.Request, token: str) -> web.Response:
        try:
            self._shared.mint.check_refresh(token)
        except TokenRefused as refused:
            return await _error(request, 400, "unsupported_token_type", _refresh_error(token, str(refused)))
        self._shared.counters.refreshes += 1
        return await self._grant(request, token)

    async def _grant(self, request: web.Request, refresh_token: str) -> web.Response:
        body = {
            "expires_in": self._shared.options.access_life_s, "token_type": "Bearer", "scope": "api",
            "refresh_token": refresh_token, "access_token": self._shared.mint.access(), "id_token": _id_token(),
        }  # fmt: skip
        return await reply(request, orjson.dumps(body))

    def _known(self, header: str) -> bool:
        scheme, _, value = header.partition(" ")
        try:
            given = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        wanted = f"{self._shared.options.app_key}:{self._shared.options.app_secret}".encode()
        return scheme.lower() == "basic" and hmac.compare_digest(given, wanted)

    def _problem(self, request: web.Request) -> str:
        if request.query.get("client_id") != self._shared.options.app_key:
            return "client"
        if request.query.get("response_type", "code") != "code":
            return "request"
        return "" if request.query.get("redirect_uri") in self._shared.options.callback_urls else "callback"


def _page(name: str, status: int = 200, **values: str) -> web.Response:
    template = Template((_PAGES / name).read_text(encoding="utf-8"))
    text = template.substitute({key: html.escape(value) for key, value in values.items()})
    headers = {"Cache-Control": "no-store", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def _with_query(uri: str, values: dict[str, str]) -> str:
    # Schwab writes the address with a slash before the query even where none was registered
    scheme, _, rest = uri.partition("://")
    base = f"{scheme}://{rest}" if "/" in rest or "?" in rest else f"{scheme}://{rest}/"
    return f"{base}{'&' if '?' in base else '?'}{urlencode(values, quote_via=quote)}"


async def _error(request: web.Request, status: int, error: str, description: str) -> web.Response:
    body: dict[str, Any] = {"error": error, "error_description": description}
    return await reply(request, orjson.dumps(body), status)


def _refresh_error(token: str, reason: str) -> str:
    """The unescaped JSON within a string that Schwab sends."""
    if reason == "expired":
        inner = '{"error_description":"Refresh token is invalid, expired or revoked","error":"invalid_grant"}'
    else:
        digest = hashlib.sha256(token.encode()).hexdigest()[:24]
        failed = f"Failed refresh token authentication [tokenDigest={digest}]"
        inner = (
            f'{{"error_description":"Exception while authenticating refresh token [tokenDigest={digest}, '
            f'Exception={failed}]","error":"refresh_token_authentication_error"}}'
        )
    return f'400 Bad Request: "{inner}"'


def _id_token() -> str:
    parts = ({"alg": "none", "typ": "JWT"}, {"sub": str(uuid.uuid4()), "iss": "simulator"})
    return ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in parts) + "."
