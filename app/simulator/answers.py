"""Answers of Schwab's REST side: headers, compression and the shapes of its errors."""

from __future__ import annotations

import asyncio
import gzip
import uuid
from typing import Any

import orjson
from aiohttp import web

CORREL = "Schwab-Client-CorrelId"
_COMPRESS_FROM = 512
_ACCESS_DENIED = """<HTML><HEAD>
<TITLE>Access Denied</TITLE>
</HEAD><BODY>
<H1>Access Denied</H1>
You don't have permission to access this resource on this server.<P>
Reference&#32;&#35;18&#46;simulated
</BODY>
</HTML>
"""
TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests",
    500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


class Refusal(Exception):  # noqa: N818 - an answer, on its way out
    """A request that gets an error, with what the answer says."""

    def __init__(self, status: int, detail: str = "", source: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.source = status, detail, source


async def reply(request: web.Request, body: bytes, status: int = 200) -> web.Response:
    """A JSON answer with the headers that Schwab's gateway sets, compressed where the client takes gzip."""
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        CORREL: request.headers.get(CORREL) or str(uuid.uuid4()),
        "Schwab-Resource-Version": "1",
        "X-Request-Id": str(uuid.uuid4()),
    }
    if len(body) >= _COMPRESS_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
        # level 1: the bytes cross loopback only, and the other core runs the client
        body = await asyncio.to_thread(gzip.compress, body, 1)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, status=status, headers=headers)


async def refuse(request: web.Request, refusal: Refusal, retry_after_s: int = 0) -> web.Response:
    """The answer to a refused request, in the shape of the path it came to."""
    if refusal.status == 403:
        return web.Response(
            status=403, text=_ACCESS_DENIED, content_type="text/html", headers={"Server": "AkamaiGHost"}
        )
    response = await reply(request, orjson.dumps(_shape(request.path, refusal)), refusal.status)
    if refusal.status == 429 and retry_after_s:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def _shape(path: str, refusal: Refusal) -> dict[str, Any]:
    status, title = refusal.status, TITLES.get(refusal.status, "Error")
    if status == 502:
        return overflow()
    if path.startswith("/v1/oauth"):
        return {"error": "temporarily_unavailable" if status >= 500 else "invalid_request",
                "error_description": refusal.detail or title}  # fmt: skip
    if path.startswith("/trader/"):
        return {"message": refusal.detail or title, "errors": [refusal.detail or title]}
    error: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "status": status if status == 401 else str(status),
        "title": title,
    }
    if refusal.detail:
        error["detail"] = refusal.detail
    if refusal.source:
        error["source"] = refusal.source
    return {"errors": [error]}


def overflow() -> dict[str, Any]:
    """What the gateway says of an answer that it won't carry."""
    return {
        "fault": {"faultstring": "Body buffer overflow", "detail": {"errorcode": "protocol.http.TooBigBody"}}
    }
