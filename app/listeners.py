"""The feed with everybody who listens to it, as these settings ask for it."""

from __future__ import annotations

from collections.abc import Callable

from app.alerts.watch import Watch
from app.feed.journal import Journal
from app.feed.observer import Listener, Seat, Sight, together
from app.feed.service import Feed
from app.market.chain import Chain
from app.models import SchwabConnection
from app.services import Services, demo_sign_in
from app.settings import Settings


def make_feed(services: Services) -> Feed:
    """A feed that isn't started yet."""
    sign_in = demo_sign_in(services.settings, services.oauth)
    return Feed(
        services.settings,
        services.store,
        services.oauth,
        sign_in=sign_in,
        listeners=together(*_makers(services)),
        tape=_taper(services) if services.settings.tape else None,
        market=_tape_clock(services.settings),
    )


def _makers(services: Services) -> list[Callable[[Seat], Listener]]:
    """One maker of a listener each; the import of what isn't switched on is spared."""
    makers: list[Callable[[Seat], Listener]] = [lambda seat: AlertListener(services.alerts.watch(seat))]
    if services.settings.history:
        makers.append(lambda seat: _recorder(services, seat))
    return makers


def _tape_clock(settings: Settings) -> Callable[[], float] | None:
    """The tape's time while one is replayed."""
    if not settings.replay_tape:
        return None
    from app.history.stage import TapeClock

    return TapeClock(settings.replay_start_ms, settings.replay_began_ms, settings.replay_speed)


def _taper(services: Services) -> Callable[[Seat], Journal]:
    from app.history.tape import Tape

    settings = services.settings
    return lambda seat: Tape(settings.data_dir / "tape", seat, days=settings.tape_days)


def _recorder(services: Services, seat: Seat) -> Listener:
    from app.history.files import Folder
    from app.history.recorder import Recorder, Rules
    from app.history.writer import Limits

    settings = services.settings
    limits = Limits(settings.history_days, settings.history_max_mb, settings.history_min_free_mb)
    rules = Rules(settings.history_interval_s * 1000, limits)
    return Recorder(Folder(settings.data_dir / "history"), services.store, seat, rules)


class AlertListener(Listener):
    """The alerts' rules as a listener: app.alerts knows no feed."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def wants(self, chain: Chain, now_ms: int) -> bool:
        return self._watch.wants(chain, now_ms)

    def seen(self, sight: Sight) -> None:
        self._watch.seen(sight.snapshot, sight.chain, sight.at_ms)

    def tick(self, now_ms: int, status: SchwabConnection) -> None:
        self._watch.tick(now_ms, status)

    def close(self) -> None:
        self._watch.close()
