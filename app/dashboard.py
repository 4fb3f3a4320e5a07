"""The dashboard on the web server: its routes, its page and its callbacks."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dash import Dash, html
from flask import Flask, Response, make_response, redirect, request

import callbacks.live
import callbacks.navigation
from app.access.account import account_links, asking, shared_words
from app.access.presence import signed_in
from app.access.visitor import among
from app.errors import SymbolError
from app.market.symbols import canonical
from app.viewing import sees_everything
from components.account import account_menu
from components.controls import page_url
from components.page import page, still
from components.still import templates

if TYPE_CHECKING:
    from app.services import Services

ROOT = Path(__file__).resolve().parents[1]
TITLE = "GEX"
_TICK_MS = 1000
_JITTER_MS = 120


def install(server: Flask, services: Services) -> Dash:
    """Put the dashboard onto `server`: `/`, `/gex/<symbol>` and what Dash needs. Returns the Dash app."""

    def followed() -> list[str]:
        return among(services.watchlist.symbols())

    server.add_url_rule("/", "first_symbol", lambda: redirect(page_url(followed()[0])))
    app = GexDash(
        __name__,
        server=cast(Any, server),  # Dash's types forget that a Flask app may be given
        use_async=False,
        serve_locally=True,
        assets_folder=str(ROOT / "assets"),
        title=TITLE,
        update_title="",
        add_log_handler=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "color-scheme", "content": "dark light"},
            {"name": "description", "content": "Live gamma exposure by strike and expiry."},
        ],
    )
    app.layout = _layout
    app.index_string = _with_still_parts(app.index_string)
    callbacks.live.register(app, services.results, services.alerts, followed, services.history, signed_in)
    callbacks.navigation.register(app, followed, sees_everything)
    for name in callbacks.navigation.DOCUMENTS:
        server.add_url_rule(f"/{name}", f"{name}_page", app.first_html)
    server.add_url_rule(
        "/gex/<path:symbol>", "symbol_page", lambda symbol: _symbol_page(app, followed, symbol)
    )
    server.view_functions["/<path:path>"] = lambda path: (app.first_html(), 404)  # noqa: ARG005
    # Dash learns which scripts exist when it first renders a page. A worker that is asked for a script of a page that
    # another worker rendered would answer 500.
    with server.test_request_context("/"):
        app.first_html()
    return app


def _with_still_parts(index: str) -> str:
    """Dash's page in a named language, what never changes, and words for a browser that runs no scripts."""
    words = (
        "<noscript>This page needs JavaScript: allow it for this address and load the page again.</noscript>"
    )
    entry = f"{words}{templates(still())}{{%app_entry%}}"
    return index.replace("<html>", '<html lang="en">').replace("{%app_entry%}", entry)


def _layout() -> html.Div:
    """The page of whoever asks. Tabs' ticks must not fall together: each has an interval of its own."""
    who = asking()
    account = account_menu(account_links(who), shared_words(who))
    return page(_TICK_MS - random.randint(0, _JITTER_MS), account, who is not None and who.manages)


# What no browser that can show the page needs (assets/aa-old.js): polyfills, which also replace quick functions by slow
# ones, and a table that the page doesn't use.
_UNUSED = re.compile(r'<script src="[^"]*/(?:deps/polyfill@|dash_table/)[^"]*"></script>\s*')
# Dash asks for these one after the other, once the page is built: named in the first HTML, they come meanwhile.
_LATE = ("dash/dcc/async-graph.js", "plotly/package_data/plotly.min.js")


class GexDash(Dash):
    """Dash, with the page's title taken from its address, and its scripts chosen and told ahead."""

    def _generate_scripts_html(self) -> str:
        return _UNUSED.sub("", super()._generate_scripts_html())

    def interpolate_index(self, metas: Any = "", title: Any = "", *rest: Any, **parts: Any) -> str:
        """The first HTML, titled for its symbol, so that bookmarks and link previews name it."""
        symbol = _path_symbol(request.path)
        if not symbol:
            return str(super().interpolate_index(metas, title, *rest, **parts))  # type: ignore[no-untyped-call]
        told = f"{metas}{self._preloads()}"
        titled = f"{symbol} gamma exposure"
        return str(super().interpolate_index(told, titled, *rest, **parts))  # type: ignore[no-untyped-call]

    def _preloads(self) -> str:
        suites = f"{self.config.requests_pathname_prefix}_dash-component-suites"
        return "".join(f'\n      <link rel="preload" as="script" href="{suites}/{path}">' for path in _LATE)

    def first_html(self) -> str:
        """The page before any script has run."""
        return str(self.index())  # type: ignore[no-untyped-call]


def _path_symbol(path: str) -> str:
    if not path.startswith("/gex/"):
        return ""
    try:
        return canonical(path.removeprefix("/gex/"))
    except SymbolError:
        return ""


def _symbol_page(app: GexDash, followed: Callable[[], list[str]], text: str) -> Response:
    """The page of a symbol: redirected to its canonical spelling; 404, with words, where there is none."""
    symbol, problem = callbacks.navigation.locate(f"gex/{text}", followed())
    address = page_url(symbol)
    if symbol and request.path != address:
        query = request.query_string.decode()
        return make_response(redirect(f"{address}?{query}" if query else address))
    return make_response(app.first_html(), 404 if problem else 200)
