"""Puts the door in front of every route of a server."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from app.access import guard
from app.access.account import EXTENSION
from app.access.gate import Broker, Gate
from app.access.key_views import key_views
from app.access.session_views import session_views
from app.access.share_views import share_views
from app.access.views import views
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
    followed: Callable[[], list[str]],
) -> None:
    """Call it before anything else adds request hooks: what runs earlier runs unguarded."""
    server.extensions[EXTENSION] = Gate.build(settings, store, broker, connection, followed)
    guard.install(server, settings, store)
    for pages in (views, share_views, key_views, session_views):
        server.register_blueprint(pages)
