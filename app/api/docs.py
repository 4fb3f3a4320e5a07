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
from app.api.tables import ARROW

SWAGGER = Path(str(files("flask_openapi3_swagger"))) / "templates" / "swagger"
_OPEN = ("/health/live", "/health/ready")
_NEGOTIATED = ("/options/{symbol}", "/strikes", "/expiries", "/history", "/days")
_TABLES = (*_NEGOTIATED, "/levels/file")
JSON, SSE = "application/json", "text/event-stream"
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
    responses.pop("422", None)  # flask-openapi3's own, which isn't what our callback sends
    for response in responses.values():
        for kind, content in response.get("content", {}).items():
            if kind in (JSON, SSE):
                content.setdefault("example", EXAMPLES[name])
    for status, said in _errors(name).items():
        problem = {"description": said, "content": {PROBLEM_JSON: {"schema": _PROBLEM_REF}}}
        responses.setdefault(status, problem)
    if not name.endswith(_OPEN):
        operation["security"] = [{"key": []}, {"session": []}]
    if name.endswith(_TABLES):
        content = responses.setdefault("200", {"description": "OK"}).setdefault("content", {})
        content["text/csv"] = {"schema": {"type": "string"}}
        if name.endswith("/file"):
            content["text/plain"] = {"schema": {"type": "string"}}  # format=line and format=pine
        else:
            content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
    if _is_tagged(name) and SSE not in responses["200"]["content"]:
        responses["304"] = {"description": "Unchanged since the version in If-None-Match"}


def _is_tagged(name: str) -> bool:
    """Whether its answers carry an ETag."""
    return name.startswith("GET") and ("{symbol}" in name or name.endswith("/alerts"))


def _errors(name: str) -> dict[str, str]:
    """The problems that an operation may answer, by status."""
    busy = {"429": "Too many requests; Retry-After says when to go on"}
    if name.endswith(_OPEN):
        return busy
    return {
        "401": "Not signed in (private servers), or no right to change what is followed",
        "403": "Not with this API key or shared link, or not from another site's page",
        **({"404": "The symbol is not followed"} if "{symbol}" in name else {}),
        **({"404": "There is no such webhook"} if "{id}" in name else {}),
        **({"406": "None of the table's formats is accepted"} if name.endswith(_NEGOTIATED) else {}),
        **(
            {}
            if name.startswith("GET")
            else {"409": "A limit is reached, it is the last one followed, or it was changed meanwhile"}
        ),
        **({} if name.endswith("/health") else {"422": "A parameter or the body can't be read"}),
        **busy,
        "503": "No data yet, or no cache; Retry-After says when to ask again",
    }
