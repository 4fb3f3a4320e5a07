"""The page in the past: a view at a recorded minute, and the Time view with its days, gaps and new minutes."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.gex import expose, fit
from app.gex.params import Params
from app.history.reader import History
from callbacks.time import Past
from components.state import PageState
from tests.chains import SPOT
from tests.lookback import DAY_BEFORE, START, Tab, chain_at
from tests.recorded import MINUTE, record
from tests.support import ROOT

MINUTES = [0, 1, 2, 5, 6, 7]
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of one day, and six with a gap of the next."""
    place = tmp_path_factory.mktemp("data")
    record(place, [chain_at(m, DAY_BEFORE) for m in (0, 1)])
    record(place, [chain_at(m) for m in MINUTES])
    return place


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


@pytest.mark.skipif(not NODE, reason="needs node")
def test_dealers_that_have_no_side_have_no_regime_over_time(tab: Tab) -> None:
    naive, long = (laid([tab.sees(f"?view=time{choice}")]) for choice in ("", "&side=long"))
    assert {row["regime"] for row in naive["rows"]} <= {"long gamma", "short gamma"}
    assert {row["regime"] for row in long["rows"]} == {None}
    assert all(row["net_gex"] > 0 for row in long["rows"])
    assert "gamma above" in naive["below"]
    assert "gamma above" not in long["below"]


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
  below: held.plain.panels[1].title, begin: grid.time.begin, cell: grid.time.cell, data: held.plain.data.length }}));"""
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
