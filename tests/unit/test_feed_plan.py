"""Which contracts stream, and how the sweep cuts the expiry dates into windows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.feed.plan import choose, pairs_of, weigh
from app.feed.planner import Planner
from app.feed.windows import TARGET_CONTRACTS, cut
from app.market.book import Book
from app.schwab.frames import EquityContent
from tests.chains import synthetic
from tests.support import eventually


def heavy_chain() -> tuple[Any, Any]:
    """A synthetic chain and a gamma that grows with the row."""
    chain, _ = synthetic()
    return chain, np.linspace(0.001, 0.002, len(chain))


def test_a_strikes_call_and_put_are_chosen_together() -> None:
    chain, gamma = heavy_chain()
    keys = choose({"SPX": weigh(chain, gamma)}, 101, frozenset())["SPX"]
    assert len(keys) == 100
    strikes = {key[:12] + key[13:] for key in keys}
    assert len(strikes) == 50


def test_the_heaviest_contracts_stream() -> None:
    chain, gamma = heavy_chain()
    weights = weigh(chain, gamma)
    chosen = set(choose({"SPX": weights}, 40, frozenset())["SPX"])
    mask = np.isin(chain.contracts.symbol.astype(str), list(chosen))
    pairs = {pair.keys: pair.weight for pair in pairs_of(weights)}
    least = min(weight for keys, weight in pairs.items() if set(keys) <= chosen)
    most = max(weight for keys, weight in pairs.items() if not set(keys) & chosen)
    assert least >= most
    assert weights.streaming(mask) == pytest.approx(sum(sorted(pairs.values())[-20:]))


def test_everything_streams_where_there_is_room() -> None:
    chain, gamma = heavy_chain()
    assert len(choose({"SPX": weigh(chain, gamma)}, 100_000, frozenset())["SPX"]) == len(chain)


def test_a_small_underlying_is_not_starved_by_a_big_one() -> None:
    chain, gamma = heavy_chain()
    small = weigh(chain.take(slice(0, 60)), gamma[:60] / 1e6)
    chosen = choose({"SPX": weigh(chain, gamma), "AAPL": small}, 80, frozenset())
    assert len(chosen["AAPL"]) >= 40
    assert chosen["SPX"]
    assert len(chosen["AAPL"]) + len(chosen["SPX"]) <= 80


def test_what_streams_stays_until_something_is_clearly_heavier() -> None:
    chain, gamma = heavy_chain()
    now = frozenset(choose({"SPX": weigh(chain, gamma)}, 100, frozenset())["SPX"])
    rng = np.random.default_rng(7)
    nudged = gamma * rng.uniform(0.9, 1.1, len(gamma))
    kept = set(choose({"SPX": weigh(chain, nudged)}, 100, now)["SPX"])
    fresh = set(choose({"SPX": weigh(chain, nudged)}, 100, frozenset())["SPX"])
    assert len(kept & now) > len(fresh & now)


def test_without_any_gamma_the_nearest_strikes_stream() -> None:
    chain, gamma = heavy_chain()
    blind = replace(chain, quotes=replace(chain.quotes, gamma=np.full(len(chain), np.nan, "f4")))
    weights = weigh(blind, np.full(len(gamma), np.nan))
    keys = choose({"SPX": weights}, 20, frozenset())["SPX"]
    strikes = [int(key[13:]) / 1000 for key in keys]
    assert all(abs(strike / chain.spot - 1) < 0.02 for strike in strikes)
    assert weights.streaming(np.ones(len(chain), bool)) is None


def test_an_empty_chain_wants_nothing() -> None:
    chain, gamma = heavy_chain()
    assert choose({"SPX": weigh(chain.take(slice(0, 0)), gamma[:0])}, 100, frozenset()) == {"SPX": []}


# --- windows -------------------------------------------------------------------------------------

DAYS = [date(2026, 11, 23) + timedelta(days=7 * i) for i in range(60)]


@given(
    st.dictionaries(st.sampled_from(DAYS), st.integers(1, 9000)), st.sets(st.sampled_from(DAYS), min_size=1)
)
def test_windows_hold_every_date_once_in_order(known: dict[date, int], listed: set[date]) -> None:
    windows = cut([(day, "SPXW") for day in listed], known)
    assert [day for window in windows for day in window.dates] == sorted(listed)
    for window in windows:
        assert len(window.dates) == 1 or sum(known.get(day, 350) for day in window.dates) <= TARGET_CONTRACTS


def test_the_first_window_is_small() -> None:
    windows = cut([(day, "SPXW") for day in DAYS], {}, first_contracts=800)
    assert len(windows[0].dates) == 2
    assert len(windows[1].dates) == 8


def test_a_window_is_halved_until_one_date_is_left() -> None:
    (window,) = cut([(day, "SPXW") for day in DAYS[:3]], {})
    left, right = window.halves() or (window, window)
    assert left.dates + right.dates == window.dates
    assert left.halves() is None


# --- following the market ------------------------------------------------------------------------


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Book, Planner]]:
    """A book, and its planner at work."""
    monkeypatch.setattr("app.feed.planner._LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("app.feed.planner._CALM_S", 0.0)
    chain, _ = synthetic()
    book = Book("SPX")
    book.inherit(chain)
    planner, stop = Planner({"SPX": book}, 40, wall=lambda: chain.as_of_ms / 1000), threading.Event()
    thread = threading.Thread(target=planner.run, args=(stop, SimpleNamespace(key_limit=None)))
    thread.start()
    try:
        eventually(lambda: len(planner.wanted.options) == 40, 20)
        yield book, planner
    finally:
        stop.set()
        thread.join(20)


def test_what_settles_leaves_the_plan_and_the_next_expiries_fill_its_place(
    followed: tuple[Book, Planner],
) -> None:
    book, planner = followed
    first = int(book.contracts.settle_ms.min())
    book.drop_settled(first)
    left = set(book.contracts.symbol.astype(str).tolist())
    eventually(lambda: set(planner.wanted.options) <= left, 20)
    assert len(planner.wanted.options) == min(40, len(left))


def test_a_move_of_spot_makes_a_new_plan_and_a_flicker_does_not(followed: tuple[Book, Planner]) -> None:
    book, planner = followed
    eventually(lambda: planner.weights["SPX"].contracts is book.contracts, 20)
    time.sleep(0.1)
    before, spot = planner.weights["SPX"], book.spot
    book.apply_underlying(EquityContent("$SPX", mark=spot * 1.001))
    time.sleep(0.2)
    assert planner.weights["SPX"] is before
    book.apply_underlying(EquityContent("$SPX", mark=spot * 1.003))
    eventually(lambda: planner.weights["SPX"] is not before, 20)
