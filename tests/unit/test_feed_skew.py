"""This machine's clock against the broker's."""

from __future__ import annotations

import pytest

from app.feed.skew import Skew

NOW = 1_791_000_000.0


def test_nothing_is_known_before_three_stamps() -> None:
    skew = Skew(lambda: NOW)
    for _ in range(2):
        skew.heard(round(NOW * 1000) - 90_000)
    skew.heard(0)
    assert skew.seconds is None
    assert not skew.too_far
    assert skew.wall() == NOW


@pytest.mark.parametrize("ahead", [3600.0, -3600.0, 6.0])
def test_a_clock_that_is_wrong_is_put_right_by_the_quickest_frame(ahead: float) -> None:
    skew = Skew(lambda: NOW + ahead)
    for delay_ms in (900, 30, 4000):
        skew.heard(round(NOW * 1000) - delay_ms)
    assert skew.seconds == pytest.approx(ahead + 0.03, abs=1e-3)
    assert skew.too_far
    assert skew.wall() == pytest.approx(NOW, abs=0.05)


def test_slow_frames_are_no_skew() -> None:
    skew = Skew(lambda: NOW)
    for delay_ms in (9000, 80, 12_000):
        skew.heard(round(NOW * 1000) - delay_ms)
    assert not skew.too_far
    assert skew.wall() == NOW


def test_a_clock_that_was_set_is_believed_again() -> None:
    now = [NOW + 3600]
    skew = Skew(lambda: now[0])
    for second in range(10):
        skew.heard(round((NOW + second) * 1000))
    assert skew.too_far
    now[0] = NOW + 10
    skew.heard(round((NOW + 10) * 1000))
    assert not skew.too_far
