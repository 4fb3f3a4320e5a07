"""Who makes the current request, and what that allows. The guard finds it out once a request, before any view runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from flask import current_app, g, has_request_context

from app.api.problems import ApiError

Kind = Literal["owner", "key", "guest", "stranger"]
RESOLVER = "gex-visitor"


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Visitor:
    """One request's maker.

    Attributes:
        kind: owner (signed in), key (a script), guest (came by a share link) or stranger (nobody known: refused on a private
            server, anyone on a public one).
        id: of the session or key, "" for strangers.
        manages: whether it may change what is followed.
        shared: the symbols a guest may see, each with its link's end in seconds since the epoch; None for others.
        check: whether the visitor is still let in; asks the cache.
    """

    kind: Kind
    id: str = ""
    manages: bool = False
    shared: Mapping[str, float] | None = None
    check: Callable[[], bool] = _always

    def sees(self, symbol: str) -> bool:
        """Whether this visitor may see a symbol (canonical)."""
        return self.shared is None or symbol in self.shared

    def still_welcome(self) -> bool:
        """Whether a long answer to this visitor may go on: no session, key or link was revoked or has ended meanwhile."""
        return self.check()


STRANGER = Visitor("stranger")
HOUSE = Visitor("owner", manages=True)  # the program itself: feed, command line, tests without a request


def visitor() -> Visitor:
    """Who makes the current request. Raises CacheError when that can't be found out."""
    if not has_request_context():
        return HOUSE
    if "gex_visitor" not in g:
        resolve = current_app.extensions.get(RESOLVER)
        g.gex_visitor = resolve() if resolve else HOUSE
    return cast(Visitor, g.gex_visitor)


def among(symbols: Iterable[str]) -> list[str]:
    """Those of the symbols that the current visitor may see, in their order."""
    asking = visitor()
    return [symbol for symbol in symbols if asking.sees(symbol)]


def require(symbol: str) -> None:
    """Refuse a guest who may not see this symbol. Raises ApiError."""
    asking = visitor()
    if not asking.sees(symbol):
        raise ApiError(403, not_shared(asking), cure=f"Ask the owner for a link to {symbol}.")


def not_shared(guest: Visitor) -> str:
    """What a guest is told who asks for more than was shared."""
    return f"This shared view shows {', '.join(guest.shared or ())} and nothing else."


def require_manage() -> None:
    """Refuse whoever may not change what is followed. Raises ApiError."""
    asking = visitor()
    if asking.manages:
        return
    if asking.kind == "key":
        raise ApiError(
            403, "This API key may only read.", cure="Make one with the scope manage at /login/keys."
        )
    cure = "Sign in at /login, or send an API key with the scope manage: Authorization: Bearer gex_..."
    raise ApiError(
        403 if asking.kind == "guest" else 401, "Only the owner changes what is followed.", cure=cure
    )
