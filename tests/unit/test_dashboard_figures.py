"""Panels as plain dicts: valid for plotly, typed, and true to the numbers they were made of."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import orjson
import plotly.graph_objects as go
import pytest
from scipy.special import ndtr

from app.gex import compute, fit
from app.gex.params import Params
from app.gex.snapshot import Levels, Snapshot
from app.market.chain import Chain
from components import figures
from components.answer import VIEW_PARTS, answer
from components.axis import default_range, padded
from components.columns import columns, labels
from components.encode import coarse, typed
from components.facts import Facts
from components.greeks import by_date, kinds
from components.panels import smooth
from components.state import VIEWS, PageState
from tests.chains import synthetic


def decoded(spec: dict[str, Any]) -> np.ndarray[Any, Any]:
    """An independent reading of what plotly.js would read."""
    flat = np.frombuffer(base64.b64decode(spec["bdata"]), {"f4": "<f4"}[spec["dtype"]])
    return flat.reshape([int(n) for n in spec["shape"].split(",")]) if "shape" in spec else flat


@pytest.fixture(scope="module")
def chain() -> Chain:
    return synthetic()[0]


@pytest.fixture(scope="module")
def snapshot(chain: Chain) -> Snapshot:
    return compute(chain)


def facts(snapshot: Snapshot, chain: Chain) -> Facts:
    return Facts(snapshot, fit(chain), chain, version=3, published_ms=1, stale=False, error="")


CHAIN_VIEWS = [view for view in VIEWS if view in VIEW_PARTS]


@pytest.mark.parametrize("view", CHAIN_VIEWS)
@pytest.mark.parametrize("choice", ["show=split", "show=absolute", "by=expiry", "measure=chex", "measure=oi"])
def test_every_view_is_a_valid_figure(snapshot: Snapshot, chain: Chain, view: str, choice: str) -> None:
    state = PageState.from_query(f"view={view}&{choice}")
    sent = json.loads(orjson.dumps(answer(facts(snapshot, chain), state)))
    if "plain" in sent:
        # the browser puts colours in place of their names
        text = re.sub(r'"\$[a-z]+([0-9a-f]{2})?"', '"#123456"', json.dumps(sent["plain"]))
        drawn = json.loads(text)
        assert "$" not in "".join(re.findall(r'"color": "([^"]*)"', text))
        figure = go.Figure({"data": drawn["data"], "layout": drawn["layout"]})
        assert {trace.xaxis for trace in figure.data} == {panel["x"] for panel in drawn["panels"]}
    elif "panels" in sent:
        figure = go.Figure({"data": sent["traces"], "layout": {}})
        assert len(figure.data) == len(sent["traces"])
        assert {trace["xaxis"] for trace in sent["traces"]} == {panel["axis"] for panel in sent["panels"]}
    assert "columns" in sent


def test_the_ladder_draws_the_net_of_every_strike_in_sight(snapshot: Snapshot, chain: Chain) -> None:
    sent = answer(facts(snapshot, chain), PageState())
    drawn: dict[float, float] = {}
    for trace in sent["traces"]:
        if trace["meta"] == {"panel": "ladder", "part": "net", "sign": trace["meta"].get("sign")}:
            drawn |= dict(zip(decoded(trace["y"]).tolist(), decoded(trace["x"]).tolist(), strict=True))
    low, high = sent["crop"]
    table = snapshot.strikes
    inside = (table.strike >= low) & (table.strike <= high) & (table.net_gex != 0)
    expected = dict(zip(table.strike[inside], table.net_gex[inside] / 1e9, strict=True))
    assert set(drawn) == set(expected)
    scale = {"$ Bn": 1.0, "$ M ": 1e3}[sent["panels"][0]["title"].split(", ")[1][:4]]
    for strike, value in expected.items():
        assert drawn[strike] == pytest.approx(value * scale, rel=2.5e-4)


def test_delta_exposure_by_strike_is_what_black_s_formula_says(snapshot: Snapshot, chain: Chain) -> None:
    contracts, truth = synthetic()[0].contracts, synthetic()[1]
    d1 = np.log(truth.forward / contracts.strike) / truth.total_vol + truth.total_vol / 2
    call = contracts.is_call
    delta = truth.discount * truth.forward * np.where(call, ndtr(d1), -ndtr(-d1))
    held = np.where(call, 1, -1) * chain.quotes.open_interest * 100 * delta
    sent = answer(facts(snapshot, chain), PageState(view="greeks"), (4000.0, 6000.0))
    strikes = decoded(sent["strikes"]["strike"]).tolist()
    for strike in (4900.0, 5000.0, 5100.0):
        expected = held[contracts.strike == strike].sum()
        assert decoded(sent["strikes"]["dex"])[strikes.index(strike)] == pytest.approx(expected, rel=5e-3)


def test_charm_of_today_is_by_the_hour_and_kept_apart(snapshot: Snapshot, chain: Chain) -> None:
    assert [kind.id for kind in kinds(snapshot)] == ["dex", "vex", "chex_hour", "chex_day"]
    totals = snapshot.levels.greeks
    today, *later = by_date(snapshot)
    assert today["today"]
    assert today["chex_hour"] == pytest.approx(totals.chex_hour)
    assert "chex_day" not in today
    assert sum(row["chex_day"] for row in later) == pytest.approx(totals.chex_day)
    assert not any("chex_hour" in row for row in later)
    week = compute(chain, Params(expiries=(date(2026, 11, 20),)))
    assert [kind.id for kind in kinds(week)] == ["dex", "vex", "chex_day"]


def test_greeks_of_nothing_usable_are_unknown(chain: Chain) -> None:
    blind = replace(chain, quotes=replace(chain.quotes, open_interest=np.full(len(chain), np.nan)))
    assert all(row["dex"] is None for row in by_date(compute(blind)))
    sent = answer(facts(compute(blind), blind), PageState(view="greeks"))
    assert {panel["total"] for panel in sent["panels"]} == {None}


def test_no_answer_holds_nan_or_infinity(snapshot: Snapshot, chain: Chain) -> None:
    text = orjson.dumps(answer(facts(snapshot, chain), PageState())).decode()
    # orjson writes not-a-number as null: nothing may rely on that, so the plain writer has to take it too
    json.dumps(answer(facts(snapshot, chain), PageState()), allow_nan=False)
    assert "NaN" not in text


def test_unknown_levels_are_null(snapshot: Snapshot, chain: Chain) -> None:
    blank = replace(snapshot, spot=None, levels=Levels())
    sent = answer(facts(blank, chain), PageState())
    for name in ("spot", "flip", "call_wall", "put_wall", "net_gex", "max_pain", "regime"):
        assert sent["levels"][name] is None


def test_a_chain_without_strikes_is_empty_not_an_error(chain: Chain) -> None:
    none = chain.take(np.zeros(len(chain), bool))
    blank = replace(compute(none), spot=None)
    assert answer(facts(blank, none), PageState())["status"] == "empty"


def test_an_empty_choice_of_expiries_still_answers(chain: Chain) -> None:
    params = Params(expiries=(date(1999, 1, 1),))
    state = PageState(params=params)
    for view in CHAIN_VIEWS:
        sent = answer(facts(compute(chain, params), chain), state.choose("view", view))
        assert view == "compare" or "have settled" in sent["words"]


def test_dealers_without_a_side_have_no_regime(chain: Chain) -> None:
    params = Params(side="long")
    sent = answer(facts(compute(chain, params), chain), PageState(params=params))
    assert sent["levels"]["regime"] is None


def test_columns_add_up_to_the_ladder(snapshot: Snapshot) -> None:
    days = snapshot.heatmap_expiries
    grid = columns(days, tuple(range(len(days))), snapshot.heatmap, days[0], limit=4)
    assert len(grid.labels) == 4
    assert grid.rest == len(days) - 3
    np.testing.assert_allclose(np.nansum(grid.z, axis=1), snapshot.strikes.net_gex, rtol=1e-9, atol=1e-3)


def test_the_column_of_today_says_so_and_no_two_dates_have_one_name() -> None:
    today = date(2026, 11, 20)
    far, twin = date(2028, 12, 15), date(2028, 12, 29)
    assert labels([today, date(2026, 12, 18), far, far], today) == ["0DTE", "Dec 18", "Dec ’28", "Dec ’28"]
    assert labels([today, far, twin], today) == ["0DTE", "Dec 15 ’28", "Dec 29 ’28"]


def test_typed_arrays_keep_values_and_lose_infinities() -> None:
    np.testing.assert_array_equal(decoded(typed([1.5, np.inf, -2.0])), np.array([1.5, np.nan, -2.0], "f4"))
    assert decoded(typed([])).shape == (0,)
    assert decoded(typed(np.ones((2, 3)))).shape == (2, 3)


def test_coarse_values_are_within_a_fortieth_of_a_percent() -> None:
    exact = np.array([1e-12, 3.14159, -2.71828e9, 0.0, 1.0])
    np.testing.assert_allclose(decoded(coarse(exact)), exact, rtol=2.5e-4)
    assert np.isnan(decoded(coarse([np.nan]))[0])


def test_the_profile_crosses_zero_on_the_axis() -> None:
    traces = figures.profile(
        np.array([90.0, 100.0, 110.0]), np.array([-2e9, -1e9, 3e9]), figures.Scale(1e9, "Bn")
    )
    line = next(trace for trace in traces if trace["meta"]["part"] == "line")
    assert 102.5 in decoded(line["y"])
    assert decoded(line["x"])[list(decoded(line["y"])).index(102.5)] == 0


def test_a_smoothed_curve_passes_through_every_point_given() -> None:
    price = np.geomspace(80, 120, 21)
    value = np.sin(price / 7)
    dense_price, dense = smooth(price, value)
    np.testing.assert_allclose(dense[::4], value)
    np.testing.assert_allclose(dense_price[::4], price)


def test_the_default_range_is_three_moves_around_spot_and_shows_near_levels() -> None:
    assert default_range(5000, 20, Levels()) == pytest.approx((4940, 5060))
    low, high = default_range(5000, 20, Levels(flip=5100.0, put_wall=4000.0))
    assert low < 4900 < 5100 < high
    assert low + high == pytest.approx(10000)


def test_the_default_range_has_a_fallback_and_bounds() -> None:
    assert default_range(5000, None, Levels()) == pytest.approx((4850, 5150))
    assert default_range(5000, 0.01, Levels()) == pytest.approx((4950, 5050))
    assert default_range(100, 90, Levels()) == pytest.approx((88, 112))
    assert padded((0.0, 10.0))[0] == 0


@pytest.mark.parametrize(
    ("largest", "word"),
    [(6e12, "Tn"), (9e11, "Bn"), (2.5e8, "Bn"), (5e7, "M"), (200.0, "K"), (3.0, ""), (0.0, "")],
)
def test_the_scale_keeps_numbers_readable(largest: float, word: str) -> None:
    assert figures.scale_for(largest).word == word


def test_the_colour_limit_is_a_round_number_that_an_outlier_does_not_move() -> None:
    usual = np.linspace(-1e8, 1e8, 400)
    assert figures.color_limit(usual) == 1e8
    assert figures.color_limit(np.append(usual, 5e9)) == 1e8
    assert figures.color_limit(np.array([np.nan, 0.0])) == 1.0
