"""The web server: the door, the REST API and the dashboard on one Flask application."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Flask, Request
from flask_compress import Compress
from flask_openapi3.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from app import api
from app.access import door, headers
from app.access.callback import check_callback

if TYPE_CHECKING:
    from app.services import Services

log = logging.getLogger(__name__)

LARGEST_REQUEST = 2 * 1024 * 1024
# Paths whose content never changes under one address: packed once, not per request.
_MOST_PACKED = 128
_FIXED_PATHS = ("/_dash-component-suites/", "/api/docs/ui/")


def create_server(services: Services) -> OpenAPI:
    """A server for these services. Nothing is started: no feed, no Redis."""
    settings = services.settings
    server = api.make_server("app")
    server.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    _compress(server)
    headers.install(server, settings, lambda: _script_hashes(server))
    door.install(
        server,
        settings=settings,
        store=services.store,
        broker=services.oauth,
        connection=services.results.connection,
    )
    api.install(server, settings=settings, store=services.store, results=services.results)
    from app import (
        dashboard,
    )  # imports Dash, and with it a second of start-up: not for the listener's process

    server.extensions["gex-dash"] = dashboard.install(server, services)
    _behind_proxies(server, settings.trusted_proxies)
    for said in [] if settings.simulated else check_callback(settings.schwab_callback_url):
        log.warning("%s", said)
    return server


def _script_hashes(server: Flask) -> Sequence[str]:
    hashes: Sequence[str] = server.extensions["gex-dash"].csp_hashes()
    return hashes


def _behind_proxies(server: Flask, hops: int) -> None:
    """Believe X-Forwarded-* from exactly that many proxies; from none, the headers are ignored."""
    if hops:
        proxied = ProxyFix(server.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_port=hops)
        server.wsgi_app = proxied  # type: ignore[method-assign]


class _Packed:
    """Keeps the packed form of what never changes; everything else is packed as it is sent.

    Bounded: Dash serves one file under any fingerprint, so a stranger can ask for it under a million addresses.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            return self._kept.get(key)

    def set(self, key: str, value: bytes) -> None:
        if not key.partition(";")[2]:
            return
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST_PACKED:
                self._kept.popitem(last=False)


def _fixed_path(request: Request) -> str:
    return request.path if request.path.startswith(_FIXED_PATHS) else ""


def _compress(server: Flask) -> None:
    server.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_ALGORITHM_STREAMING=["br", "gzip"],
        COMPRESS_BR_LEVEL=3,  # above 4 it costs more than the network saves
        COMPRESS_LEVEL=4,
        COMPRESS_CACHE_BACKEND=_Packed,
        COMPRESS_CACHE_KEY=_fixed_path,
    )
    Compress(server)
