"""The results, as far as whoever makes the current request may see them.

Pages and REST read through this: no callback, whatever it is asked, shows a guest another symbol than the shared one.
"""

from __future__ import annotations

from app.access.visitor import Visitor, among, not_shared, visitor
from app.cache.base import Version
from app.cache.results import Result, Results
from app.errors import GexError
from app.gex.params import Params
from app.models import CacheStats, Event, FeedProblem, SchwabConnection


class NotShared(GexError):  # noqa: N818
    """A guest asked for a symbol that isn't shared."""


class Viewed(Results):
    """Results that refuse a guest every symbol but the shared ones, and tell a guest little of the server itself."""

    def get(self, symbol: str, params: Params | None = None) -> Result | None:
        """As Results.get. Raises NotShared."""
        require_seen(symbol)
        return super().get(symbol, params)

    def version(self, symbol: str) -> Version | None:
        """As Results.version. Raises NotShared."""
        require_seen(symbol)
        return super().version(symbol)

    def symbols(self) -> list[str]:
        """Those of the symbols that the visitor may see."""
        return among(super().symbols())

    def connection(self) -> SchwabConnection | None:
        """The feed's account; for a guest, whether it lives and how it covers what is shared."""
        found, asking = super().connection(), visitor()
        return found if found is None or asking.shared is None else _outline(found, asking)

    def events(self, limit: int = 100) -> list[Event]:
        """The feed's last events; none for a guest, for they name other symbols."""
        return [] if visitor().shared is not None else super().events(limit)

    def stats(self) -> CacheStats:
        """The cache's account; for a guest, whether it works."""
        found = super().stats()
        if visitor().shared is None:
            return found
        return CacheStats(backend=found.backend, healthy=found.healthy)


def sees_everything() -> bool:
    """Whether what is about more than a shared symbol, as the status page is, may be shown."""
    return visitor().shared is None


def require_everything() -> None:
    """Refuse a guest what is about more than the shared symbol. Raises NotShared."""
    if not sees_everything():
        raise NotShared(not_shared(visitor()), cure="Choose another view.")


def require_seen(symbol: str) -> None:
    """Refuse a guest a symbol that isn't shared. Raises NotShared."""
    asking = visitor()
    if not asking.sees(symbol):
        raise NotShared(not_shared(asking), cure="Ask the owner for another link.")


def _outline(found: SchwabConnection, guest: Visitor) -> SchwabConnection:
    problem = found.problem
    if problem or found.state == "signed_out":
        since = problem.since if problem else found.since
        problem = FeedProblem(code="shared", message="The owner's feed has a problem.", since=since)
    return SchwabConnection(
        state="stopped" if found.state == "signed_out" else found.state,
        since=found.since,
        source=found.source,
        last_frame_at=found.last_frame_at,
        last_data_at=found.last_data_at,
        heartbeat_at=found.heartbeat_at,
        coverage={symbol: cover for symbol, cover in found.coverage.items() if guest.sees(symbol)},
        problem=problem,
    )
