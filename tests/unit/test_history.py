"""What is recorded of a day, and what is not: minutes, crossings, gaps, restarts, moving leases, faulty disks and clocks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from app.cache import Store
from app.cache.memory import MemoryStore
from app.errors import HistoryError
from app.feed.board import Board
from app.feed.lease import Lease
from app.feed.observer import Observer, Seat
from app.gex import expose, fit
from app.gex.params import Params
from app.gex.snapshot import Levels
from app.history.files import Folder
from app.history.moment import NotRecorded
from app.history.reader import History
from app.history.recorder import Recorder, Rules
from app.history.rollup import roll_up
from app.history.writer import Limits
from app.market.calendar import to_ms
from app.market.chain import Chain
from app.models import TokenLife
from app.trail import Trail
from components.past import past_answer
from components.state import PageState
from tests.chains import AS_OF, SPOT, Listed, requoted, rounded, synthetic
from tests.support import ROOT, eventually

MINUTE = 60_000
START = to_ms(AS_OF)
SERIES = (
    Listed("SPXW", date(2026, 10, 16)),
    Listed("SPXW", date(2026, 10, 19)),
    Listed("SPX", date(2026, 11, 20), "A", 10.0),
)


def chain_at(at_ms: int, spot: float = SPOT, **changed: object) -> Chain:
    """A live chain heard just now."""
    made = rounded(synthetic(as_of=datetime.fromtimestamp(at_ms / 1000, UTC), spot=spot, series=SERIES)[0])
    return replace(requoted(made, updated_ms=np.full(len(made), at_ms - 500)), **changed)  # type: ignore[arg-type]


class Host:
    """A leading process with a recorder: its own disk, perhaps a shared cache."""

    def __init__(self, folder: Path, store: Store, limits: Limits | None = None) -> None:
        self.store, self.folder, self.chains = store, Folder(folder), dict[str, Chain]()
        self.lease, self.board = Lease(store), Board("simulator", "host")
        assert self.lease.acquire()
        self.now = START / 1000
        recorder = Recorder(
            self.folder, store, Seat(self.lease, self.board), Rules(limits=limits or Limits())
        )
        self.recorder = recorder
        self.observer = Observer([recorder], self.chains, self.status, wall=lambda: self.now)

    def status(self):  # type: ignore[no-untyped-def]
        return self.board.connection(TokenLife(), {})

    def see(self, chain: Chain) -> None:
        self.now = chain.as_of_ms / 1000
        self.chains[chain.symbol] = chain
        self.observer.look()

    def end(self) -> None:
        self.observer.close()
        self.lease.release()

    def events(self) -> list[str]:
        kinds = []
        while (event := self.board.take_event()) is not None:
            kinds.append(event.kind)
        return kinds

    @property
    def history(self) -> History:
        return History(self.folder.path, self.store)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "history", MemoryStore())
    yield made
    made.observer.close()


def minutes_of(history: History, symbol: str = "SPX") -> list[int]:
    """The recorded minutes after START, in minutes."""
    table = history.levels(symbol, START - MINUTE, START + 600 * MINUTE)
    return [(at - START // MINUTE * MINUTE) // MINUTE for at in table["minute"].cast(pa.int64()).to_pylist()]


def test_each_minute_gives_one_row_that_reads_back_as_it_was(host: Host) -> None:
    seen = [chain_at(START + at) for at in (1_000, 20_000, MINUTE + 500, 3 * MINUTE)]
    for chain in seen:
        host.see(chain)
    host.end()

    assert minutes_of(host.history) == [0, 1, 3]  # the third minute is a gap
    for chain in (seen[0], seen[2], seen[3]):
        params = Params(bucket="week", walls="net", unit="per_point")
        moment = host.history.at("SPX", chain.as_of_ms, params)
        truth = expose(fit(chain), params)
        assert moment is not None
        assert moment.snapshot.as_of_ms == chain.as_of_ms
        assert moment.snapshot.levels.flip == truth.levels.flip
        assert moment.snapshot.levels.call_wall == truth.levels.call_wall
        assert moment.snapshot.levels.net_gex == pytest.approx(truth.levels.net_gex, rel=1e-12)
        assert len(moment.snapshot.expiries) == len(truth.expiries)
        gross = truth.levels.gross_gex
        assert gross is not None
        np.testing.assert_allclose(moment.snapshot.strikes.net_gex, truth.strikes.net_gex, atol=2e-8 * gross)
        np.testing.assert_allclose(moment.snapshot.profile_gex, truth.profile_gex, atol=2e-6 * gross)
    assert host.history.at("SPX", START + 2 * MINUTE, within_ms=MINUTE - 1) is None
    for beyond in (-(10**15), 10**15):  # instants that no calendar reaches
        assert host.history.at("SPX", beyond) is None


def test_the_other_sides_follow_from_the_row(host: Host) -> None:
    chain = chain_at(START)
    host.see(chain)
    host.end()

    for side in ("inverted", "long"):
        for bucket in ("all", "0dte", "ex_next"):
            params = Params(side=side, bucket=bucket, walls="net")  # type: ignore[arg-type]
            moment, truth = host.history.at("SPX", START, params), expose(fit(chain), params)
            assert moment is not None
            kept, made = moment.snapshot.levels, truth.levels
            assert (kept.call_wall, kept.put_wall, kept.max_pain) == (
                made.call_wall,
                made.put_wall,
                made.max_pain,
            )
            assert kept.net_gex == pytest.approx(made.net_gex, rel=1e-9)
            assert kept.flips == pytest.approx(made.flips)


def test_what_rows_do_not_hold_is_refused(host: Host) -> None:
    host.see(chain_at(START))
    host.end()

    for params in (Params(weight="volume"), Params(expiries=(date(2026, 10, 16),))):
        with pytest.raises(NotRecorded):
            host.history.at("SPX", START, params)


@pytest.mark.parametrize(
    "changed", [{"session": "closed"}, {"heard": START - 5 * MINUTE}, {"missing_expiries": 3}]
)
def test_what_is_closed_silent_or_incomplete_is_not_recorded(host: Host, changed: dict[str, Any]) -> None:
    heard = changed.pop("heard", START)
    chain = chain_at(START, **changed)
    host.see(requoted(chain, updated_ms=np.full(len(chain), heard)))
    host.end()

    assert minutes_of(host.history) == []


def test_of_a_chain_read_in_part_no_level_is_recorded(host: Host) -> None:
    for minute in range(4):  # for two minutes it may yet become whole
        host.see(chain_at(START + minute * MINUTE, missing_expiries=2))
    host.see(
        chain_at(START + 3 * MINUTE + 2_000, spot=SPOT * 0.9, missing_expiries=2)
    )  # crosses what a part had
    host.see(chain_at(START + 4 * MINUTE))
    host.see(chain_at(START + 5 * MINUTE))
    host.end()

    history = host.history
    rows = history.levels(
        "SPX", START, START + 9 * MINUTE, fields=["spot", "flip", "net_gex"], crossings=True
    )
    assert rows["spot"].null_count == 0
    for name in ("flip", "net_gex"):
        assert [value is None for value in rows[name].to_pylist()] == [True, False, False], name
    grid = history.strikes("SPX", START, START + 9 * MINUTE)
    assert np.isnan(grid.net[0]).all()
    assert np.isfinite(grid.net[1]).any()
    moment = history.at("SPX", START + 3 * MINUTE)
    assert moment is not None
    assert moment.snapshot.levels == Levels()
    assert [row.net_gex is not None for row in moment.snapshot.expiries] == [True] * len(SERIES)
    assert "2 expiry dates" in past_answer(moment.snapshot, PageState())["error"]
    assert history.change("SPX", START + 3 * MINUTE, START + 5 * MINUTE) is None
    assert history.change("SPX", START + 4 * MINUTE, START + 5 * MINUTE) is not None


def test_a_crossing_of_a_level_gives_a_row_between_minutes(host: Host) -> None:
    def held(chain: Chain) -> Chain:  # everything at one strike, wherever spot stands
        return requoted(chain, open_interest=np.where(chain.contracts.strike == 4975, 1000.0, 1.0))

    chains = [
        held(chain_at(START + at, spot=spot)) for at, spot in ((1_000, 5000), (11_000, 4950), (12_000, 4950))
    ]
    sides = []
    for chain in chains[:2]:
        levels = expose(fit(chain)).levels
        named = {name: getattr(levels, name) for name in ("flip", "call_wall", "put_wall")}
        sides.append({name for name, level in named.items() if level and chain.spot >= level})
    crossed = sides[0] ^ sides[1]
    assert crossed
    for chain in chains:
        host.see(chain)
    host.end()

    found = host.history.levels("SPX", START, START + MINUTE, crossings=True)
    assert [row["crossed"] and set(row["crossed"].split(",")) for row in found.to_pylist()] == [None, crossed]
    assert minutes_of(host.history) == [0]


def test_a_clock_that_goes_back_makes_no_row_and_is_announced(host: Host) -> None:
    for at in (0, MINUTE, 2 * MINUTE, 0, MINUTE + 100, 3 * MINUTE):
        host.see(chain_at(START + at))
    host.end()

    assert minutes_of(host.history) == [0, 1, 2, 3]
    assert host.events().count("clock_back") == 1


def test_a_restart_within_a_minute_makes_no_second_row(tmp_path: Path) -> None:
    store = MemoryStore()
    for at in (0, 30_000, MINUTE):
        host = Host(tmp_path, store)
        host.see(chain_at(START + at))
        host.end()
    alone = Host(tmp_path, MemoryStore())  # a cache that lost everything
    alone.see(chain_at(START + MINUTE + 20_000))
    alone.end()

    assert minutes_of(History(tmp_path)) == [0, 1]
    assert len(Folder(tmp_path).day("SPX", AS_OF.date()).files()) == 2


def test_a_lease_that_moves_between_hosts_loses_and_doubles_nothing(tmp_path: Path) -> None:
    store = MemoryStore()
    first = Host(tmp_path / "a", store)
    for minute in range(3):
        first.see(chain_at(START + minute * MINUTE))
    eventually(lambda: len(store.entries("history:SPX")) == 3)
    first.lease.release()
    second = Host(tmp_path / "b", store)
    second.see(chain_at(START + 2 * MINUTE + 30_000))
    second.see(chain_at(START + 3 * MINUTE))
    eventually(lambda: len(store.entries("history:SPX")) == 4)
    first.see(chain_at(START + 3 * MINUTE + 5_000))  # it slept, and doesn't know yet
    first.end()
    second.end()

    assert minutes_of(History(tmp_path / "b")) == [0, 1, 2, 3]  # what the other host recorded as well
    assert minutes_of(History(tmp_path / "c", store)) == [0, 1, 2, 3]  # a host that never led
    assert minutes_of(History(tmp_path / "a")) == [0, 1, 2]


def test_a_disk_that_takes_nothing_is_announced_and_loses_nothing(tmp_path: Path) -> None:
    place = tmp_path / "history"
    place.write_text("in the way")
    host = Host(place, MemoryStore())
    host.see(chain_at(START))

    problem = eventually(lambda: host.status().problem)
    assert problem.code == "history_unwritable"
    assert str(tmp_path) not in problem.message
    place.unlink()
    host.see(chain_at(START + MINUTE))
    eventually(lambda: host.recorder.tick(START + MINUTE, host.status()) or host.status().problem is None)
    host.end()
    assert minutes_of(History(place)) == [0, 1]


def test_a_nearly_full_disk_is_left_alone(tmp_path: Path) -> None:
    host = Host(tmp_path / "history", MemoryStore(), Limits(min_free_mb=10**9))
    host.see(chain_at(START))

    assert "MB are left" in eventually(lambda: host.status().problem).message
    host.end()
    assert not list(tmp_path.rglob("*.parquet"))


def test_the_hour_that_comes_twice_is_two_hours(tmp_path: Path) -> None:
    host = Host(tmp_path, MemoryStore())
    turn = to_ms(datetime(2026, 11, 1, 5, 30, tzinfo=UTC))  # 01:30 New York, and 01:30 again an hour later
    for hour in range(3):
        host.see(chain_at(turn + hour * 60 * MINUTE))
    host.end()

    found = History(tmp_path).levels("SPX", turn, turn + 200 * MINUTE)
    assert found["minute"].cast(pa.int64()).to_pylist() == [turn + hour * 60 * MINUTE for hour in range(3)]
    assert History(tmp_path).days("SPX")["day"].to_pylist() == [date(2026, 11, 1)]


def test_merged_compacted_and_rolled_up_days_read_the_same(host: Host) -> None:
    for minute in range(4):
        host.see(chain_at(START + minute * MINUTE, spot=SPOT + minute))
    host.end()
    day = host.folder.day("SPX", AS_OF.date())
    files = {file.name: file.read_bytes() for file in day.files()}

    def picture() -> tuple[object, ...]:
        history = History(host.folder.path)
        grid = history.strikes("SPX", START, START + 10 * MINUTE)
        return (
            history.levels("SPX", START, START + 10 * MINUTE).to_pylist(),
            history.days("SPX").to_pylist(),
            np.nan_to_num(grid.net).tolist(),
            grid.minute_ms.tolist(),
        )

    before = picture()
    day.merge()
    assert picture() == before
    for name, data in files.items():  # as if it had been killed before deleting what it merged
        (day.path / name).write_bytes(data)
    assert picture() == before
    day.compact()
    assert [file.name for file in day.files()] == ["day.parquet"]
    assert picture() == before
    roll_up(host.folder, [day])
    assert picture() == before
    (day.path / "day.parquet").unlink()  # what the month repeats counts only as long as the day is there
    assert History(host.folder.path).days("SPX").num_rows == 0


def test_half_an_hour_becomes_one_file_across_a_restart(tmp_path: Path) -> None:
    store, minutes = MemoryStore(), 31
    for part in (
        range(12),
        range(12, minutes),
    ):  # the second leader reads from the disk what the first has written
        host = Host(tmp_path, store)
        for minute in part:
            host.see(chain_at(START + minute * MINUTE, spot=SPOT + minute))
        host.end()

    names = [file.name for file in host.folder.day("SPX", AS_OF.date()).files()]
    assert sorted(name.startswith("merged-") for name in names) == [False, True]
    history = History(tmp_path)
    rows = history.levels("SPX", START, START + 60 * MINUTE, fields=["spot"])
    assert rows["spot"].to_pylist() == [SPOT + minute for minute in range(minutes)]
    last = history.at("SPX", START + 29 * MINUTE)
    assert last is not None
    truth = expose(fit(chain_at(START + 29 * MINUTE, spot=SPOT + 29)))
    assert last.snapshot.levels.net_gex == pytest.approx(truth.levels.net_gex, rel=1e-12)


def test_change_adds_up_over_the_rows_and_is_unknown_over_a_restart(tmp_path: Path) -> None:
    store = MemoryStore()
    host = Host(tmp_path, store)
    for minute in range(4):
        host.see(chain_at(START + minute * MINUTE, spot=SPOT + 3 * minute))
    host.end()
    change = host.history.change("SPX", START, START + 3 * MINUTE)
    assert change is not None
    parts = change.expired + change.spot + change.volatility + change.weight + change.coverage
    assert change.before + parts == pytest.approx(change.after, abs=1e-6 * abs(change.after))
    again = Host(tmp_path, store)
    again.see(chain_at(START + 4 * MINUTE))
    again.end()

    assert again.history.change("SPX", START, START + 4 * MINUTE) is None


def test_a_damaged_file_is_an_error_that_says_so(host: Host) -> None:
    host.see(chain_at(START))
    host.end()
    host.folder.day("SPX", AS_OF.date()).files()[0].write_bytes(b"PAR1 no more")

    with pytest.raises(HistoryError, match="can't be read"):
        host.history.levels("SPX", 0, START * 2)


def test_within_its_minute_the_recorder_rests_exactly_from_chains_that_it_does_not_want(host: Host) -> None:
    host.see(chain_at(START))
    rest = host.recorder.rests("SPX")
    answers = set()
    for later_ms in (0, 1_000, MINUTE - 1, MINUTE):
        whole = chain_at(START + later_ms)
        for spot in np.linspace(0.9 * SPOT, 1.1 * SPOT, 401):
            chain = replace(whole, spot=float(spot))
            wanted = host.recorder.wants(chain, chain.as_of_ms)
            assert rest.covers(chain) is not wanted
            answers.add((later_ms < MINUTE, wanted))
    assert answers == {(True, True), (True, False), (False, True)}
    assert not rest.covers(chain_at(START - 1))  # a clock that goes back is told
    assert not rest.covers(replace(chain_at(START), spot=float("nan")))


def test_intervals_take_the_last_row_of_each(host: Host) -> None:
    for minute in range(7):
        host.see(chain_at(START + minute * MINUTE, spot=SPOT + minute))
    host.end()
    end = START + 10 * MINUTE

    table = host.history.levels("SPX", START, end, interval_ms=5 * MINUTE, fields=["spot"])
    grid = host.history.strikes("SPX", START, end, interval_ms=5 * MINUTE, low=4900, high=5100)
    assert table["spot"].to_pylist() == grid.spot.tolist() == [SPOT + 4, SPOT + 6]
    assert grid.strike.min() >= 4900
    assert grid.strike.max() <= 5100
    assert host.history.levels("SPX", START, end, interval_ms=86_400_000)["spot"].to_pylist() == [SPOT + 6]


def test_old_days_go_when_the_limits_say_so(tmp_path: Path) -> None:
    host = Host(tmp_path, MemoryStore(), Limits(days=30))
    host.see(chain_at(START))
    eventually(lambda: host.folder.day("SPX", AS_OF.date()).files())
    later = START + timedelta(days=40) // timedelta(milliseconds=1)
    host.recorder.tick(later, host.status())

    eventually(lambda: not host.folder.days("SPX"))
    host.end()


def test_a_killed_writer_leaves_only_whole_files(tmp_path: Path) -> None:
    first, told = START // MINUTE * MINUTE, list[int]()
    for round_ in range(3):
        start = told[-1] + MINUTE if told else first
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.history_child", str(tmp_path), "SPX", str(start)],
            cwd=ROOT, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert child.stdout is not None
        told += [int(child.stdout.readline()) for _ in range(9 + 7 * round_)]
        os.kill(child.pid, signal.SIGKILL)
        told += [int(line) for line in child.stdout.read().split()]
        child.wait()
        child.stdout.close()

    kept = [
        at
        for day in Folder(tmp_path).days("SPX")
        for at in History(tmp_path).minutes("SPX", day.day).tolist()
    ]
    assert len(kept) == len(set(kept))
    assert set(told) <= set(kept)
    assert len(kept) - len(told) <= 3  # a row on the disk whose writer died before it said so


def test_the_trail_knows_minutes_that_nobody_looked_at(host: Host) -> None:
    for minute in range(4):
        host.see(chain_at(START + minute * MINUTE, spot=SPOT + minute))
    host.end()
    now = expose(fit(chain_at(START + 4 * MINUTE)))

    points = Trail(host.store, host.history).note(now)
    assert [at.spot for at in points] == [SPOT, SPOT + 1, SPOT + 2, SPOT + 3, SPOT]
    long = expose(fit(chain_at(START + 4 * MINUTE)), Params(side="long"))
    assert len(Trail(host.store, host.history).note(long)) == 1


def test_levels_that_jump_because_quotes_are_missing_cross_nothing_and_are_no_change(host: Host) -> None:
    def unquoted(chain: Chain) -> Chain:  # as in a session's first moments
        near = np.abs(chain.contracts.strike - SPOT) < 0.02 * SPOT
        return requoted(
            chain, **{side: np.where(near, getattr(chain.quotes, side), 0.0) for side in ("bid", "ask")}
        )

    before, hardly = (chain_at(START + minute * MINUTE) for minute in (0, 1))
    host.see(before)
    host.see(unquoted(hardly))
    host.see(unquoted(chain_at(START + MINUTE + 5_000, spot=SPOT * 0.9)))
    host.see(chain_at(START + 2 * MINUTE))
    host.end()
    points = Trail(host.store, host.history).note(expose(fit(chain_at(START + 3 * MINUTE))))
    assert [point.net_gex is None for point in points] == [False, True, False, False]
    assert [point.flip is None for point in points] == [False, True, False, False]
    rows = host.history.levels("SPX", START, START + 9 * MINUTE, fields=["net_gex"], crossings=True)
    assert rows["net_gex"].null_count == 0, "it is recorded with its coverage"
    assert rows["crossed"].null_count == len(rows)


def test_what_a_part_of_a_chain_had_is_no_change() -> None:
    trail = Trail(MemoryStore())
    trail.note(expose(fit(chain_at(START, missing_expiries=2))))
    points = trail.note(expose(fit(chain_at(START + MINUTE))))
    assert [point.spot for point in points] == [SPOT, SPOT]
    assert [point.net_gex is None for point in points] == [True, False]
    assert [point.flip is None for point in points] == [True, False]
