"""Who is asked about which chain, and when: listeners that rest, and their ticks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.feed.observer import NO_REST, Listener, Observer, Rest, Sight
from app.market.chain import Chain
from app.models import SchwabConnection
from tests.feeding import report
from tests.small import small_chain
from tests.support import eventually

CHAIN = small_chain()
STATUS = SchwabConnection.model_validate_json(report("live"))


class Asked(Listener):
    """Remembers what it is asked and shown, and when it ticks."""

    def __init__(self, rest: Rest = NO_REST, *, tick_s: float = 3600.0, wanting: bool = False) -> None:
        self.rest, self.tick_s, self.wanting = rest, tick_s, wanting
        self.asked, self.shown, self.ticks = list[Chain](), list[Chain](), 0

    def wants(self, chain: Chain, now_ms: int) -> bool:
        del now_ms
        self.asked.append(chain)
        return self.wanting

    def rests(self, symbol: str) -> Rest:
        assert symbol == CHAIN.symbol
        return self.rest

    def seen(self, sight: Sight) -> None:
        self.shown.append(sight.chain)

    def tick(self, now_ms: int, status: SchwabConnection) -> None:
        del now_ms, status
        self.ticks += 1


class Desk:
    """An observer whose clock and whose chain a test moves."""

    def __init__(self, *listeners: Listener) -> None:
        self.chains, self.now_s = dict[str, Chain](), 0.0
        self.observer = Observer(listeners, self.chains, lambda: STATUS, clock=lambda: self.now_s)

    def publish(self, later_ms: int = 0, spot: float = CHAIN.spot) -> Chain:
        chain = self.chains["SPX"] = replace(CHAIN, as_of_ms=CHAIN.as_of_ms + later_ms, spot=spot)
        self.observer.notice()
        return chain


def minute(low: float = 0.0, high: float = 1e9) -> Rest:
    """The minute from CHAIN on, at these prices."""
    return Rest(CHAIN.as_of_ms, CHAIN.as_of_ms + 60_000, low, high)


@pytest.fixture
def running() -> Iterator[tuple[Desk, Asked]]:
    listener = Asked(minute(99.0, 101.0))
    desk = Desk(listener)
    desk.observer.start()
    yield desk, listener
    desk.observer.close()


def test_the_thread_sleeps_until_a_chain_is_one_that_nobody_rests_from(running: tuple[Desk, Asked]) -> None:
    desk, listener = running
    first = desk.publish()
    eventually(lambda: listener.asked)
    for later_ms in range(100, 1500, 100):
        desk.publish(later_ms, 100.5)
    away = desk.publish(1600, 101.0)
    eventually(lambda: len(listener.asked) == 2)
    assert listener.asked == [first, away]
    assert not listener.shown


def test_only_those_who_do_not_rest_are_asked_and_all_are_shown() -> None:
    resting, awake = Asked(minute()), Asked(wanting=True)
    desk = Desk(resting, awake)
    chains = []
    for later_ms in (0, 1000, 2000):
        chains.append(desk.publish(later_ms))
        desk.observer.look()
    desk.observer.look()  # nothing new
    after = desk.publish(60_000)
    desk.observer.look()

    assert resting.asked == [chains[0], after]
    assert awake.asked == awake.shown == resting.shown == [*chains, after]


def test_a_listener_ticks_as_often_as_it_says() -> None:
    often, seldom = Asked(tick_s=1.0), Asked(tick_s=30.0)
    desk = Desk(often, seldom)
    for second in range(61):
        desk.now_s = float(second)
        desk.observer.look()
    assert (often.ticks, seldom.ticks) == (61, 3)
