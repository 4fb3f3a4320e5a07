"""A feed that records and tapes: the rows are there, and the tape played again gives the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from app.cache.memory import MemoryStore
from app.feed.observer import Listener, Sight, together
from app.feed.service import Feed
from app.gex import expose, fit
from app.gex.snapshot import Snapshot
from app.history.files import Folder
from app.history.playback import played
from app.history.reader import History
from app.history.recorder import Recorder, Rules
from app.history.stage import Stage
from app.history.tape import Tape, lines
from app.schwab.chains import parse_chain_json
from tests.feeding import settings_at, signed_in_at
from tests.simulation import running_simulator
from tests.support import eventually


class Seen(Listener):
    """Remembers the snapshots of what it sees, by time."""

    def __init__(self) -> None:
        self.snapshots: dict[int, Snapshot] = {}

    def seen(self, sight: Sight) -> None:
        self.snapshots[sight.at_ms] = sight.snapshot


def test_a_tape_played_again_gives_the_snapshots_that_were_recorded(tmp_path: Path) -> None:
    store, seen = MemoryStore(), Seen()
    folder = Folder(tmp_path / "history")
    with running_simulator("--symbols", "AAPL", "--rate-limit", "0", "--tick", "0.2") as base:
        oauth = signed_in_at(base, tmp_path)
        feed = Feed(
            settings_at(base, tmp_path),
            store,
            oauth,
            listeners=together(
                lambda seat: Recorder(folder, store, seat, Rules(interval_ms=2000)), lambda _: seen
            ),
            tape=lambda seat: Tape(tmp_path / "tape", seat),
        )
        feed.start()
        eventually(lambda: len(store.entries("history:AAPL")) >= 4, 60, "rows are recorded")
        feed.stop()

    recorded = History(folder.path).levels("AAPL", 0, 2**42, interval_ms=1)
    assert len(recorded) >= 4
    (tape,) = (tmp_path / "tape").iterdir()
    again = {
        chain.as_of_ms: expose(fit(chain)) for chain in played(tape, lambda _, at_ms: at_ms in seen.snapshots)
    }
    assert again.keys() == seen.snapshots.keys()
    for at_ms, net in zip(
        recorded["as_of"].cast(pa.int64()).to_pylist(), recorded["net_gex"].to_pylist(), strict=True
    ):
        assert again[at_ms].levels.net_gex == net
    for at_ms, snapshot in again.items():
        assert snapshot.levels == seen.snapshots[at_ms].levels
        np.testing.assert_array_equal(snapshot.strikes.net_gex, seen.snapshots[at_ms].strikes.net_gex)

    stage = Stage(tape, min(again))
    listed = stage.expirations("AAPL")
    assert listed is not None
    days = [entry["expirationDate"] for entry in listed["expirationList"]]
    document = stage.chain("AAPL", days[0], days[-1], "ALL")
    last = next(played(tape, lambda _, at_ms: at_ms == max(again)))
    assert parse_chain_json(document).contracts.symbol.tolist() == last.contracts.symbol.tolist()

    text = b"\n".join(repr(line).encode() for line in lines(tape))
    for secret in (oauth.access_token(), "SchwabClient", "schwabClientCustomerId", "Authorization"):
        assert secret.encode() not in text
