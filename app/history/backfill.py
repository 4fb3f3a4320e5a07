"""Chains from files as recorded moments: each file once, however often it is imported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from app.chainfile import read_chain
from app.errors import ChainFileError, HistoryError
from app.gex import expose, fit
from app.history.files import DayFolder, Folder
from app.history.rollup import roll_up
from app.history.row import Key, Origin, batch_of, day_of
from app.market.chain import Chain

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file.

    Attributes:
        new: False where its minute was recorded already, by the feed or by an earlier import.
    """

    symbol: str
    day: date
    as_of_ms: int
    new: bool


def import_file(folder: Folder, path: Path, *, rate: float | None = None) -> Imported:
    """One moment of a chain file. Raises ChainFileError, or HistoryError where the folder can't be written."""
    chain = read_chain(path)
    if not chain.symbol or not chain.as_of_ms or not chain.spot > 0:
        raise ChainFileError(f"{path.name}: it says neither what it is of, nor when", cure=" ")
    key = Key(chain.as_of_ms // MINUTE_MS * MINUTE_MS)
    day = folder.day(chain.symbol, day_of(key))
    try:
        if key in set(day.keys()):
            return Imported(chain.symbol, day.day, chain.as_of_ms, new=False)
        day.write(key, _batch(chain, key, rate))
    except (OSError, pa.ArrowException) as error:
        raise _unwritable(error) from error
    return Imported(chain.symbol, day.day, chain.as_of_ms, new=True)


def finish(folder: Folder, symbols: set[str], today: date) -> None:
    """Put the days before `today` of these symbols in order, for quick reading. Raises HistoryError."""
    try:
        for symbol in sorted(symbols):
            past = [day for day in folder.days(symbol) if day.day < today]
            compact(past)
            roll_up(folder, past)
    except (OSError, pa.ArrowException) as error:
        raise _unwritable(error) from error


def compact(days: list[DayFolder]) -> None:
    """Make one file of each of these days."""
    for day in days:
        day.compact()


def _batch(chain: Chain, key: Key, rate: float | None) -> pa.RecordBatch:
    surface = fit(chain, default_rate=rate)
    return batch_of(surface, expose(surface), Origin(key, epoch=0))


def _unwritable(error: Exception) -> HistoryError:
    reason = getattr(error, "strerror", None) or str(error)
    return HistoryError(
        f"The history can't be written: {reason}",
        cure="Look at the folder history of DATA_DIR, and at its disk.",
    )
