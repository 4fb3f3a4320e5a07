"""The feed with everybody who listens to it, as these settings ask for it."""

from __future__ import annotations

from collections.abc import Callable

from app.feed.observer import Listener, Seat, together
from app.feed.service import Feed
from app.services import Services, demo_sign_in


def make_feed(services: Services) -> Feed:
    """A feed that isn't started yet."""
    sign_in = demo_sign_in(services.settings, services.oauth)
    return Feed(
        services.settings,
        services.store,
        services.oauth,
        sign_in=sign_in,
        listeners=together(*_makers(services)),
    )


def _makers(services: Services) -> list[Callable[[Seat], Listener]]:
    """One maker of a listener each; the import of what isn't switched on is spared."""
    del services
    return []
