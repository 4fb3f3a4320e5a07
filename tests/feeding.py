"""What the tests of the Schwab side share: a login of one's own at a simulator, and a feed that runs on it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.cache import Store
from app.errors import GexError
from app.feed.service import Feed
from app.market.chain import Chain
from app.models import FeedState, SchwabConnection
from app.schwab.oauth import OAuth
from app.schwab.tokens import TokenCipher, TokenStore
from app.settings import Settings, load_settings
from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL
from app.simulator.person import approve
from app.slots import FileSlot
from tests.support import eventually


def oauth_at(base: str, folder: Path, *, clock: Callable[[], float] = time.time, **changed: Any) -> OAuth:
    """The simulator's app, its login kept in `folder`; nobody has signed in yet."""
    given = {"app_key": APP_KEY, "app_secret": APP_SECRET, "callback_url": CALLBACK_URL} | changed
    tokens = TokenStore(FileSlot(folder / "login"), TokenCipher.open("", folder))
    return OAuth(**given, tokens=tokens, api_url=base, clock=clock)


def sign_in(oauth: OAuth) -> None:
    """Walk the whole login, the person at the browser included."""
    login = oauth.authorize()
    code, state = OAuth.read_redirect(approve(login.url))
    assert state == login.state
    oauth.exchange(code, login.code_verifier)


def signed_in(oauth: OAuth) -> bool:
    """Whether there is a login that works."""
    try:
        return bool(oauth.access_token())
    except GexError:
        return False


def signed_in_at(base: str, folder: Path, **changed: Any) -> OAuth:
    """As `oauth_at`, just after a login."""
    made = oauth_at(base, folder, **changed)
    sign_in(made)
    return made


def default_settings_at(base: str, folder: Path, **changed: Any) -> Settings:
    """The simulator's app, all else as it comes; unaffected by the environment's own settings."""
    given = {
        "schwab_app_key": APP_KEY,
        "schwab_app_secret": APP_SECRET,
        "schwab_api_url": base,
        "data_dir": folder,
    }
    return load_settings(_env_file=None, **(given | changed))


def settings_at(base: str, folder: Path, **changed: Any) -> Settings:
    """The same for a feed of one stock that works faster than it would for a user."""
    quick = {"symbols": "AAPL", "publish_interval_s": 0.1, "sweep_interval_s": 5, "rest_per_minute": 120}
    return default_settings_at(base, folder, **(quick | changed))


def report(state: FeedState) -> bytes:
    """A feed's account of itself as of now."""
    now = datetime.now(UTC)
    return SchwabConnection(state=state, since=now, source="simulator", heartbeat_at=now).json_bytes()


class Running:
    """A feed at work, as its readers see it."""

    def __init__(self, feed: Feed, store: Store, oauth: OAuth, settings: Settings) -> None:
        self.feed, self.store, self.oauth, self.settings = feed, store, oauth, settings

    def status(self) -> SchwabConnection:
        """What the feed says of itself."""
        data = self.store.status()
        assert data is not None, "no status yet"
        return SchwabConnection.model_validate_json(data)

    def chain(self, symbol: str = "AAPL") -> Chain:
        """The newest chain."""
        loaded = self.store.load(symbol)
        assert loaded is not None, "no chain yet"
        return loaded.chain

    def problem(self) -> str:
        """The code of what is wrong; empty when nothing is."""
        problem = self.status().problem
        return problem.code if problem else ""

    def whole(self, symbol: str = "AAPL") -> Chain:
        """Wait for a chain that every expiry is in, and that streams."""

        def ready() -> Chain | None:
            chain = self.chain(symbol)
            return chain if not chain.missing_expiries and chain.quotes.streaming.any() else None

        chain = eventually(ready, 30, f"{symbol} is whole and streams: {self.store.status()!r}")
        assert chain is not None
        return chain


@contextlib.contextmanager
def running_feed(
    base: str, store: Store, folder: Path, *, signed_in: bool = True, automatic: bool = False, **changed: Any
) -> Iterator[Running]:
    """A feed on the simulator, stopped at the end. `automatic` lets it sign itself in, as the demo does."""
    settings = settings_at(base, folder, **changed)
    oauth = (signed_in_at if signed_in and not automatic else oauth_at)(base, folder)
    feed = Feed(settings, store, oauth, sign_in=(lambda: sign_in(oauth)) if automatic else None)
    feed.start()
    try:
        yield Running(feed, store, oauth, settings)
    finally:
        feed.stop()
