"""The OpenAPI document at /api/openapi.json and Swagger UI at /api/docs, all of it served from here."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, render_template
from flask_openapi3.openapi import OpenAPI

from app.api.examples import EXAMPLES
from app.api.problems import PROBLEM_JSON

SWAGGER = Path(str(files("flask_openapi3_swagger"))) / "templates" / "swagger"
_OPEN = ("/health/live", "/health/ready")
_TABLES = ("/options/{symbol}", "/strikes", "/expiries")
_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}

docs = Blueprint(
    "api_docs",
    __name__,
    url_prefix="/api",
    template_folder="templates",
    static_folder="static",
    static_url_path="/docs/page",
)
swagger = Blueprint(
    "api_swagger", __name__, url_prefix="/api/docs", static_folder=str(SWAGGER), static_url_path="/ui"
)


@docs.get("/openapi.json")
def openapi_document() -> Response:
    """The OpenAPI 3.1 document."""
    response = Response(orjson.dumps(specification(current_app)), mimetype="application/json")  # type: ignore[arg-type]
    response.headers["Cache-Control"] = "private, max-age=60"
    return response


@docs.get("/docs")
@docs.get("/docs/")
def page() -> str:
    """Swagger UI on the document."""
    return render_template("api_docs.html")


def specification(server: OpenAPI) -> dict[str, Any]:
    """The document that flask-openapi3 collects, with our problem documents and examples in it."""
    spec: dict[str, Any] = server.api_doc
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            _complete(operation, f"{method.upper()} {path}")
    return spec


def _complete(operation: dict[str, Any], name: str) -> None:
    responses = operation["responses"]
    responses["200"]["content"]["application/json"]["example"] = EXAMPLES[name]
    responses.pop("422", None)  # flask-openapi3's own, which isn't what our callback sends
    for status, said in _errors(operation, name).items():
        problem = {"description": said, "content": {PROBLEM_JSON: {"schema": _PROBLEM_REF}}}
        responses.setdefault(status, problem)
    if not name.endswith(_OPEN):
        operation["security"] = [{"key": []}, {"session": []}]
    if "{symbol}" in name:
        responses["304"] = {"description": "Unchanged since the version in If-None-Match"}
    if name.endswith(_TABLES):
        responses["200"]["content"]["text/csv"] = {"schema": {"type": "string"}}


def _errors(operation: dict[str, Any], name: str) -> dict[str, str]:
    """The problems that an operation may answer, by status."""
    closed = {} if name.endswith(_OPEN) else {"401": "Not signed in (private servers)"}
    asked = {"422": "A parameter can't be read"} if operation.get("parameters") else {}
    symbol = {"404": "The symbol is not followed"} if "{symbol}" in name else {}
    table = {"406": "Neither JSON nor CSV is accepted"} if name.endswith(_TABLES) else {}
    late = (
        {}
        if name.endswith(_OPEN)
        else {"503": "No data yet, or no cache; Retry-After says when to ask again"}
    )
    busy = {"429": "Too many requests; Retry-After says when to go on"}
    return {**closed, **asked, **symbol, **table, **busy, **late}
