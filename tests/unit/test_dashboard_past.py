"""The page in the past: a view at a recorded minute, and the Time view with its days, gaps and new minutes."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from flask import Flask, g

from app.access.visitor import Visitor
from app.gex import expose, fit
from app.gex.params import Params
from app.history.files import write
from app.history.reader import History
from app.history.schema import EARLIER
from app.market.calendar import to_ms
from app.market.chain import Chain
from callbacks.request import LiveRequest, read_request
from callbacks.time import Past
from components import figures
from components.greeks import by_date
from components.state import PageState
from components.together import added
from tests.chains import AS_OF, SPOT, Listed, fund, rounded, synthetic
from tests.recorded import MINUTE, record
from tests.support import ROOT

START = to_ms(AS_OF)  # 13:00 in New York
DAY_BEFORE = START - 86_400_000
SERIES = (Listed("SPXW", AS_OF.date()), Listed("SPX", date(2026, 11, 20), "A", 10.0))
MINUTES = [0, 1, 2, 5, 6, 7]
NODE = shutil.which("node")


def chain_at(minute: int, start_ms: int = START) -> Chain:
    as_of = datetime.fromtimestamp((start_ms + minute * MINUTE) / 1000, UTC)
    return rounded(synthetic(as_of=as_of, spot=SPOT + minute, series=SERIES)[0])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of one day, and six with a gap of the next."""
    place = tmp_path_factory.mktemp("data")
    record(place, [chain_at(m, DAY_BEFORE) for m in (0, 1)])
    record(place, [chain_at(m) for m in MINUTES])
    return place


class Tab:
    """Asks as a browser's tab does, at an instant of our choosing."""

    def __init__(self, folder: Path, now_ms: int = START + 8 * MINUTE) -> None:
        self.past = Past(History(folder / "history"), lambda: now_ms / 1000)
        self.have = ""

    def ask(self, search: str) -> dict[str, Any] | None:
        state = PageState.from_query(search)
        assert not state.ignored
        request = read_request({"seq": 1, "symbol": "SPX", "search": search, "have": self.have})
        assert isinstance(request, LiveRequest)
        asked = self.past.day if state.view == "time" else self.past.view
        picture = asked("SPX", state, request)
        if picture:
            self.have = picture["etag"]
        return picture

    def sees(self, search: str) -> dict[str, Any]:
        picture = self.ask(search)
        assert picture is not None
        return picture


@pytest.fixture
def tab(recorded: Path) -> Tab:
    return Tab(recorded)


@pytest.mark.parametrize(
    ("choice", "params"),
    [
        ("", Params()),
        ("&side=inverted&expiries=0dte", Params(side="inverted", bucket="0dte")),
        ("&unit=per_point&walls=net", Params(unit="per_point", walls="net")),
    ],
)
def test_a_past_view_shows_the_levels_of_its_minute(tab: Tab, choice: str, params: Params) -> None:
    shown = tab.sees(f"?at=2026-10-16T17:05Z{choice}")
    truth = expose(fit(chain_at(5)), params)

    assert shown["levels"]["spot"] == SPOT + 5
    assert shown["levels"]["flip"] == pytest.approx(truth.levels.flip, rel=1e-9)
    assert shown["levels"]["net_gex"] == pytest.approx(truth.levels.net_gex, rel=1e-9)
    assert (shown["levels"]["call_wall"], shown["levels"]["put_wall"]) == (
        truth.levels.call_wall,
        truth.levels.put_wall,
    )
    assert shown["past"]["at"] == START + 5 * MINUTE
    assert {panel["id"] for panel in shown["panels"]} >= {"ladder", "profile"}


def test_a_past_view_is_sent_once(tab: Tab) -> None:
    tab.sees("?at=2026-10-16T17:05Z")
    assert tab.ask("?at=2026-10-16T17:05Z") is None
    assert tab.ask("?at=2026-10-16T17:06Z") is not None


def test_a_minute_after_a_row_is_labelled_with_the_rows_own_time(tab: Tab) -> None:
    assert tab.sees("?at=2026-10-16T17:03Z")["past"]["at"] == START + 2 * MINUTE


def test_a_gap_is_said_and_no_number_stands_in_it(tab: Tab) -> None:
    shown = tab.sees("?at=2026-10-16T17:04Z")
    assert "Nothing was recorded at this minute" in shown["words"]
    assert "levels" not in shown
    assert shown["past"]["runs"] == [[START // MINUTE, 3], [START // MINUTE + 5, 3]]


def test_the_slider_knows_the_days_beside(tab: Tab) -> None:
    later, earlier = (tab.sees(f"?at=2026-10-{day}T17:01Z")["past"] for day in (16, 15))
    assert (later["before"], later["after"]) == (DAY_BEFORE + MINUTE, None)
    assert (earlier["before"], earlier["after"]) == (None, START)


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        ("&weight=volume", "open interest"),
        ("&expiries=2026-10-16", "Single dates"),
        ("&view=greeks&expiries=week", "of all expiries together"),
        ("&view=greeks&side=long", "can't be turned"),
        ("&view=compare&weight=flow", "open interest"),
        ("&view=surface&measure=vex", "only gamma exposure is recorded"),
        ("&view=profile&side=long", "can't be turned"),
        ("&view=time&weight=flow", "open interest"),
    ],
)
def test_what_the_record_does_not_hold_is_said(tab: Tab, choice: str, word: str) -> None:
    shown = tab.sees(f"?at=2026-10-16T17:05Z{choice}")
    assert word in shown["words"]
    assert not any(shown.get(part) for part in ("panels", "plain", "time", "rows"))


def test_the_recorded_term_structure_is_drawn_without_smiles(tab: Tab) -> None:
    shown = tab.sees("?view=volatility&at=2026-10-16T17:05Z")
    truth = expose(fit(chain_at(5)))
    assert [panel["id"] for panel in shown["plain"]["panels"]] == ["term", "cone"]
    assert "Smiles aren't recorded" in shown["note"]
    assert [row["sigma"] for row in shown["rows"]] == [
        pytest.approx(row.sigma_move, rel=1e-6) for row in truth.expiries
    ]


# --- delta, vanna and charm ------------------------------------------------------------------------


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


@pytest.fixture(scope="module")
def family(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `recorded`, with SPY at three of its minutes, and QQQ at two others."""
    place = tmp_path_factory.mktemp("family")
    shutil.copytree(recorded, place, dirs_exist_ok=True)
    record(place, [fund(chain_at(m), "SPY", 0.1) for m in (2, 5, 6)])
    record(place, [fund(chain_at(m), "QQQ", 0.08) for m in (1, 7)])
    return place


@pytest.fixture
def several(family: Path) -> Tab:
    tab = Tab(family)
    tab.past = Past(
        History(family / "history"),
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


def test_a_guest_compares_with_no_symbol_that_is_not_shared(several: Tab) -> None:
    with Flask(__name__).test_request_context():
        g.gex_visitor = Visitor("guest", shared={"SPX": 4e9})
        shown = several.sees("?view=compare&with=SPY&at=2026-10-16T17:05Z")
    assert "levels" not in shown["beside"][1]
    assert "SPX" in shown["beside"][1]["why"]


def test_nothing_recorded_at_all_is_said(tmp_path: Path) -> None:
    assert "Nothing is recorded yet" in Tab(tmp_path).sees("?view=time")["words"]
    assert "Nothing was recorded" in Tab(tmp_path).sees("?at=2026-10-16T17:05Z")["words"]


def test_the_day_that_goes_on_is_the_present_and_any_other_is_past(recorded: Path) -> None:
    assert "past" not in Tab(recorded).sees("?view=time")
    assert Tab(recorded).sees("?view=time&day=2026-10-15")["past"]["whole_day"] is True
    assert Tab(recorded).sees("?view=time&at=2026-10-16T17:05Z")["past"]["whole_day"] is False
    next_morning = Tab(recorded, START + 20 * 3_600_000).sees("?view=time")
    assert next_morning["past"]["day"] == "2026-10-16"


def test_recorded_days_close_with_their_last_row(tab: Tab) -> None:
    days = tab.sees("?view=time")["days"]
    assert [(day["day"], day["spot"], day["minutes"]) for day in days] == [
        ("2026-10-16", SPOT + 7, 6),
        ("2026-10-15", SPOT + 1, 2),
    ]


def test_two_minutes_are_compared_with_causes_that_add_up(tab: Tab) -> None:
    change = tab.sees("?view=time&at=2026-10-16T17:07Z&against=2026-10-16T17:05Z")["change"]
    then, now = (expose(fit(chain_at(m))).levels.net_gex for m in (5, 7))
    assert then is not None
    assert now is not None
    assert sum(part["value"] for part in change["parts"]) == pytest.approx(now - then, rel=1e-6)
    assert change["now"]["spot"] - change["then"]["spot"] == 2


def test_a_change_over_a_gap_has_no_made_up_cause(tab: Tab) -> None:
    change = tab.sees("?view=time&at=2026-10-16T17:07Z&against=2026-10-16T17:01Z")["change"]
    assert change["parts"] is None
    assert change["then"]["net_gex"] is not None


# --- new minutes, laid onto the old ones by the browser --------------------------------------------


@pytest.mark.skipif(not NODE, reason="needs node")
def test_new_minutes_alone_are_sent_and_give_the_same_picture(tmp_path: Path) -> None:
    record(tmp_path, [chain_at(m) for m in MINUTES])
    tab = Tab(tmp_path)
    first = tab.sees("?view=time")
    assert tab.ask("?view=time") is None
    record(tmp_path, [chain_at(8)])
    tab.past = Past(
        History(tmp_path / "history"), lambda: START / 1000
    )  # what was read is kept for two seconds
    more = tab.sees("?view=time")
    assert more["more"]["minutes"] == [START // MINUTE + 7, START // MINUTE + 8]
    assert "time" not in more
    joined, anew = laid([first, more]), laid([Tab(tmp_path, START).sees("?view=time")])
    for cells, others in zip(joined.pop("z"), anew.pop("z"), strict=True):
        # sent as 16-bit parts of the largest, which the new minutes may move
        assert cells == [None if other is None else pytest.approx(other, abs=1e-3) for other in others]
    assert joined == anew
    assert len(anew["rows"]) == len(MINUTES) + 1


@pytest.mark.skipif(not NODE, reason="needs node")
def test_the_browser_draws_the_recorded_numbers_and_leaves_gaps_empty(tab: Tab) -> None:
    drawn = laid([tab.sees("?view=time")])
    truth = expose(fit(chain_at(6)))
    column = (START + 6 * MINUTE - drawn["begin"]) // MINUTE
    known = {
        strike: cells[column]
        for strike, cells in zip(drawn["strikes"], drawn["z"], strict=True)
        if cells[column] is not None
    }
    unit = truth.levels.gross_gex
    assert unit is not None
    for strike, net in zip(truth.strikes.strike, truth.strikes.net_gex, strict=True):
        if strike in known:
            assert known[strike] * drawn["cell"] == pytest.approx(net, abs=1e-4 * unit)
    assert len(known) > 20
    gap = (START + 3 * MINUTE - drawn["begin"]) // MINUTE
    assert all(cells[gap] is None for cells in drawn["z"])
    assert drawn["net"][gap] is None
    assert [row["spot"] for row in drawn["rows"]] == [SPOT + m for m in MINUTES]


def test_another_question_is_answered_whole(tab: Tab) -> None:
    tab.sees("?view=time")
    assert "time" in tab.sees("?view=time&side=inverted")


def laid(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """What assets/time_view.js makes of these answers, one after the other."""
    names = ("format", "decode", "axis", "past", "time_view")
    load = "".join((ROOT / "assets" / f"{name}.js").read_text() + "\n;" for name in names)
    script = f"""{load}
globalThis.location = {{ search: "" }};
let held = null;
for (const answer of JSON.parse(require("fs").readFileSync(0))) held = gex.timeView.received(answer, held);
const {{ grid, rows }} = held;
const strikes = Array.from({{ length: grid.rows }}, (_, i) => grid.strike[0] + i * grid.step);
const plain = (values) => Array.from(values, (value) => (Number.isFinite(value) ? value : null));
process.stdout.write(JSON.stringify({{ strikes, z: grid.z.map(plain), net: plain(grid.lines.net), rows,
  begin: grid.time.begin, cell: grid.time.cell, data: held.plain.data.length }}));"""
    done = subprocess.run(
        [NODE or "node", "-e", script], input=json.dumps(answers), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_a_state_names_its_minute_and_says_it_again() -> None:
    search = "?view=time&at=2026-10-16T17:07Z&against=2026-10-16T17:05Z&day=2026-10-16"
    state = PageState.from_query(search)
    assert state.at_ms == START + 7 * MINUTE
    assert state.query() == search
    assert replace(state, at_ms=None, against_ms=None, day=None).query() == "?view=time"


@pytest.mark.parametrize(
    "word", ["at=yesterday", "at=1999-01-01T00:00Z", "day=2026-02-30", "against=2026-10-16T25:00Z"]
)
def test_an_instant_that_is_none_is_named_and_left_out(word: str) -> None:
    state = PageState.from_query(f"?{word}")
    assert state.ignored
    assert state.query() == ""
