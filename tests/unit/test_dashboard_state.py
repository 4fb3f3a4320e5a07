"""The page's address: what it says, what it ignores, and that it says the same again."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gex.params import Params
from components.state import PageState


def test_nothing_said_is_the_default() -> None:
    assert PageState.from_query("") == PageState()
    assert PageState().query() == ""


def test_every_choice_is_read() -> None:
    state = PageState.from_query(
        "?view=strikes&side=long&weight=volume&unit=per_point&walls=net&show=split&expiries=week&range=4600,4800.5"
    )
    assert state.view == "strikes"
    assert state.show == "split"
    assert state.params == Params(side="long", weight="volume", unit="per_point", walls="net", bucket="week")
    assert state.price_range == (4600.0, 4800.5)
    assert state.ignored == ()


def test_dates_are_sorted_and_outrank_a_bucket() -> None:
    state = PageState.from_query("?expiries=2024-01-19,2024-01-08,2024-01-19")
    assert state.params.expiries == (date(2024, 1, 8), date(2024, 1, 19))
    assert state.query() == "?expiries=2024-01-08,2024-01-19"


@pytest.mark.parametrize(
    "search",
    [
        "?view=nonsense",
        "?expiries=2024-13-45",
        "?expiries=,",
        "?expiries=" + ",".join(["2024-01-01"] * 3000),
        "?range=1",
        "?range=2,1",
        "?range=nan,5",
        "?range=-5,5",
        "?range=1,inf",
        "?unknown=1",
        "?side=NAIVE",
    ],
)
def test_what_means_nothing_changes_nothing_and_is_named(search: str) -> None:
    state = PageState.from_query(search)
    assert state.params == Params() or "2024-01-01" in search
    assert state.price_range is None
    assert state.view == "overview"
    assert state.ignored or "2024-01-01" in search


choices = st.fixed_dictionaries(
    {},
    optional={
        "view": st.sampled_from(["overview", "strikes", "surface", "profile", "greeks", "expiries"]),
        "side": st.sampled_from(["naive", "inverted", "long"]),
        "weight": st.sampled_from(["oi", "volume", "oi_plus_volume", "flow"]),
        "unit": st.sampled_from(["per_1pct", "per_point"]),
        "walls": st.sampled_from(["gross", "net"]),
        "show": st.sampled_from(["net", "split"]),
        "by": st.sampled_from(["strike", "expiry"]),
        "expiries": st.one_of(
            st.sampled_from(["all", "0dte", "week", "month"]),
            st.lists(st.dates(), min_size=1, max_size=9).map(lambda days: ",".join(map(str, days))),
        ),
        "range": st.tuples(st.integers(0, 10**5), st.integers(1, 10**5)).map(
            lambda pair: f"{pair[0]},{pair[0] + pair[1]}"
        ),
    },
)


@given(choices)
def test_an_address_says_the_same_when_it_is_written_again(said: dict[str, str]) -> None:
    state = PageState.from_query("&".join(f"{name}={word}" for name, word in said.items()))
    assert PageState.from_query(state.query()) == state


@given(st.text(max_size=300))
def test_no_query_breaks_the_page(search: str) -> None:
    PageState.from_query(search).query()
