"""The circuit breaker, on a clock of the test's own."""

from app.cache.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(threshold=2, pause_s=1.0, longest_pause_s=4.0, clock=clock)
    for _ in range(2):
        assert breaker.allow()
        breaker.failure()
    return breaker


def test_a_single_failure_does_not_open_it() -> None:
    breaker = Breaker(threshold=2)
    breaker.allow()
    breaker.failure()
    assert breaker.allow()
    assert breaker.state == "closed"


def test_it_refuses_after_failures_in_a_row() -> None:
    breaker = broken(Clock())
    assert not breaker.allow()
    assert breaker.state == "open"


def test_after_the_pause_exactly_one_call_may_try() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 1.0
    assert breaker.state == "half_open"
    assert breaker.allow()
    assert not breaker.allow()


def test_a_successful_try_closes_it() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 1.0
    breaker.allow()
    breaker.success()
    assert breaker.state == "closed"
    assert breaker.allow()


def test_failed_tries_lengthen_the_pause_up_to_its_limit() -> None:
    clock = Clock()
    breaker = broken(clock)
    for pause in (1.0, 2.0, 4.0, 4.0):
        clock.now += pause - 0.01
        assert not breaker.allow()
        clock.now += 0.01
        assert breaker.allow()
        breaker.failure()
