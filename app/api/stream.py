"""GET /gex/{symbol}/stream: the levels as server-sent events, one for every new version of the chain."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, cast

import orjson
from flask import Flask, Response, current_app, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field
from werkzeug.http import http_date

from app.access import visitor as door
from app.api.context import Context, context
from app.api.gex import TAG, result
from app.api.parts import levels_body
from app.api.problems import ApiError
from app.api.query import GexQuery, SymbolPath
from app.cache.results import Result, Results
from app.errors import CacheError, GexError
from app.gex.params import Params
from app.streams import Client, Event, Streams, is_plain, message, relay, take_over

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

EXTENSION = "gex-streams"
SSE = "text/event-stream"
_FULL_RETRY_S = 15
_EVENT = {
    "type": "object",
    "description": "One event; data is a JSON document",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string", "enum": ["levels", "problem", "end"]},
        "data": {"type": "string"},
    },
}

api = APIBlueprint("gex_stream", __name__, url_prefix="/api/v1/gex", abp_tags=[TAG])


class StreamQuery(GexQuery):
    """The query of the stream."""

    limit: int | None = Field(None, ge=1, le=100_000, description="End after so many events; unset: never")


Topic = tuple[str, Params]


class LevelSource:
    """Levels from the memoised results: computed once per version, whatever the number of clients."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def mark(self, topic: Hashable) -> Hashable:
        """The chain's version, and whether it may get another; what is wrong where it can't be read."""
        symbol, _ = cast(Topic, topic)
        try:
            return self._results.version(symbol), self._results.silence()
        except CacheError as error:
            return str(error)

    def event(self, topic: Hashable) -> Event:
        """The levels of the newest version, or what is wrong."""
        symbol, params = cast(Topic, topic)
        try:
            found = self._results.get(symbol, params)
        except GexError as error:
            return _problem(str(error))
        except Exception:  # one chain that fails must not end the streams of the others
            log.exception("the levels of a stream failed", extra={"symbol": symbol})
            return _problem("The server failed on this chain; the log says why.")
        if found is None:
            return _problem(f"There is no data for {symbol} yet.")
        if found.loaded.stale:
            return _problem(f"These levels are the last copy: {found.loaded.error}")
        if silence := self._results.silence():
            return _problem(f"Nothing new comes: {silence}.")
        key = event_id(found)
        return Event(key, message("levels", levels_body(found).plain, key))


def event_id(found: Result) -> str:
    """The version as an event's id."""
    version = found.loaded.version
    return f"{version.epoch}.{version.number}.{version.published_ms}"


def _problem(detail: str) -> Event:
    return Event(f"problem {detail}", message("problem", orjson.dumps({"status": 503, "detail": detail})))


class EventStream(Response):
    """A response whose connection the streams take over. Where that can't be, it is relayed, and holds its thread."""

    def __init__(self, streams: Streams, client: Callable[[socket.socket, bytes], Client]) -> None:
        super().__init__(mimetype=SSE)
        self._streams = streams
        self._client = client
        self.headers["Cache-Control"] = "no-store, no-transform"
        self.headers["X-Accel-Buffering"] = "no"  # nginx passes each event on at once

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            return super().__call__(environ, start_response)
        headers = self.get_wsgi_headers(environ)
        headers.pop("Content-Length", None)
        connection = environ.get("gunicorn.socket")
        start_response(self.status, headers.to_wsgi_list())
        if not is_plain(connection):
            ours, body = relay()
            self._streams.add(self._client(ours, b""))
            return body
        headers["Connection"], headers["Date"] = "close", http_date()
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.to_wsgi_list())
        head = f"HTTP/1.1 {self.status}\r\n{lines}\r\n".encode("latin-1")
        self._streams.add(self._client(take_over(cast(socket.socket, connection)), head))
        return ()


@api.get(
    "/<symbol>/stream",
    responses={200: {"content": {SSE: {"schema": _EVENT}}}},
    operation_id="stream_gex_levels",
)
def stream(path: SymbolPath, query: StreamQuery) -> Response:
    """Levels as server-sent events: one now, and one for every new version of the chain.

    `levels` carries the document of GET /gex/{symbol}/levels, its id being the version; with Last-Event-ID the first one is
    left out when nothing has changed since. `problem` says why there are none for now, `end` why the stream ends:
    revoked, dropped, shutdown or limit. A comment keeps a quiet stream alive. 503 when all places are taken.
    """
    bound, streams = context(), _streams()
    result(path.symbol, query)
    if streams.full:
        raise ApiError(
            503,
            "Too many event streams are open.",
            cure="Wait for one to end, ask GET /gex/{symbol}/levels instead, or raise STREAM_CLIENTS.",
            retry_after_s=_FULL_RETRY_S,
        )
    if "gunicorn.socket" in request.environ and not is_plain(request.environ["gunicorn.socket"]):
        raise ApiError(
            501,
            "This server speaks TLS itself, and can't keep event streams open beside its pages.",
            cure="Put TLS into a proxy in front (docs/hosting.md), or ask GET /gex/{symbol}/levels.",
        )
    ended = _ending(bound, path.symbol, door.visitor().still_welcome)
    have = request.headers.get("Last-Event-ID", "")

    def client(connection: socket.socket, head: bytes) -> Client:
        topic = (path.symbol, query.params())
        return Client(connection, topic, ended, key=have, left=query.limit, head=head)

    return EventStream(streams, client)


def _ending(bound: Context, symbol: str, welcome: Callable[[], bool]) -> Callable[[], str]:
    def ended() -> str:
        try:
            if not welcome():
                return "revoked"
            return "" if bound.follows(symbol) else "dropped"
        except CacheError:
            return ""  # nobody can tell now: as it was

    return ended


def _streams() -> Streams:
    return streams_of(current_app)


def streams_of(server: Flask) -> Streams:
    """The open streams of a server."""
    return cast(Streams, server.extensions[EXTENSION])
