"""What single views show of a recorded minute: Greeks, Compare, and how far each record reaches."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flask import Flask, g

from app.access.visitor import Visitor
from app.gex import Params, expose, fit
from app.history.files import write
from app.history.reader import History
from app.history.schema import EARLIER
from callbacks.time import Past
from components import figures
from components.greeks import by_date
from components.together import added
from tests.chains import SPOT, fund
from tests.lookback import START, Tab, chain_at
from tests.recorded import MINUTE, record


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four minutes of SPX, SPY at two of them, QQQ at the last."""
    place = tmp_path_factory.mktemp("data")
    record(place, [chain_at(m) for m in (2, 5, 6, 7)])
    record(place, [fund(chain_at(m), "SPY", 0.1) for m in (5, 6)])
    record(place, [fund(chain_at(7), "QQQ", 0.08)])
    return place


@pytest.fixture
def tab(recorded: Path) -> Tab:
    return Tab(recorded)


def numbers(packed: dict[str, Any]) -> Any:
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])


def test_recorded_greeks_are_drawn_by_strike_where_they_are_known(tab: Tab) -> None:
    shown = tab.sees("?view=greeks&at=2026-10-16T17:05Z&range=100,9000")
    truth = expose(fit(chain_at(5)))
    assert [panel["id"] for panel in shown["panels"]] == ["dex", "vex", "chex_hour", "chex_day"]
    strike, dex = (numbers(shown["strikes"][name]) for name in ("strike", "dex"))
    known = np.isfinite(dex)
    low, high = strike[known][[0, -1]]
    assert 0 < known.sum() < len(strike)
    assert f"from {low:,.0f} to {high:,.0f}" in shown["note"]
    at = np.isin(truth.strikes.strike, strike[known])
    largest = np.abs(truth.strikes.dex[at]).max()
    np.testing.assert_allclose(dex[known], truth.strikes.dex[at], atol=2e-6 * largest)
    for trace in shown["traces"]:  # no bar stands for a strike that isn't recorded
        places, values = numbers(trace["y"]), numbers(trace["x"])
        assert not np.isfinite(values[(places < low) | (places > high)]).any()
    assert shown["panels"][0]["total"] == truth.levels.greeks.dex


def test_recorded_greeks_are_drawn_by_expiry_for_every_group_of_them(tab: Tab) -> None:
    whole = tab.sees("?view=greeks&by=expiry&at=2026-10-16T17:05Z")
    truth = by_date(expose(fit(chain_at(5))))
    assert [row["expiry"] for row in whole["rows"]] == [row["expiry"] for row in truth]
    for row, exact in zip(whole["rows"], truth, strict=True):
        for name in set(exact) - {"expiry", "today"}:
            assert row[name] == pytest.approx(exact[name], rel=1e-5)
    assert whole["plain"]["panels"]
    assert "DEX" in whole["summary"]
    tab.have = ""  # as a tab asks after another choice
    today = tab.sees("?view=greeks&by=expiry&expiries=0dte&at=2026-10-16T17:05Z")
    assert today["rows"] == whole["rows"][:1]


@pytest.mark.parametrize("by", ["strike", "expiry"])
def test_greeks_that_an_earlier_version_did_not_record_are_said_to_be_missing(
    tmp_path: Path, by: str
) -> None:
    record(tmp_path, [chain_at(0)])
    (file,) = tmp_path.rglob("*.parquet")
    write(pq.read_table(file).select(EARLIER[1].names), file)
    shown = Tab(tmp_path).sees(f"?view=greeks&by={by}&at=2026-10-16T17:00Z")
    assert f"by {by} aren't recorded of this minute" in shown["words"]
    total = expose(fit(chain_at(0))).levels.greeks.dex
    assert total is not None
    assert f"DEX {figures.words_of(total)}" in shown["words"]  # the totals are known
    assert not any(shown.get(part) for part in ("panels", "plain", "rows"))


# --- several symbols at one minute -----------------------------------------------------------------


@pytest.fixture
def several(recorded: Path) -> Tab:
    tab = Tab(recorded)
    tab.past = Past(
        History(recorded / "history"),
        lambda: (START + 8 * MINUTE) / 1000,
        followed=lambda: ["SPX", "SPY", "QQQ", "IWM"],
    )
    return tab


def test_each_compared_symbol_stands_at_the_same_minute_or_says_that_it_has_none(several: Tab) -> None:
    shown = several.sees("?view=compare&with=SPY,QQQ,NDX&at=2026-10-16T17:05Z")
    truths = {
        "SPX": expose(fit(chain_at(5))),
        "SPY": expose(fit(fund(chain_at(5), "SPY", 0.1))),
    }
    spx, spy, qqq, ndx = shown["beside"]
    for card, (symbol, truth) in zip((spx, spy), truths.items(), strict=True):
        assert card["symbol"] == symbol
        assert card["levels"]["spot"] == truth.spot
        assert card["levels"]["net_gex"] == pytest.approx(truth.levels.net_gex, rel=1e-9)
        assert card["past"]["at"] == START + 5 * MINUTE
    assert "Nothing was recorded of it at this minute" in qqq["why"]
    assert "not followed" in ndx["why"]
    assert [row["symbol"] for row in shown["rows"]] == ["SPX", "SPY"]
    assert [panel["id"] for panel in shown["plain"]["panels"]] == ["SPX", "SPY"]
    assert "SPY: spot 500.50" in shown["summary"]
    assert several.ask("?view=compare&with=SPY,QQQ,NDX&at=2026-10-16T17:05Z") is None


def test_no_symbol_is_filled_from_another_minute(several: Tab) -> None:
    # SPX's row of 17:07 is the one before 17:08; SPY's last one is of 17:06
    shown = several.sees("?view=compare&with=SPY,QQQ&at=2026-10-16T17:08Z")
    assert shown["past"]["at"] == START + 7 * MINUTE
    assert [card.get("levels", {}).get("spot") for card in shown["beside"]] == [
        SPOT + 7,
        None,
        pytest.approx(0.08 * (SPOT + 7)),
    ]


def test_an_index_and_its_fund_are_added_up_at_a_past_minute(several: Tab) -> None:
    shown = several.sees("?view=compare&with=SPY&join=together&at=2026-10-16T17:05Z")
    nets = [expose(fit(chain)).levels.net_gex for chain in (chain_at(5), fund(chain_at(5), "SPY", 0.1))]
    truth = added([expose(fit(chain)) for chain in (chain_at(5), fund(chain_at(5), "SPY", 0.1))])
    assert [panel["id"] for panel in shown["panels"]] == ["ladder", "profile"]
    assert f"net GEX {figures.words_of(sum(net or 0.0 for net in nets))}" in shown["summary"]
    assert shown["marks"]["flips"] == pytest.approx(truth.flips, rel=1e-5)
    assert "1 SPY = 10 SPX" in shown["note"]
    alone = several.sees("?view=compare&with=SPY&join=together&at=2026-10-16T17:07Z")
    assert "Nothing is added up" in alone["note"]
    assert not alone.get("panels")


def test_what_was_read_in_part_at_a_past_minute_is_added_to_nothing(tmp_path: Path) -> None:
    record(tmp_path, [chain_at(5)])
    record(tmp_path, [replace(fund(chain_at(5), "SPY", 0.1), missing_expiries=2)])
    tab = Tab(tmp_path)
    shown = tab.sees("?view=compare&with=SPY&join=together&at=2026-10-16T17:05Z")
    assert shown["note"] == "Nothing is added up: SPY is read in part."
    assert not shown.get("panels")
    spx, spy = shown["beside"]
    assert (spx["missing"], spy["missing"], spy["levels"]["net_gex"]) == (0, 2, None)


def test_a_moment_of_which_dates_are_missing_is_whole_where_they_are_not_chosen(tmp_path: Path) -> None:
    record(tmp_path, [replace(chain_at(5), missing_expiries=1, missing_dates=(date(2031, 1, 17),))])
    part, whole = (Tab(tmp_path).sees(f"?at=2026-10-16T17:05Z&expiries={name}") for name in ("all", "0dte"))
    assert (part["missing"], part["levels"]["net_gex"], part["quality"]["confidence"]) == (1, None, None)
    assert "not been read" in part["error"]
    truth = expose(fit(chain_at(5)), Params(bucket="0dte"))
    assert (whole["missing"], whole["levels"]["net_gex"]) == (0, truth.levels.net_gex)
    assert whole["quality"]["confidence"] is not None


def test_a_row_of_before_parts_were_told_apart_claims_no_total_either(tmp_path: Path) -> None:
    record(tmp_path, [chain_at(5)])
    (file,) = tmp_path.rglob("*.parquet")
    rows = pq.read_table(file)
    said = ["3 expiry dates have not been read yet: the totals are not whole."]
    at = rows.schema.get_field_index("warnings")
    write(
        rows.set_column(at, rows.schema.field(at), pa.array([said] * len(rows), rows.schema.field(at).type)),
        file,
    )
    for walls in ("gross", "net"):
        shown = Tab(tmp_path).sees(f"?at=2026-10-16T17:05Z&walls={walls}")
        assert shown["missing"] == 3
        names = ("net_gex", "flip", "call_wall", "put_wall", "regime")
        assert [shown["levels"][name] for name in names] == [None] * len(names)


def test_a_guest_compares_with_no_symbol_that_is_not_shared(several: Tab) -> None:
    with Flask(__name__).test_request_context():
        g.gex_visitor = Visitor("guest", shared={"SPX": 4e9})
        shown = several.sees("?view=compare&with=SPY&at=2026-10-16T17:05Z")
    assert "levels" not in shown["beside"][1]
    assert "SPX" in shown["beside"][1]["why"]


# --- what a past view lacks is not drawn as nothing --------------------------------------------------


def test_volume_that_is_not_recorded_of_a_group_is_no_empty_panel(tab: Tab) -> None:
    whole = tab.sees("?view=strikes&at=2026-10-16T17:05Z")
    tab.have = ""
    today = tab.sees("?view=strikes&expiries=0dte&at=2026-10-16T17:05Z")
    assert [panel["id"] for panel in whole["panels"]] == ["ladder", "oi", "volume"]
    assert [panel["id"] for panel in today["panels"]] == ["ladder", "oi"]
    assert "Volume" in today["note"]
    assert "note" not in whole


@pytest.mark.parametrize("view", ["overview", "surface"])
def test_how_far_the_recorded_map_reaches_is_said(tab: Tab, view: str) -> None:
    shown = tab.sees(f"?view={view}&range=3000,7000&at=2026-10-16T17:05Z")
    assert "on 2 of 2 dates" in shown["note"]
    low, high = (float(word.replace(",", "")) for word in re.findall(r"[\d,]+\d{3}", shown["note"])[:2])
    assert low < SPOT < high
    heat = next(trace for trace in shown["traces"] if trace["type"] == "heatmap")
    assert numbers(heat["y"])[[0, -1]].tolist() == [low, high]
