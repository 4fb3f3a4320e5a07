"""Refuses what no page of ours asks of Dash, before Dash would stumble over it with a 500 and a traceback."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from dash import Dash
from dash.exceptions import DependencyException
from flask import Flask, Response, request

from app.api.problems import ApiError, respond

log = logging.getLogger(__name__)

_PATH = "/_dash-update-component"
_ADDRESS = frozenset({"pathname", "search", "hash", "href"})  # what a browser can only give as text


class Property(msgspec.Struct):
    """A property of a component; its value is the callback's own affair, but for the parts of an address."""

    id: str | dict[str, Any]
    property: str
    value: Any = None


Item = Property | list[Property]  # a list where a pattern matches several components


class Callback(msgspec.Struct):
    """The body of a callback request, as far as Dash relies on it."""

    output: str
    outputs: Property | list[Item]
    inputs: list[Item]
    changedPropIds: list[str] = []  # noqa: N815 - Dash's spelling
    state: list[Item] = []


_decoder = msgspec.json.Decoder(Callback)


def install(server: Flask, dash: Dash) -> None:
    """Check the body of every callback request. Call it after Dash is on the server."""
    server.register_error_handler(DependencyException, _no_such_script)

    @server.before_request
    def check() -> Response | None:
        if request.path != _PATH or request.method != "POST":
            return None
        wrong = problem_of(request.get_data(), dash.callback_map)
        if not wrong:
            return None
        log.warning("refused a callback request: %s", wrong)
        return respond(ApiError(400, f"Not a callback of this page: {wrong}.", cure="Reload the page."))


def _no_such_script(error: DependencyException) -> Response:
    """Dash raises for a script that no package of the page has; to whoever asked it just isn't there."""
    log.info("a script was asked for that isn't there: %s", str(error).partition("\n")[0])
    return respond(ApiError(404, f"There is no {request.path}."))


def problem_of(body: bytes, known: dict[str, Any]) -> str:
    """What is wrong with a callback request, "" when nothing is. `known` is Dash's callback map."""
    try:
        asked = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "the body has another shape"
    callback = known.get(asked.output)
    if callback is None:
        return "the output is unknown"
    if not _same(asked.inputs, callback["inputs"]) or not _same(asked.state, callback["state"]):
        return "inputs or state differ"
    if not all(map(_readable, [*asked.inputs, *asked.state])):
        return "a part of the address is no text"
    return "" if _names(asked.outputs) == _expected(asked.output) else "outputs differ"


def _same(given: list[Item], expected: list[dict[str, Any]]) -> bool:
    return len(given) == len(expected) and all(map(_is, given, expected))


def _is(given: Item, expected: dict[str, Any]) -> bool:
    if isinstance(given, list) or isinstance(given.id, dict):
        return str(expected["id"]).startswith("{")  # a pattern, which Dash itself compares
    return (given.id, given.property) == (expected["id"], expected["property"])


def _readable(given: Item) -> bool:
    if isinstance(given, list) or given.property not in _ADDRESS:
        return True
    return given.value is None or isinstance(given.value, str)


def _names(outputs: Property | list[Item]) -> list[str]:
    if isinstance(outputs, Property):
        return [_name(outputs)]
    return ["" if isinstance(item, list) else _name(item) for item in outputs]


def _name(item: Property) -> str:
    return f"{item.id}.{item.property}" if isinstance(item.id, str) else ""


def _expected(output: str) -> list[str]:
    """The names in Dash's `a.children` or `..a.children...b.figure..`; "" for a pattern."""
    names = output[2:-2].split("...") if output.startswith("..") else [output]
    return ["" if name.startswith("{") else name for name in names]
