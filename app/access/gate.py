"""One server's door: what is needed to sign in, and the three steps of it, without a web framework."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from app.access.keys import ApiKey, ApiKeys
from app.access.last_use import LastUse
from app.access.ledger import Ledger
from app.access.limits import Limit
from app.access.origin import is_ours
from app.access.owner import Owner, identify
from app.access.pending import PendingLogin, PendingLogins
from app.access.sessions import Session, Sessions, digest
from app.access.shares import Guests, ShareLink, ShareLinks
from app.cache.base import Store
from app.cache.slot import RedisSlot
from app.errors import CacheError
from app.models import SchwabConnection, TokenLife
from app.schwab.oauth import Login, OAuth
from app.schwab.tokens import Token
from app.settings import Settings
from app.slots import FileSlot, Slot


class Broker(Protocol):
    """What of app.schwab.OAuth the door uses."""

    def authorize(self) -> Login: ...

    def exchange(
        self, code: str, code_verifier: str | None = None, *, accept: Callable[[str], None] | None = None
    ) -> Token: ...

    def life(self) -> TokenLife: ...

    def sign_out(self) -> None: ...


@dataclass(frozen=True)
class Gate:
    """What the views need."""

    settings: Settings
    broker: Broker
    sessions: Sessions
    pending: PendingLogins
    owner: Owner
    keys: ApiKeys
    shares: ShareLinks
    guests: Guests
    last_use: LastUse
    connection: Callable[[], SchwabConnection | None]
    followed: Callable[[], list[str]]
    questions: Limit = field(default_factory=lambda: Limit(600, 200.0))

    @classmethod
    def build(
        cls,
        settings: Settings,
        store: Store,
        broker: Broker,
        connection: Callable[[], SchwabConnection | None],
        followed: Callable[[], list[str]],
    ) -> Gate:
        """The door of one server. What is signed in to the simulator is worth nothing at Schwab."""
        realm = "simulator" if settings.simulated else "schwab"
        shares = ShareLinks(Ledger(_kept(settings, store, "shares", realm), ShareLink, "share links"))
        return cls(
            settings=settings,
            broker=broker,
            sessions=Sessions(Ledger(RedisSlot(store, f"sessions-{realm}"), Session, "sessions")),
            pending=PendingLogins(store),
            owner=Owner(store, settings.data_dir, realm, settings.owner_allowlist),
            keys=ApiKeys(Ledger(_kept(settings, store, "API keys", realm), ApiKey, "API keys")),
            shares=shares,
            guests=Guests(store, realm, shares),
            last_use=LastUse(store, realm),
            connection=connection,
            followed=followed,
        )

    def begin(self, browser: str, origin: str) -> str:
        """Start a login of that browser; returns the address at Schwab. Raises AuthError, CacheError."""
        login = self.broker.authorize()
        with _needs_cache():
            target = self.pending.target(browser)
            self.pending.add(
                login.state, PendingLogin(digest(browser), login.code_verifier or "", target, origin)
            )
        return login.url

    def origin_of(self, state: str) -> str:
        """Where the login of that state began, "" when that is unknown or no name of ours. Raises CacheError."""
        login = self.pending.peek(state) if state else None
        return login.origin if login and is_ours(login.origin, self.settings) else ""

    def complete(self, address: str, browser: str, kind: str = "") -> tuple[str, str]:
        """Finish a login with the address that Schwab sent the browser to; returns session id and target page.

        Args:
            address: with code and state.
            browser: the cookie that binds the login to its browser.
            kind: of browser, for the list of sessions.

        Raises AuthError (state, code, key or account refused), BrokerError and CacheError. A login by a foreign account
        stores nothing: the owner's login stays as it is.
        """
        code, state = OAuth.read_redirect(address)
        admitted: list[str] = []

        def accept(customer_id: str) -> None:
            identity = identify(customer_id)
            self.owner.admit(identity)
            admitted.append(identity)

        with _needs_cache():
            login = self.pending.redeem(state or "", browser)
            self.broker.exchange(code, login.verifier or None, accept=accept)
            return self.sessions.create(admitted[0], kind), login.target


def _kept(settings: Settings, store: Store, what: str, realm: str) -> Slot:
    """Where a list outlasts a restart: the user's own Redis, else a file in DATA_DIR."""
    name = f"{what.split()[-1]}-{realm}"
    return RedisSlot(store, name) if store.backend == "redis" else FileSlot(settings.data_dir / name, what)


@contextmanager
def _needs_cache() -> Iterator[None]:
    """Says in a CacheError's place what a person signing in has to know."""
    try:
        yield
    except CacheError as error:
        raise CacheError(f"Signing in needs the cache. {error}", cure=error.cure) from error


def new_browser_id() -> str:
    """A value that only this browser knows."""
    return secrets.token_urlsafe(32)
