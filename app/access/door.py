"""Puts the door in front of every route of a server."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from app.access import guard
from app.access.gate import Broker, Gate
from app.access.key_views import key_views
from app.access.views import EXTENSION, views
from app.cache.base import Store
from app.models import SchwabConnection
from app.settings import Settings


def install(
    server: Flask,
    *,
    settings: Settings,
    store: Store,
    broker: Broker,
    connection: Callable[[], SchwabConnection | None],
) -> None:
    """Call it before anything else adds request hooks: what runs earlier runs unguarded."""
    server.extensions[EXTENSION] = Gate.build(settings, store, broker, connection)
    guard.install(server, settings)
    server.register_blueprint(views)
    server.register_blueprint(key_views)
