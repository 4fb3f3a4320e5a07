"""A month's levels in one small file, so that a year is twelve files to read and not 250.

    DATA_DIR/history/levels/symbol=SPX/month=2026-11.parquet

It repeats what the days hold, and says of which file of each day; where that file is another by now, readers take the day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.history.files import SUFFIX, WHOLE, DayFolder, Folder, ordered, read_file, write
from app.history.schema import SCALARS, SCHEMA

_META = b"gex_days"
ROLLED = pa.schema([pa.field("day", pa.date32()), *(SCHEMA.field(name) for name in SCALARS)])

Stamp = tuple[int, int]


def month_file(folder: Folder, day: DayFolder) -> Path:
    """The file of a day's month."""
    symbol = day.path.parent.name
    return folder.path / "levels" / symbol / f"month={day.day:%Y-%m}{SUFFIX}"


def stamp(day: DayFolder) -> Stamp | None:
    """What tells one compacted file of a day from another; None where the day isn't in one file."""
    if not day.compacted:
        return None
    try:
        found = (day.path / WHOLE).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def stamps_in(file: Path) -> dict[str, Stamp]:
    """The days that a month's file repeats, with the stamp of each."""
    try:
        metadata = pq.read_metadata(file).metadata or {}
        held = orjson.loads(metadata.get(_META, b"{}"))
        return {day: (int(at), int(size)) for day, (at, size) in held.items()}
    except (OSError, pa.ArrowException, ValueError, TypeError, AttributeError):
        return {}


def roll_up(folder: Folder, days: Iterable[DayFolder]) -> None:
    """Bring the months of these days of one symbol up to date. Raises OSError, pa.ArrowException."""
    months: dict[Path, dict[DayFolder, Stamp]] = defaultdict(dict)
    for day in days:
        found = stamp(day)
        if found is not None:
            months[month_file(folder, day)][day] = found
    for file, stamps in months.items():
        if stamps_in(file) != {day.day.isoformat(): found for day, found in stamps.items()}:
            _write_month(file, stamps)


def _write_month(file: Path, stamps: dict[DayFolder, Stamp]) -> None:
    table = ordered(pa.concat_tables(_levels_of(day) for day in stamps))
    named = {day.day.isoformat(): found for day, found in stamps.items()}
    write(table.replace_schema_metadata({_META: orjson.dumps(named)}), file)


def _levels_of(day: DayFolder) -> pa.Table:
    table = read_file(day.path / WHOLE, list(SCALARS))
    days = pa.array([day.day] * len(table), pa.date32())
    return table.add_column(0, "day", days)
