"""Records as fast as it can, for those who kill it: python -m benchmarks.history_child FOLDER SYMBOL FIRST_MS

Prints each minute once it is on the disk. Merges often, and compacts the day now and then.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from app.gex import expose, fit
from app.history.files import Folder
from app.history.row import Key, Origin, batch_of, day_of
from app.history.schema import SCHEMA
from tests.chains import Listed, synthetic

MINUTE_MS = 60_000
MERGE_EVERY, COMPACT_EVERY = 5, 23


def small_batch() -> pa.RecordBatch:
    """The rows of a small chain."""
    from datetime import date

    surface = fit(
        synthetic(series=(Listed("SPXW", date(2026, 10, 16)), Listed("SPXW", date(2026, 10, 19))))[0]
    )
    return batch_of(surface, expose(surface), Origin(Key(0), epoch=1))


def moved(batch: pa.RecordBatch, slot_ms: int) -> pa.RecordBatch:
    """The same rows at another minute."""
    for name in ("minute", "as_of"):
        at = SCHEMA.get_field_index(name)
        batch = batch.set_column(
            at, SCHEMA.field(name), pa.array([slot_ms] * len(batch), SCHEMA.field(name).type)
        )
    return batch


def moments(first_ms: int) -> Iterator[tuple[Key, pa.RecordBatch]]:
    """One a minute, without end."""
    batch = small_batch()
    for slot_ms in itertools.count(first_ms, MINUTE_MS):
        yield Key(slot_ms), moved(batch, slot_ms)


def main(folder: str, symbol: str, first_ms: str) -> None:
    """Write until killed."""
    for number, (key, batch) in enumerate(moments(int(first_ms)), 1):
        day = Folder(Path(folder)).day(symbol, day_of(key))
        day.write(key, batch)
        print(key.slot_ms, flush=True)
        if number % COMPACT_EVERY == 0:
            day.compact()
        elif number % MERGE_EVERY == 0:
            day.merge()


if __name__ == "__main__":
    main(*sys.argv[1:])
