"""The OpenAPI document at /api/openapi.json and Swagger UI at /api/docs, all of it served from here."""

from __future__ import annotations

from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, render_template
from flask_openapi3.openapi import OpenAPI

from app.api.examples import EXAMPLES
from app.api.problems import PROBLEM_JSON, Problem

SWAGGER = Path(str(files("flask_openapi3_swagger"))) / "templates" / "swagger"
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
    for status, response in responses.items():
        if "content" not in response and status >= "400":
            response["content"] = {PROBLEM_JSON: {"schema": _PROBLEM_REF}}
    example = EXAMPLES.get(name)
    if example is not None:
        responses["200"]["content"]["application/json"]["example"] = example


def problem_responses() -> dict[str | int | HTTPStatus, Any]:
    """The errors that any resource may answer."""
    content = {PROBLEM_JSON: {"schema": _PROBLEM_REF}}
    said = {401: "Not signed in", 422: "A parameter can't be read", 503: "Not available now; see Retry-After"}
    return {status: {"description": text, "content": content} for status, text in said.items()}


__all__ = ["Problem", "docs", "problem_responses", "specification", "swagger"]
