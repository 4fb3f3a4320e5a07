"""The typed REST API under /api/v1, its OpenAPI document and its Swagger UI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.json.provider import DefaultJSONProvider
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

from app import __version__
from app.api import docs, gex, market, parts, past, problems, status, stream, symbols, unchanged
from app.api.context import Context, attach
from app.api.unchanged import Unchanged
from app.cache.base import Store
from app.cache.results import Results
from app.history.reader import History
from app.settings import Settings
from app.streams import Streams
from app.watchlist import Watchlist

INFO = Info(
    title="GEX dashboard",
    version=__version__,
    description="The numbers of the page, for scripts. Unknown is null, never a made-up number; exposures are dollars. "
    "Errors are RFC 9457 problem documents.",
)


class Json(DefaultJSONProvider):
    """JSON that is read strictly: without NaN, and what is nested deeper than Python can read is malformed."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """A document. Raises ValueError."""
        try:
            return super().loads(s, parse_constant=_refuse, **kwargs)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class Server(OpenAPI):
    """A Flask server that collects an OpenAPI document."""

    json_provider_class = Json

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: nothing here is asynchronous, and Flask would look at every hook of every request to find that out."""
        return func


def make_server(import_name: str) -> OpenAPI:
    """An empty server."""
    return Server(
        import_name,
        info=INFO,
        security_schemes={
            "session": {"type": "apiKey", "in": "cookie", "name": "gex_session"},
            "key": {"type": "http", "scheme": "bearer"},
        },
        validation_error_model=problems.Problem,
        validation_error_callback=problems.invalid_request,
        doc_ui=False,  # its pages have inline scripts; app.api.docs serves the same without
        static_folder=None,
    )


def install(
    server: OpenAPI,
    *,
    settings: Settings,
    store: Store,
    results: Results,
    watchlist: Watchlist,
    history: History,
) -> None:
    """Add every resource to the server."""
    known = Unchanged(store, watchlist.dropped, results.silence)
    attach(server.extensions, Context(settings, store, results, watchlist, history, known))
    problems.install(server)
    unchanged.install(server, known)
    streams = Streams(stream.LevelSource(results), settings.stream_clients)
    server.extensions[stream.EXTENSION] = streams
    for blueprint in (status.api, symbols.api, market.api, gex.api, parts.api, past.api, stream.api):
        server.register_api(blueprint)
    server.register_blueprint(docs.docs)
    server.register_blueprint(docs.swagger)
