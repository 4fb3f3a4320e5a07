"""What a tape's marks say of the dates that had not been read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from app.cache.memory import MemoryStore
from app.feed.board import Board
from app.feed.lease import Lease
from app.feed.observer import Seat
from app.history.playback import Player, played
from app.history.tape import Tape
from tests.small import AS_OF_MS, small_chain

DAYS = (date(2023, 12, 18), date(2024, 1, 19))


def test_a_tape_keeps_which_dates_were_missing(tmp_path: Path) -> None:
    tape = Tape(tmp_path, Seat(Lease(MemoryStore()), Board("simulator", "here")))
    tape.mark(replace(small_chain(), missing_expiries=2, missing_dates=DAYS))
    tape.mark(replace(small_chain(), as_of_ms=AS_OF_MS + 1000))
    tape.close()
    (file,) = tmp_path.iterdir()
    seen = [(chain.missing_expiries, chain.missing_dates) for chain in played(file, lambda *_: True)]
    assert seen == [(2, DAYS), (0, ())]


def test_a_tape_of_the_version_before_tells_only_how_many() -> None:
    line = {"t": AS_OF_MS, "mark": {"symbol": "SPX", "session": "open", "missing": 2}}
    chain = Player().hear(line, lambda *_: True)
    assert chain is not None
    assert (chain.missing_expiries, chain.missing_dates) == (2, ())
