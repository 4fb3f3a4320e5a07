"""RFC 9457 problem documents: every error under /api is one, also for paths that don't exist.

The catch-all route of Dash would answer an unknown path under /api with a page and status 200; `install` sees to it
that such a path is a 404 problem.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Request, Response, current_app, has_request_context, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import MapAdapter

from app.errors import CacheError, GexError, HistoryError, SymbolError

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
_PREFIX = "/api"


class InvalidParameter(BaseModel):
    """One parameter that can't be read."""

    name: str = Field(examples=["side"])
    reason: str = Field(examples=["Input should be 'naive', 'inverted' or 'long'"])


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it, with what its reader can do about it (`cure`)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field("about:blank", description="A name for the kind of problem")
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field("", examples=["XYZ is not followed."])
    instance: str = Field("", description="The path that was asked for")
    cure: str = Field("", description="What helps", examples=["Followed are SPX, SPY."])
    invalid: list[InvalidParameter] = Field(default_factory=list, description="Only with 422")


class ApiError(Exception):
    """An answer other than success, raised where a resource finds it out.

    Attributes:
        status: the HTTP status.
        retry_after_s: sent as Retry-After, where waiting helps.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        cure: str = "",
        kind: str = "about:blank",
        retry_after_s: int | None = None,
        invalid: list[InvalidParameter] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after_s = retry_after_s
        self.problem = Problem(
            type=kind,
            title=HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            cure=cure,
            invalid=invalid or [],
        )


def respond(error: ApiError, headers: dict[str, str] | None = None) -> Response:
    """The response of an error."""
    where = request.path if has_request_context() else ""
    body = error.problem.model_copy(update={"instance": where}).model_dump(exclude_defaults=False)
    if not body["invalid"]:
        del body["invalid"]
    response = Response(orjson.dumps(body), status=error.status, mimetype=PROBLEM_JSON)
    response.headers.update(headers or {})
    response.headers["Cache-Control"] = "no-store"
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def invalid_request(error: ValidationError) -> Response:
    """What flask-openapi3 answers when a path, query or body doesn't fit its model: 422."""
    invalid = [
        InvalidParameter(
            name=".".join(str(part) for part in item["loc"]) or "request",
            reason=_reason(item["msg"], item["loc"]),
        )
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    said = "; ".join(f"{item.name}: {item.reason}" for item in invalid)
    return respond(ApiError(422, said, invalid=invalid, cure="See /api/docs for what is allowed."))


def _reason(said: str, where: tuple[int | str, ...]) -> str:
    """pydantic's words; where it was handed no document at all, what a body has to be."""
    if not where and said.startswith("Input should be a valid dictionary"):
        return "the body must be a JSON object, sent with Content-Type: application/json"
    return said.removeprefix("Value error, ")


def under_api(asked: Request) -> bool:
    """Whether the request is for the API, and so is answered with problem documents."""
    return asked.path == _PREFIX or asked.path.startswith(_PREFIX + "/")


def install(server: Flask) -> None:
    """Make every error under /api a problem document."""
    server.register_error_handler(ApiError, respond)
    server.register_error_handler(HTTPException, _http_error)
    server.register_error_handler(GexError, _our_error)
    server.register_error_handler(Exception, _unforeseen)
    server.before_request(_refuse_unknown)
    server.after_request(_allow)


def _refuse_unknown() -> Response | None:
    methods = _known_methods() if under_api(request) else None
    if methods is None:
        return None
    if not methods:
        return respond(ApiError(404, f"There is no {request.path}.", cure="See /api/docs."))
    if request.url_rule is not None:  # Dash's page would answer
        allowed = ", ".join(sorted(methods))
        return respond(ApiError(405, f"{request.path} takes {allowed}."), {"Allow": allowed})
    return None


def _allow(response: Response) -> Response:
    """OPTIONS tells the path's own methods, without those of Dash's catch-all."""
    if request.method == "OPTIONS" and under_api(request) and "Allow" in response.headers:
        adapter = current_app.create_url_adapter(request)
        if adapter is not None:
            methods = [method for method in adapter.allowed_methods() if _takes(adapter, method)]
            response.headers["Allow"] = ", ".join(sorted(methods))
    return response


def _known_methods() -> list[str] | None:
    """The methods the path takes, Dash's catch-all left out; None when the request has a route of its own."""
    if request.url_rule is not None and not _is_catch_all(request.url_rule.rule):
        return None
    adapter = current_app.create_url_adapter(request)
    return [] if adapter is None else [m for m in adapter.allowed_methods() if _takes(adapter, m)]


def _takes(adapter: MapAdapter, method: str) -> bool:
    try:
        rule, _ = adapter.match(method=method, return_rule=True)
    except HTTPException:
        return False
    return not _is_catch_all(rule.rule)


def _is_catch_all(rule: str) -> bool:
    return rule in ("/<path:path>", "/")


def _http_error(error: HTTPException) -> Any:
    if not under_api(request):
        return error
    if error.response is not None:
        return error.response
    headers = {}
    if isinstance(error, MethodNotAllowed):
        methods = sorted(_known_methods() or [])
        headers["Allow"] = ", ".join(methods)
    detail = "" if isinstance(error, NotFound) else (error.description or "")
    return respond(ApiError(error.code or 500, detail or f"There is no {request.path}."), headers)


def _our_error(error: GexError) -> Any:
    if not under_api(request):
        raise error
    if isinstance(error, SymbolError):
        return respond(ApiError(422, str(error), cure=error.cure))
    if isinstance(error, CacheError | HistoryError):
        return respond(ApiError(503, str(error), cure=error.cure, retry_after_s=2))
    log.error("request failed", extra={"path": request.path, "error": str(error)})
    return respond(ApiError(500, "The server failed on this request.", cure=error.cure))


def _unforeseen(error: Exception) -> Any:
    if not under_api(request):
        raise error
    log.exception("request failed", extra={"path": request.path})
    return respond(ApiError(500, "The server failed on this request.", cure="The log says why."))
