"""The watch beside the feed: nothing fires twice, nothing is lost, and nothing fires from a chain that isn't fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.alerts.alert import Alert, Delivery
from app.alerts.ledger import Ledger
from app.alerts.rulebook import RuleBook
from app.alerts.rules import (
    MOST_RULES,
    Crossing,
    FeedTrouble,
    Move,
    Rule,
    RulesChanged,
    RuleSet,
    RulesRefused,
)
from app.alerts.watch import Watch
from app.cache.memory import MemoryStore
from app.errors import CacheError, GexError
from app.gex import expose, fit
from app.gex.snapshot import Levels, Snapshot
from app.market.chain import Chain
from app.models import Coverage, SchwabConnection, TokenLife
from tests.small import AS_OF_MS, small_chain

CROSSING = Crossing(id="c", symbol="*", level="flip", cooldown_s=0)


@dataclass
class Voice:
    said: dict[str, str] = field(default_factory=dict)

    def trouble(self, where: str, error: GexError) -> None:
        self.said[where] = str(error)

    def well(self, where: str) -> None:
        self.said.pop(where, None)


class LosingStore(MemoryStore):
    """A store that can be away, and can lose what it held."""

    away = False

    def get(self, key: str) -> bytes | None:
        if self.away:
            raise CacheError("away")
        return super().get(key)

    def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        if self.away:
            raise CacheError("away")
        super().put(key, value, ttl_s)

    def lose(self) -> None:
        self._values.clear()


class Bench:
    """A watch on a store, and a clock."""

    def __init__(self, folder: Path, store: LosingStore, *rules: Rule) -> None:
        self.store, self.folder = store, folder
        self.book = RuleBook(store, folder, "test")
        self.ledger = Ledger(store, "test")
        self.voice = Voice()
        self.now_ms = AS_OF_MS
        self.quality = SNAPSHOT.quality
        if rules:
            self.book.change(lambda kept: kept.model_copy(update={"rules": list(rules)}))
        self.lead()

    def lead(self) -> None:
        """A new leader."""
        self.watch = Watch(self.book, self.ledger, self.voice)

    def status(self, **changed: Any) -> SchwabConnection:
        now = datetime.fromtimestamp(self.now_ms / 1000, UTC)
        usual: dict[str, Any] = {
            "state": "live",
            "since": now,
            "source": "schwab",
            "coverage": {"SPX": Coverage(contracts=10, streaming=10, oldest_sweep_at=now)},
            "token": TokenLife(),
        }
        return SchwabConnection(**(usual | changed))

    def second(self, spot: float | None = None, **changed: Any) -> None:
        """One second: the status, and a chain where a spot is given."""
        self.now_ms += 1000
        of_chain = changed.pop("chain", {})
        self.watch.tick(self.now_ms, self.status(**changed))
        if spot is not None:
            chain = replace(CHAIN, **({"spot": spot, "spot_ms": self.now_ms, "source": "schwab"} | of_chain))
            if self.watch.wants(chain, self.now_ms):
                self.watch.seen(replace(at(spot), quality=self.quality), chain, self.now_ms)

    def fired(self) -> list[Alert]:
        return self.ledger.fired()


CHAIN: Chain = small_chain()
SNAPSHOT: Snapshot = expose(fit(CHAIN))


def at(spot: float) -> Snapshot:
    return replace(SNAPSHOT, spot=spot, levels=Levels(flip=100.0))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, LosingStore(), CROSSING)


def test_a_crossing_is_kept_with_its_numbers(bench: Bench) -> None:
    bench.second(101)
    bench.second(99)
    [alert] = bench.fired()
    assert (alert.answer, alert.symbol, alert.level) == ("below", "SPX", "flip")
    assert alert.text == "SPX fell below the gamma flip 100: spot 99."
    assert (alert.spot, alert.after) == (99.0, 100.0)


def test_simulated_numbers_are_called_so(bench: Bench) -> None:
    bench.second(101, chain={"source": "simulator"})
    bench.second(99, chain={"source": "simulator"})
    [alert] = bench.fired()
    assert alert.simulated
    assert alert.text.startswith("Simulated: ")


@pytest.mark.parametrize(
    ("status", "chain"),
    [
        ({"state": "reconnecting"}, {}),
        ({}, {"session": "closed"}),
        ({}, {"session": "unknown"}),
        ({}, {"missing_expiries": 3}),
        ({}, {"spot_ms": AS_OF_MS - 600_000}),
        ({}, {"spot": None}),
        ({"coverage": {}}, {}),
        (
            {
                "coverage": {
                    "SPX": Coverage(
                        contracts=1,
                        streaming=1,
                        oldest_sweep_at=datetime.fromtimestamp(AS_OF_MS / 1000, UTC) - timedelta(hours=1),
                    )
                }
            },
            {},
        ),
    ],
)
def test_a_stale_or_partial_chain_fires_nothing(
    bench: Bench, status: dict[str, Any], chain: dict[str, Any]
) -> None:
    bench.second(101)
    bench.second(99, **status, chain=chain)
    assert bench.fired() == []
    bench.second(99)
    assert len(bench.fired()) == 1  # that was what it would have fired


def test_a_flip_that_jumps_because_quotes_are_missing_fires_nothing(bench: Bench) -> None:
    bench.second(101)
    bench.quality = replace(SNAPSHOT.quality, open_interest_coverage=0.5)
    bench.second(99)
    assert bench.fired() == []
    bench.quality = SNAPSHOT.quality
    bench.second(99)
    assert len(bench.fired()) == 1


def test_spot_is_watched_whatever_is_quoted(tmp_path: Path) -> None:
    rule = Move(id="m", symbol="*", level="spot", by=5.0, unit="points", minutes=5)
    bench = Bench(tmp_path, LosingStore(), rule)
    bench.quality = replace(SNAPSHOT.quality, open_interest_coverage=0.0)
    bench.second(101)
    bench.second(110)
    assert [alert.kind for alert in bench.fired()] == ["move"]


def test_a_take_over_repeats_nothing_and_loses_nothing(bench: Bench) -> None:
    bench.second(101)
    bench.second(99)
    bench.lead()
    bench.second(99)
    bench.second(99)
    assert len(bench.fired()) == 1
    bench.second(101)
    assert [alert.answer for alert in bench.fired()] == ["above", "below"]


def test_a_crash_between_the_two_writes_repeats_nothing(bench: Bench) -> None:
    bench.second(101)
    before = bench.ledger.memories()
    bench.second(99)
    bench.ledger.write_memories(before)
    bench.lead()
    bench.second(99)
    bench.second(98)
    assert len(bench.fired()) == 1


def test_while_the_cache_is_away_rules_go_on_and_are_kept_afterwards(bench: Bench) -> None:
    bench.second(101)
    bench.store.away = True
    bench.second(99)
    bench.second(99)
    bench.store.away = False
    bench.second()
    assert len(bench.fired()) == 1


def test_a_cache_that_lost_everything_gets_rules_and_alerts_again(bench: Bench) -> None:
    bench.second(101)
    bench.second(99)
    bench.store.lose()
    for _ in range(8):
        bench.second(99)
    assert len(bench.fired()) == 1
    assert bench.book.read().rules == [CROSSING]
    bench.lead()
    bench.second(99)
    assert len(bench.fired()) == 1


def test_rules_outlive_the_cache_and_the_process(bench: Bench, tmp_path: Path) -> None:
    again = RuleBook(LosingStore(), tmp_path, "test")
    assert again.read().rules == [CROSSING]
    assert RuleBook(LosingStore(), tmp_path, "another").read() == RuleSet()
    assert (tmp_path / "alerts-test").stat().st_mode & 0o077 == 0


def test_two_that_change_the_rules_at_once_are_told(bench: Bench) -> None:
    revision = bench.book.read().revision
    bench.book.change(lambda kept: kept, revision)
    with pytest.raises(RulesChanged):
        bench.book.change(lambda kept: kept.model_copy(update={"rules": []}), revision)
    assert bench.book.read().rules == [CROSSING]


def test_too_many_rules_are_refused_and_change_nothing(bench: Bench) -> None:
    many: list[Rule] = [FeedTrouble() for _ in range(MOST_RULES + 1)]
    with pytest.raises(RulesRefused, match=str(MOST_RULES)):
        bench.book.change(lambda kept: kept.model_copy(update={"rules": many}))
    assert bench.book.read().rules == [CROSSING]


def test_an_unreadable_file_of_rules_is_said_and_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "alerts-test").write_text("not rules")
    bench = Bench(tmp_path, LosingStore())
    bench.second(101)
    assert "can't be read" in bench.voice.said["alerts"]
    with pytest.raises(RulesRefused):
        bench.book.change(lambda kept: kept)
    assert (tmp_path / "alerts-test").read_text() == "not rules"


def test_a_changed_rule_counts_within_seconds_and_a_switched_off_one_forgets(bench: Bench) -> None:
    bench.second(101)
    off = CROSSING.model_copy(update={"enabled": False})
    bench.book.change(lambda kept: kept.model_copy(update={"rules": [off]}))
    for _ in range(3):
        bench.second()
    bench.second(99)
    bench.book.change(lambda kept: kept.model_copy(update={"rules": [CROSSING]}))
    for _ in range(3):
        bench.second(99)
    assert bench.fired() == []


def test_feed_trouble_says_what_is_wrong(tmp_path: Path) -> None:
    bench = Bench(tmp_path, LosingStore(), FeedTrouble(id="f", seconds=5, cooldown_s=0))
    since = datetime.fromtimestamp(AS_OF_MS / 1000, UTC)
    for _ in range(9):
        bench.second(state="reconnecting", since=since)
    [alert] = bench.fired()
    assert alert.text == "The feed has not been live for 5 s. Now it is reconnecting."


def test_news_of_a_sending_is_kept_with_the_alert(bench: Bench) -> None:
    bench.second(101)
    bench.second(99)
    [alert] = bench.fired()
    bench.watch.report(alert.id, Delivery(hook="h", state="waiting", attempts=1))
    bench.watch.report(alert.id, Delivery(hook="h", state="delivered", attempts=2))
    bench.second()
    assert [news.state for news in bench.fired()[0].deliveries] == ["delivered"]


def test_an_acknowledgement_is_kept_apart_and_of_known_alerts_only(bench: Bench) -> None:
    bench.second(101)
    bench.second(99)
    [alert] = bench.fired()
    bench.ledger.acknowledge({alert.id, "never-heard-of"})
    assert bench.ledger.acked() == {alert.id}
