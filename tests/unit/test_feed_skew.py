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


@pytest.mark.parametrize("moved", [3600, -3600], ids=["back", "forward"])
def test_a_clock_that_is_set_is_believed_at_once_and_judged_anew(moved: float) -> None:
    now, passed = [NOW + moved], [0.0]
    skew = Skew(lambda: now[0], lambda: passed[0])
    for second in range(10):
        now[0], passed[0] = NOW + moved + second, second
        skew.heard(round((NOW + second) * 1000))
    assert skew.wall() == pytest.approx(NOW + 9)
    now[0], passed[0] = NOW + 10, 10
    assert skew.wall() == NOW + 10
    for second in range(10, 13):
        now[0], passed[0] = NOW + second, second
        skew.heard(round((NOW + second) * 1000))
    assert skew.seconds == 0
    assert not skew.too_far


@pytest.mark.parametrize("damaged", [9_790_625_599_999, 4_000_000_000_000, 179_062_559_999, 10**16 - 1, 1])
def test_a_damaged_stamp_does_not_move_the_clock(damaged: int) -> None:
    skew = Skew(lambda: NOW)
    for second in range(20):
        skew.heard(damaged if second in (7, 8) else round(NOW * 1000) - 80)
        assert skew.wall() == NOW
    assert skew.seconds == pytest.approx(0.08)
