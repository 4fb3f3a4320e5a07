"""What the resources read: settings, the cache and the memoised results. Never the broker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app

from app.access import visitor as door
from app.api.problems import ApiError
from app.api.unchanged import Unchanged
from app.cache.base import Store
from app.cache.results import Results
from app.history.reader import History
from app.models import SchwabConnection
from app.settings import Settings
from app.watchlist import Watchlist

_KEY = "gex-api"
RETRY_S = 2


@dataclass(frozen=True)
class Context:
    """One server's sources."""

    settings: Settings
    store: Store
    results: Results
    watchlist: Watchlist
    history: History
    unchanged: Unchanged
    started_at: float = field(default_factory=time.monotonic)

    def followed(self) -> list[str]:
        """The symbols that are followed, or that another server's feed publishes, in order."""
        dropped = self.watchlist.dropped()
        published = [symbol for symbol in self.store.symbols() if symbol not in dropped]
        return list(dict.fromkeys([*self.watchlist.symbols(), *published]))

    def require(self, symbol: str) -> None:
        """Refuse a symbol that nobody follows: 404."""
        if not self.follows(symbol):
            raise self.unknown(symbol)

    def follows(self, symbol: str) -> bool:
        """Whether a symbol is followed. Raises CacheError."""
        return symbol in self.watchlist.symbols() or symbol in self.followed()

    def unknown(self, symbol: str) -> ApiError:
        """The 404 for a symbol that nobody follows."""
        names = ", ".join(door.among(self.watchlist.symbols()))
        cure = f"Followed are: {names}. The owner follows more with POST /api/v1/symbols, or in SYMBOLS."
        return ApiError(404, f"{symbol} is not followed.", cure=cure)

    def no_data(self, symbol: str) -> ApiError:
        """The 503 for a symbol whose chain hasn't arrived, saying why where the feed knows."""
        cure = "It usually takes a few seconds after the start; try again."
        problem = self._problem()
        if problem:
            cure = problem
        return ApiError(503, f"There is no data for {symbol} yet.", cure=cure, retry_after_s=RETRY_S)

    def _problem(self) -> str:
        connection: SchwabConnection | None = self.results.connection()
        if connection is None:
            return "No feed is running: start one, or look at its log."
        if connection.problem:
            return f"{connection.problem.message} {connection.problem.cure}".strip()
        return "Sign in with Schwab at /login." if connection.state == "signed_out" else ""


def context() -> Context:
    """The context of the server that handles the current request."""
    return context_of(current_app)


def context_of(server: Flask) -> Context:
    """The context of a server."""
    return cast(Context, server.extensions[_KEY])


def attach(server_extensions: dict[str, object], bound: Context) -> None:
    """Give a server its context."""
    server_extensions[_KEY] = bound
