"""The browser's pure functions, run by node: numbers as words, axes that hold still, labels that repel, freshness."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.support import ROOT

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(not NODE, reason="needs node")

NOW = 1_700_000_000_000


def js(expression: str, *files: str) -> Any:
    """The value of an expression after loading these scripts of assets/."""
    load = "".join((ROOT / "assets" / f"{name}.js").read_text() + "\n;" for name in ("format", *files))
    script = f"{load}process.stdout.write(JSON.stringify({expression}))"
    done = subprocess.run(
        [NODE or "node", "-e", script], capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("dollars(-10.43e9)", "−10.4 Bn"),
        ("dollars(532e6)", "532 M"),
        ("dollars(532e6, true)", "+532 M"),
        ("dollars(999.97e6)", "1.00 Bn"),
        ("dollars(-1.5e12)", "−1.50 Tn"),
        ("dollars(0)", "0"),
        ("dollars(null)", "–"),
        ("dollars(NaN)", "–"),
        ("price(4697.2402)", "4,697.24"),
        ("price(null)", "–"),
        ("strike(4700)", "4,700"),
        ("strike(17.5)", "17.5"),
        ("level(4718.44)", "4,718.4"),
        ("level(282.467)", "282.47"),
        ("move(38.52)", "±38.5"),
        ("move(0.357)", "±0.36"),
        ("move(null)", "–"),
        ("points(24.06)", "+24.1"),
        ("points(-0.01)", "0.0"),
        ("percent(0.0031)", "+0.31 %"),
        ("percent(-0.02068)", "−2.07 %"),
        ("percent(0.992, 1, false)", "99.2 %"),
        ("span(800)", "0.8 s"),
        ("span(42000)", "42 s"),
        ("span(240000)", "4 min"),
        ("span(8040000)", "2 h 14 min"),
        ("span(453600000)", "5 d 6 h"),
        ("integer(20000)", "20,000"),
        ("clock(1704488400000)", "16:00:00 ET"),
        ("isoDay('2024-01-08')", "Jan 08"),
        ("day(1704488400000, 1704574800000)", "Fri, Jan 5"),
        ("day(1704488400000, 1736110800000)", "Fri, Jan 5, 2024"),
    ],
)
def test_numbers_are_written_as_the_design_says(call: str, text: str) -> None:
    assert js(f"gex.format.{call}").replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("SPX", "gex-SPX-overview-2024-01-05T210000Z"),
        (
            "BRK.B?view=strikes&expiries=0dte&unit=per_point&range=1,2",
            "gex-BRK.B-strikes-0dte-per_point-2024-01-05T210000Z",
        ),
        ("SPX?view=surface&measure=<b>&unit=a/b", "gex-SPX-surface-2024-01-05T210000Z"),
    ],
)
def test_a_saved_file_is_named_for_what_it_shows(key: str, name: str) -> None:
    answer = {"symbol": key.split("?")[0], "key": key, "as_of": 1704488400000}
    assert js(f"gex.table.fileName({json.dumps(answer)})", "table") == name


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"source": "simulator"}, "simulated-"),
        ({"delayed": True}, "delayed-"),
        ({"missing": 3, "source": "schwab"}, "in_part-"),
        ({"beside": [{"missing": 0}, {"missing": 2}]}, "in_part-"),
        ({"past": {"at": NOW}, "source": "simulator"}, "simulated-recorded-"),
    ],
)
def test_a_saved_file_says_what_the_page_says_beside_its_numbers(answer: dict[str, Any], words: str) -> None:
    given = json.dumps({"symbol": "SPX", "key": "SPX", "as_of": 1704488400000} | answer)
    assert js(f"gex.table.fileName({given})", "table") == f"gex-SPX-{words}overview-2024-01-05T210000Z"


def test_a_page_held_still_is_as_old_as_its_picture_and_tells_of_trouble() -> None:
    def held(state: str) -> Any:
        return js(f"gex.fresh.frozen({{state: '{state}', since: 9}}, {{as_of: 5}})", "fresh")

    assert [held(state)["state"] for state in ("live", "delayed", "closed")] == ["frozen"] * 3
    assert held("live")["since"] == 5
    assert held("stale")["state"] == "stale"
    assert held("down")["state"] == "down"


def test_what_reads_zero_has_no_sign() -> None:
    assert js("['+0.1', '0.0', gex.format.points(-0.04), gex.format.points(-0.06)].map(gex.format.sign)") == [
        "positive",
        "",
        "",
        "negative",
    ]


def test_labels_that_would_touch_move_apart_and_keep_their_order() -> None:
    placed = js("gex.axis.repel([100, 102, 101, 300], 16, 0, 500)", "axis")
    assert placed[3] == 300
    assert sorted([placed[0], placed[2], placed[1]]) == [placed[0], placed[2], placed[1]]
    assert placed[2] - placed[0] == pytest.approx(16)
    assert placed[1] - placed[2] == pytest.approx(16)
    assert placed[2] == pytest.approx(101)


def test_labels_stay_inside_the_panel() -> None:
    placed = js("gex.axis.repel([0, 1, 2, 499, 500], 16, 0, 500)", "axis")
    assert min(placed) >= 0
    assert max(placed) <= 500
    gaps = sorted(placed)
    assert all(b - a >= 15.99 for a, b in itertools.pairwise(gaps))


def test_the_price_axis_holds_still_while_spot_wanders_and_moves_when_it_leaves() -> None:
    first = js("gex.axis.follow(null, [4600, 4800], 4700)", "axis")
    assert js(f"gex.axis.follow({first}, [4605, 4805], 4705)", "axis") == first
    moved = js(f"gex.axis.follow({first}, [4680, 4880], 4780)", "axis")
    assert moved != first
    assert moved[0] <= 4680 < 4880 <= moved[1]


def test_a_horizontal_axis_moves_only_when_data_leaves_it_or_shrinks() -> None:
    first = js("gex.axis.hold(null, -2, 3)", "axis")
    assert first[0] < -2 < 3 < first[1]
    assert js(f"gex.axis.hold({first}, -1.9, 2.8)", "axis") == first
    assert js(f"gex.axis.hold({first}, -4, 3)", "axis") != first
    assert js(f"gex.axis.hold({first}, -0.2, 0.3)", "axis") != first


def test_a_heatmaps_full_colour_stays_while_sizes_hover_at_a_step() -> None:
    assert js("gex.axis.full(undefined, 5e8)", "axis") == 5e8
    assert js("gex.axis.full(5e8, 1e9)", "axis") == 5e8
    assert js("gex.axis.full(5e8, 2e8)", "axis") == 5e8
    assert js("gex.axis.full(5e8, 2e9)", "axis") == 2e9
    assert js("gex.axis.full(5e8, 1e8)", "axis") == 1e8


def ack(**changed: Any) -> dict[str, Any]:
    feed = {
        "state": "live",
        "since": NOW - 9e6,
        "heartbeat": NOW - 500,
        "frame": NOW - 800,
        "source": "schwab",
    }
    return {"now": NOW, "problem": None, "feed": feed | changed.pop("feed", {}), **changed}


def judged(
    ack_: dict[str, Any] | None,
    silent: int = 0,
    status: int | None = None,
    refreshing: bool = False,
    **changed: Any,
) -> str:
    answer = {"session": "open", "source": "schwab", "as_of": NOW - 900, "published": NOW - 700} | changed
    given = json.dumps(
        {
            "ack": ack_,
            "answer": answer,
            "now": NOW,
            "silent": silent,
            "status": status,
            "refreshing": refreshing,
        }
    )
    return str(js(f"gex.fresh.judge({given}).state", "fresh"))


@pytest.mark.parametrize(
    ("state", "given"),
    [
        ("live", {}),
        ("live", {"feed": {"frame": NOW - 9000}}),
        ("delayed", {"feed": {"frame": NOW - 12_000}}),
        ("stale", {"feed": {"frame": NOW - 31_000}}),
        ("down", {"feed": {"heartbeat": NOW - 11_000}}),
        ("down", {"feed": {"state": "stopped"}}),
        ("down", {"feed": {"heartbeat": None}}),
        ("down", {"feed": {"state": "signed_out"}}),
        ("delayed", {"feed": {"state": "reconnecting", "frame": NOW - 4000}}),
        ("stale", {"feed": {"state": "reconnecting", "frame": NOW - 40_000}}),
        ("down", {"problem": {"message": "Redis is away", "cure": ""}}),
    ],
)
def test_the_page_claims_no_more_than_the_feed_supports(state: str, given: dict[str, Any]) -> None:
    assert judged(ack(**given)) == state


def test_what_the_chain_itself_says_counts_too() -> None:
    assert judged(ack(), session="closed") == "closed"
    assert judged(ack(), delayed=True) == "delayed"
    assert judged(ack(), stale=True) == "stale"
    # the feed's account is kept in the same cache, so it is missing too
    assert judged({**ack(), "feed": None}, stale=True) == "stale"
    # a market that is closed does not excuse a cache that can't be read
    assert judged(ack(), stale=True, session="closed") == "stale"


@pytest.mark.parametrize(
    ("state", "minutes", "answer"),
    [
        ("live", 1, {}),
        ("delayed", 2, {}),
        ("stale", 4, {}),
        ("stale", 4, {"session": "unknown"}),
        ("closed", 4, {"session": "closed"}),
    ],
)
def test_a_chain_that_the_feed_brings_nothing_of_is_not_live_because_others_are(
    state: str, minutes: int, answer: dict[str, Any]
) -> None:
    assert judged(ack(), **{"published": NOW - minutes * 60_000, **answer}) == state


@pytest.mark.parametrize(("state", "minutes"), [("live", 1), ("delayed", 2), ("stale", 4)])
def test_quotes_that_stand_while_spot_moves_are_not_live(state: str, minutes: int) -> None:
    assert judged(ack(), heard=NOW - minutes * 60_000) == state


def test_what_the_server_has_no_chain_of_any_more_is_not_live() -> None:
    assert judged(ack(waiting=True)) == "stale"
    assert judged(ack(waiting=True), session="closed") == "stale"


def test_a_silent_server_is_never_live() -> None:
    assert judged(ack(), silent=6500) == "down"
    assert judged(ack(), silent=3000, status=0) == "down"
    assert judged(ack(), silent=100, status=401) == "down"
    assert judged(None) == "connecting"


@pytest.mark.parametrize(("silent", "status"), [(6500, None), (3000, 0), (100, 401)])
def test_while_the_server_is_silent_nothing_is_claimed_of_feed_and_cache(
    silent: int, status: int | None
) -> None:
    given = json.dumps({"ack": ack(), "answer": {}, "now": NOW, "silent": silent, "status": status})
    assert js(f"gex.fresh.judge({given}).cut", "fresh") is True
    heard = json.dumps({"ack": ack(), "answer": {}, "now": NOW, "silent": 300, "status": None})
    assert js(f"gex.fresh.judge({heard}).cut ?? null", "fresh") is None


def test_a_view_without_a_chain_calls_the_feed_connected_and_no_number_live() -> None:
    given = json.dumps(
        {"ack": ack(), "answer": {"chainless": True}, "now": NOW, "silent": 300, "status": None}
    )
    assert js(f"gex.fresh.judge({given}).word", "fresh") == "Connected"


@pytest.mark.parametrize(
    ("name", "page", "missing", "state"),
    [
        ("net_gex", "live", 3, "partial"),
        ("flip", "closed", 1, "partial"),
        ("net_gex", "live", 0, "live"),
        ("spot", "live", 3, "live"),
        ("expected_move", "live", 3, "live"),
        ("net_gex", "stale", 3, "stale"),
    ],
)
def test_what_adds_up_a_chain_of_which_dates_are_missing_is_not_live(
    name: str, page: str, missing: int, state: str
) -> None:
    answer = json.dumps({"as_of": NOW, "spot_at": NOW, "missing": missing})
    found = js(f"gex.fresh.ofNumber('{name}', {{state: '{page}'}}, {answer}, {NOW})", "fresh")
    assert found["state"] == state


@pytest.mark.parametrize(("name", "state"), [("spot", "delayed"), ("flip", "delayed"), ("net_gex", "live")])
def test_a_flip_found_from_an_old_spot_is_as_old(name: str, state: str) -> None:
    answer = json.dumps({"as_of": NOW, "spot_at": NOW - 120_000})
    found = js(f"gex.fresh.ofNumber('{name}', {{state: 'live'}}, {answer}, {NOW})", "fresh")
    assert (found["state"], found["at"]) == (state, NOW - 120_000 if state == "delayed" else NOW)


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        ({"levels": {"net_gex": 1e9, "regime": "long"}}, True),
        ({"levels": {"net_gex": None}}, False),
        ({"levels": {"net_gex": 1e9, "regime": None}, "missing": 2}, False),
        ({"levels": {"net_gex": 1e9, "regime": None}, "past": {"at": NOW}}, False),  # both sides long
        ({"levels": {"net_gex": 1e9, "regime": "short"}, "past": {"at": NOW}}, True),
    ],
)
def test_that_there_is_no_flip_is_said_only_where_the_whole_is_known(
    answer: dict[str, Any], claims: bool
) -> None:
    why = js(f"gex.tiles.why('flip', {json.dumps(answer)})", "tiles")
    assert ("there is no flip" in why) is claims


def test_a_page_that_comes_back_into_sight_claims_nothing_before_its_next_answer() -> None:
    assert judged(ack(), silent=300, refreshing=True) == "connecting"
    assert judged(ack(), silent=7000, refreshing=True) == "down"


def banner(feed: dict[str, Any] | None = None, **answer: Any) -> str | None:
    given = json.dumps({"ack": ack(feed=feed or {}), "answer": answer, "now": NOW})
    found = js(f'gex.status.problem({{state: "live", why: ""}}, {given})', "status")
    return str(found["message"]) if found else None


def test_a_chain_that_is_not_whole_says_so_in_the_banner() -> None:
    assert banner(missing=0) is None
    assert "33 expiry dates have not been read yet" in (banner(missing=33) or "")
    # a problem of the feed is more urgent, and says why
    broken = {"problem": {"message": "Schwab can't be reached.", "cure": ""}}
    assert banner(broken, missing=33) == "Schwab can't be reached."


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "Connecting"),
        ({"feed": {"state": "signed_out"}}, "Signed out"),
        ({"feed": {"state": "stopped"}}, "Feed down"),
        ({"problem": {"message": "away"}, "cache": {"healthy": False}}, "Cache down"),
        ({"problem": {"message": "other"}, "cache": {"healthy": True}}, "Not shown"),
    ],
)
def test_where_nothing_is_drawn_yet_the_state_says_what_is_missing(given: dict[str, Any], word: str) -> None:
    said = json.dumps({"ack": ack(**given), "answer": None, "now": NOW, "silent": 0, "status": None})
    assert js(f"gex.fresh.judge({said}).word", "fresh") == word


FRAME = '{panels: [{id: "ladder", axis: "x", x0: 0, x1: 500, y0: 0, y1: 400}]}'


@pytest.mark.parametrize(("moved", "same"), [(0.001, True), (0.02, False), ("NaN", False)])
def test_a_bar_that_moved_less_than_a_pixel_looks_the_same(moved: float | str, same: bool) -> None:
    trace = '[{{meta: {{part: "net"}}, xaxis: "x", x: [1, {}], y: [100, 105]}}]'
    drawn = f"{trace.format(2)}, {trace.format(f'2 + {moved}')}"
    # ten units over 500 pixels
    assert js(f"gex.sameness.traces({drawn}, {FRAME}, {{ladder: [-5, 5]}}, [90, 110])", "sameness") is same


def test_lines_that_moved_are_moved_and_others_are_drawn_anew() -> None:
    lines = '{{shapes: [{{name: "spot", y0: {0}, y1: {0}}}], annotations: [{{name: "{1}", text: "Spot {0}", y: 0.5}}]}}'
    before = lines.format(100, "spot")
    assert js(f"gex.sameness.lines({before}, {lines.format(101, 'spot')})", "sameness") is True
    assert js(f"gex.sameness.lines({before}, {lines.format(101, 'flip')})", "sameness") is False
    assert js(f"gex.sameness.lines({before}, {lines.format(1000, 'spot')})", "sameness") is False, (
        "a longer label"
    )
