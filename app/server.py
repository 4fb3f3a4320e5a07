"""The web server: the door, the REST API and the dashboard on one Flask application."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import Flask
from flask_openapi3.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from app import api, dashboard, malformed, metrics, packing
from app.access import door, headers
from app.access.callback import check_callback
from app.api import alerts, express, stream
from app.api.context import context_of

if TYPE_CHECKING:
    from app.services import Services

log = logging.getLogger(__name__)

LARGEST_REQUEST = 2 * 1024 * 1024


def create_server(services: Services) -> OpenAPI:
    """A server for these services. Nothing is started: no feed, no Redis."""
    settings = services.settings
    server = api.make_server("app")
    server.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    packing.install(server)
    metrics.install(server, services.results, services.watchlist)
    door.install(
        server,
        settings=settings,
        store=services.store,
        broker=services.oauth,
        connection=services.results.connection,
        followed=services.watchlist.symbols,
    )
    api.install(
        server,
        settings=settings,
        store=services.store,
        results=services.results,
        watchlist=services.watchlist,
        history=services.history,
    )
    stream.streams_of(server).observe = metrics.STREAMS.set
    alerts.install(server, services.alerts)
    dash = dashboard.install(server, services)
    malformed.install(server, dash)
    headers.install(server, settings, dash.csp_hashes)
    if settings.is_public:
        unchanged = context_of(server).unchanged
        server.wsgi_app = express.Express(server.wsgi_app, unchanged, metrics.count)  # type: ignore[method-assign]
    _behind_proxies(server, settings.trusted_proxies)
    for said in [] if settings.simulated else check_callback(settings.schwab_callback_url):
        log.warning("%s", said)
    return server


def _behind_proxies(server: Flask, hops: int) -> None:
    """Believe X-Forwarded-* from exactly that many proxies; from none, the headers are ignored."""
    if hops:
        proxied = ProxyFix(server.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_port=hops)
        server.wsgi_app = proxied  # type: ignore[method-assign]
