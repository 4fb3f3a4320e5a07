"""When a rule fires: once for what happened, never for noise, never for what is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.alerts.evaluate import (
    FeedSeen,
    Firing,
    Levels,
    Memories,
    Memory,
    firing_id,
    look,
    look_at_feed,
    memory_key,
)
from app.alerts.rules import Crossing, FeedTrouble, LevelRule, LoginEnding, Move, RegimeChange
from app.models import FeedState

HOUR_MS = 3_600_000
prices = st.one_of(st.none(), st.floats(4_000, 6_000))


def levels(second: float, spot: float | None, level: float | None = 5000.0, **others: float | None) -> Levels:
    return Levels("SPX", round(second * 1000), spot=spot, flip=level, **others)


def run(rule: LevelRule, seen: Iterable[Levels], memory: Memory | None = None) -> tuple[Memory, list[Firing]]:
    """What a rule makes of a series of sights."""
    now, fired = memory or Memory(), []
    for sight in seen:
        now, firing = look(rule, now, sight)
        fired += [firing] if firing else []
    return now, fired


def crossing(**changed: object) -> Crossing:
    return Crossing.model_validate({"id": "r", "level": "flip", "cooldown_s": 0} | changed)


def test_a_crossing_fires_once_and_says_which_way() -> None:
    _, fired = run(crossing(), [levels(0, 5010), levels(1, 5020), levels(2, 4990), levels(3, 4980)])
    assert [firing.answer for firing in fired] == ["below"]


def test_the_first_look_is_no_crossing() -> None:
    assert run(crossing(), [levels(0, 4900), levels(1, 4900)])[1] == []


def test_a_touch_within_the_margin_is_no_crossing() -> None:
    # 0.05 % of 5,000 is 2.5 points
    assert run(crossing(), [levels(0, 5010), levels(1, 4998), levels(2, 5010)])[1] == []


@pytest.mark.parametrize(
    ("direction", "wanted"),
    [("either", ["below", "above"]), ("up", ["above"]), ("down", ["below"])],
)
def test_a_crossing_the_other_way_than_asked_for_is_not_told(direction: str, wanted: list[str]) -> None:
    rule = crossing(direction=direction)
    _, fired = run(rule, [levels(0, 5010), levels(1, 4990), levels(2, 5010)])
    assert [firing.answer for firing in fired] == wanted


def test_a_level_that_moves_across_spot_is_told_as_such() -> None:
    rule = crossing(level="call_wall")
    seen = [levels(0, 5010, call_wall=5100), levels(1, 5011, call_wall=5000)]
    _, [firing] = run(rule, seen)
    assert (firing.answer, firing.level_crossed) == ("above", True)
    assert (firing.before, firing.after) == (5100, 5000)


def test_what_changed_during_the_cool_down_is_told_when_it_is_over() -> None:
    rule = crossing(cooldown_s=60)
    seen = [levels(0, 5010), levels(10, 4990), levels(20, 5010)]
    memory, fired = run(rule, seen)
    assert [firing.at_ms for firing in fired] == [10_000]
    _, fired = run(rule, [levels(69, 5010), levels(71, 5010)], memory)
    assert [(firing.at_ms, firing.answer) for firing in fired] == [(71_000, "above")]


@given(st.lists(st.floats(-2.4, 2.4), min_size=1, max_size=200))
def test_noise_within_the_margin_never_fires(noise: list[float]) -> None:
    seen = [levels(i, 5000 + away) for i, away in enumerate(noise)]
    assert run(crossing(), [levels(-1, 5010), *seen])[1] == []


@settings(max_examples=60)
@given(st.lists(prices, max_size=120), st.lists(prices, max_size=120), st.integers(0, 30))
def test_two_alerts_of_a_rule_differ_in_what_they_say_and_keep_their_distance(
    spots: list[float | None], flips: list[float | None], cooldown: int
) -> None:
    seen = [levels(i, spot, flip) for i, (spot, flip) in enumerate(zip(spots, flips, strict=False))]
    _, fired = run(crossing(cooldown_s=cooldown), seen)
    for one, other in pairwise(fired):
        assert one.answer != other.answer
        assert other.at_ms - one.at_ms >= cooldown * 1000


@settings(max_examples=60)
@given(st.lists(prices, min_size=1, max_size=80), st.floats(4_000, 6_000), st.integers(0, 20))
def test_once_price_rests_the_reader_knows_on_which_side(
    spots: list[float | None], resting: float, cooldown: int
) -> None:
    rule = crossing(cooldown_s=cooldown)
    walk = [levels(i, spot) for i, spot in enumerate(spots)]
    rest = [levels(len(walk) + i, resting) for i in range(25)]
    memory, _ = run(rule, [*walk, *rest])
    if abs(resting - 5000) > resting * rule.margin_percent / 100:
        assert memory.told == ("above" if resting > 5000 else "below")


@settings(max_examples=60)
@given(st.lists(prices, min_size=1, max_size=60), st.data())
def test_what_is_unknown_changes_nothing(spots: list[float | None], data: st.DataObject) -> None:
    seen = [levels(i, spot) for i, spot in enumerate(spots)]
    at = data.draw(st.integers(0, len(seen)))
    gap = [levels(at, None), levels(at, 5000, None)]
    for rule in (crossing(), Move(id="r", level="flip", by=1), RegimeChange(id="r")):
        assert run(rule, [levels(0, None), levels(1, 5000.0, None)])[1] == []
    assert run(crossing(), [*seen[:at], *gap, *seen[at:]]) == run(crossing(), seen)


@given(st.lists(prices, min_size=2, max_size=60), st.data())
def test_a_restart_neither_repeats_nor_loses_an_alert(spots: list[float | None], data: st.DataObject) -> None:
    """Only the memory goes over, as JSON would carry it."""
    seen = [levels(i, spot) for i, spot in enumerate(spots)]
    cut = data.draw(st.integers(0, len(seen)))
    for rule in (crossing(), Move(id="r", level="spot", by=2, unit="percent", minutes=1, cooldown_s=0)):
        whole = run(rule, seen)
        memory, before = run(rule, seen[:cut])
        kept = Memory.from_dict(memory.to_dict())
        after_memory, after = run(rule, seen[cut:], kept)
        assert (after_memory, before + after) == whole


def test_a_regime_change_needs_a_clear_sign() -> None:
    def net(second: int, value: float | None) -> Levels:
        return Levels("SPX", second * 1000, net_gex=value, gross_gex=100e9)

    rule = RegimeChange(id="r", cooldown_s=0)
    seen = [net(0, 5e9), net(1, -0.5e9), net(2, 0.5e9), net(3, None), net(4, -2e9), net(5, -9e9), net(6, 3e9)]
    _, fired = run(rule, seen)
    assert [(firing.at_ms, firing.answer) for firing in fired] == [(4000, "short"), (6000, "long")]


def test_a_move_fires_when_it_comes_about_within_its_minutes() -> None:
    rule = Move(id="r", level="flip", by=20, unit="points", minutes=10, cooldown_s=0)
    fast = [levels(60 * i, 5000, 5000 + 5 * i) for i in range(10)]
    _, fired = run(rule, fast)
    assert [(firing.before, firing.after) for firing in fired] == [(5000, 5025)]
    slow = [levels(60 * i, 5000, 5000 + i) for i in range(60)]
    assert run(rule, slow)[1] == []


def test_a_move_is_measured_anew_after_it_was_told() -> None:
    rule = Move(id="r", level="spot", by=10, unit="points", minutes=60, cooldown_s=0)
    _, fired = run(rule, [levels(i, 5000 + i) for i in range(25)])
    assert [firing.after for firing in fired] == [5011, 5022]


@settings(max_examples=40)
@given(st.lists(st.floats(-4.9, 4.9), min_size=1, max_size=300))
def test_a_level_that_trembles_by_less_never_moves(noise: list[float]) -> None:
    rule = Move(id="r", level="flip", by=10, unit="points", minutes=5)
    assert run(rule, [levels(i, 5000, 5000 + away) for i, away in enumerate(noise)])[1] == []


@settings(max_examples=40)
@given(st.lists(st.floats(4_000, 6_000), min_size=1, max_size=400))
def test_a_window_remembers_few_values(values: list[float]) -> None:
    rule = Move(id="r", level="spot", by=100, unit="percent", minutes=1)
    memory, _ = run(rule, [levels(i, value) for i, value in enumerate(values)])
    assert len(memory.window) <= 17


def feed_run(rule: FeedTrouble, states: list[tuple[int, FeedState]]) -> list[tuple[int, str]]:
    memory, fired, since, before = Memory(), [], 0, ""
    for second, state in states:
        since = second if state != before else since
        before = state
        memory, firing = look_at_feed(rule, memory, FeedSeen(second * 1000, state, since * 1000))
        fired += [(second, firing.answer)] if firing else []
    return fired


def test_feed_trouble_is_told_after_its_seconds_and_its_end_too() -> None:
    rule = FeedTrouble(id="r", seconds=30, cooldown_s=0)
    states: list[tuple[int, FeedState]] = [(i, "live") for i in range(10)]
    states += [(i, "reconnecting" if i % 2 else "connecting") for i in range(10, 60)]
    states += [(i, "live") for i in range(60, 80)]
    assert feed_run(rule, states) == [(40, "trouble"), (65, "well")]


def test_a_short_reconnection_is_no_trouble() -> None:
    rule = FeedTrouble(id="r", seconds=30, cooldown_s=0)
    states: list[tuple[int, FeedState]] = [(i, "live" if i % 25 < 5 else "reconnecting") for i in range(300)]
    assert feed_run(rule, states) == []


def test_a_login_that_ends_is_told_once_and_again_only_after_a_new_one() -> None:
    rule = LoginEnding(id="r", hours=24, cooldown_s=0)
    memory, fired = Memory(), []
    for hour, ends in [(0, 100), (76, 100), (77, 100), (99, 100), (101, 100), (102, 270), (247, 270)]:
        seen = FeedSeen(hour * HOUR_MS, "live", 0, ends * HOUR_MS)
        memory, firing = look_at_feed(rule, memory, seen)
        fired += [hour] if firing else []
    assert fired == [76, 247]


def test_a_login_that_is_about_to_end_at_the_first_look_is_told() -> None:
    rule = LoginEnding(id="r", hours=24)
    _, firing = look_at_feed(rule, Memory(), FeedSeen(0, "live", 0, HOUR_MS))
    assert firing is not None
    assert look_at_feed(rule, Memory(), FeedSeen(0, "live", 0, None))[1] is None


def test_the_id_of_an_alert_is_the_same_when_its_firing_is_repeated_and_differs_from_all_others() -> None:
    rule = crossing()
    key = memory_key(rule, "SPX")
    memory, _ = run(rule, [levels(0, 5010)])
    once, _ = look(rule, memory, levels(1, 4990))
    again, _ = look(rule, memory, levels(2, 4985))
    assert firing_id(key, once) == firing_id(key, again)
    later, _ = look(rule, once, levels(3, 5010))
    ids = {firing_id(key, once), firing_id(key, later), firing_id(memory_key(rule, "SPY"), once)}
    assert len(ids) == 3


def test_a_rule_that_asks_something_else_begins_anew_and_one_with_another_cool_down_goes_on() -> None:
    rule = crossing()
    assert memory_key(rule, "SPX") != memory_key(crossing(level="call_wall"), "SPX")
    assert memory_key(rule, "SPX") == memory_key(crossing(cooldown_s=5, webhook=False), "SPX")


def test_memories_of_rules_that_are_gone_are_forgotten() -> None:
    memories = Memories()
    assert memories.put("a:SPX:1", Memory(told="above"))
    assert not memories.put("a:SPX:1", Memory(told="above", spot=1.0, level=2.0))
    assert memories.keep({"b"})
    assert memories.get("a:SPX:1") == Memory()


def test_an_alert_after_everything_was_forgotten_has_an_id_of_its_own() -> None:
    key = memory_key(crossing(), "SPX")
    one, _ = run(crossing(), [levels(0, 5010), levels(1, 4990)])
    other, _ = run(crossing(), [levels(100, 5010), levels(101, 4990)])
    assert firing_id(key, one) != firing_id(key, other)
