from datetime import UTC, date, datetime

from app.market.calendar import (
    exchange_day,
    is_half_day,
    is_trading_day,
    previous_trading_day,
    settle_ms,
    to_ms,
)


def utc(*parts: int) -> int:
    return to_ms(datetime(*parts, tzinfo=UTC))


def test_pm_series_settle_at_the_close_in_winter_and_in_summer() -> None:
    assert settle_ms(date(2026, 1, 16), "P") == utc(2026, 1, 16, 21, 0)
    assert settle_ms(date(2026, 7, 17), "P") == utc(2026, 7, 17, 20, 0)


def test_am_series_settle_at_the_opening() -> None:
    assert settle_ms(date(2026, 1, 16), "A") == utc(2026, 1, 16, 14, 30)


def test_the_day_after_thanksgiving_settles_at_one() -> None:
    assert is_half_day(date(2026, 11, 27))
    assert settle_ms(date(2026, 11, 27), "P") == utc(2026, 11, 27, 18, 0)
    assert settle_ms(date(2026, 11, 27), "A") == utc(2026, 11, 27, 14, 30)


def test_clock_changes_move_the_settlement_by_an_hour_of_utc() -> None:
    assert settle_ms(date(2026, 3, 6), "P") == utc(2026, 3, 6, 21, 0)
    assert settle_ms(date(2026, 3, 9), "P") == utc(2026, 3, 9, 20, 0)


def test_holidays_and_weekends_do_not_trade() -> None:
    assert not is_trading_day(date(2026, 11, 26))
    assert not is_trading_day(date(2026, 11, 22))
    assert is_trading_day(date(2026, 11, 27))
    assert previous_trading_day(date(2024, 1, 7)) == date(2024, 1, 5)


def test_the_exchange_day_is_new_yorks() -> None:
    assert exchange_day(utc(2026, 11, 23, 3, 0)) == date(2026, 11, 22)
    assert exchange_day(utc(2026, 11, 23, 6, 0)) == date(2026, 11, 23)


def test_leaps_far_ahead_have_an_instant() -> None:
    assert settle_ms(date(2031, 12, 19), "A") == utc(2031, 12, 19, 14, 30)
