"""What a process of the product is made of, put together once from the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.alerts.service import Alerts
from app.cache import Store, open_store
from app.cache.embedded import is_embedded
from app.cache.results import Results
from app.cache.slot import RedisSlot
from app.history.reader import History
from app.schwab.oauth import OAuth
from app.schwab.tokens import TokenCipher, TokenStore
from app.settings import SCHWAB_API, Settings
from app.slots import FileSlot, Slot
from app.viewing import Viewed
from app.watchlist import Watchlist


@dataclass(frozen=True)
class Services:
    """The parts that pages, REST and feed work with. Holds no connection until one is used, so it survives a fork."""

    settings: Settings
    store: Store
    results: Results
    oauth: OAuth
    alerts: Alerts
    watchlist: Watchlist
    history: History


def build_services(settings: Settings) -> Services:
    """The services that these settings describe. Raises SettingsError."""
    store = open_store(settings.redis_url, embedded=is_embedded(settings.redis_url))
    cipher = _cipher(settings)
    tokens = TokenStore(_login_slot(settings, store), cipher)
    return Services(
        settings=settings,
        store=store,
        results=Viewed(store, rate=settings.rate),
        oauth=OAuth.from_settings(settings, tokens),
        alerts=Alerts(settings, store, cipher),
        watchlist=Watchlist(store, settings),
        history=History(settings.data_dir / "history", store),
    )


def demo_sign_in(settings: Settings, oauth: OAuth) -> Callable[[], None] | None:
    """What signs the demo in without a person; None outside of the demo, where only a person can."""
    if not settings.demo or settings.schwab_api_url.rstrip("/") == SCHWAB_API:
        return None

    def sign_in() -> None:
        from app.simulator.person import approve  # whoever runs on Schwab never needs it

        login = oauth.authorize()
        code, _ = OAuth.read_redirect(approve(login.url))
        oauth.exchange(code, login.code_verifier)

    return sign_in


def _login_slot(settings: Settings, store: Store) -> Slot:
    """The login lives where it outlasts a restart and every process sees it: the user's own Redis, else a file.

    The simulator's ends with the simulator, as the cache beside it does; in a file, two demos on one DATA_DIR would take
    each other's for it, and sign in again and again.
    """
    if store.backend == "redis" or settings.demo:
        return RedisSlot(store, "login")
    return FileSlot(Path(settings.data_dir) / "login")


def _cipher(settings: Settings) -> TokenCipher:
    return TokenCipher.open(settings.token_key.get_secret_value(), settings.data_dir)
