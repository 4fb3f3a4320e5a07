"""Recorded moments as Parquet files, by symbol and trading day: written whole or not at all, merged, compacted.

    DATA_DIR/history/symbol=SPX/day=2026-11-20/1763649000000-0-1763640000123.parquet    one moment, as it came
    DATA_DIR/history/symbol=SPX/day=2026-11-20/merged-....parquet                        some of them
    DATA_DIR/history/symbol=SPX/day=2026-11-20/day.parquet                               the day, after the close

A crash between writing a merged file and deleting what it holds leaves moments twice: readers take one of each key.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.history.row import Key
from app.history.schema import BUCKETS, SCHEMA, parquet_options

SUFFIX = ".parquet"
WHOLE = f"day{SUFFIX}"
_TEMPORARY = ".tmp"
_MERGED = "merged-"


@dataclass(frozen=True, slots=True)
class DayFolder:
    """One symbol's trading day on disk; the folder need not exist."""

    path: Path
    symbol: str
    day: date

    def files(self) -> list[Path]:
        """The files that hold its moments, the whole day's first; empty when there are none."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.path) if entry.name.endswith(SUFFIX))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [self.path / name for name in sorted(names, key=lambda name: name != WHOLE)]

    def loose(self) -> list[Path]:
        """Files of a single moment each."""
        return [file for file in self.files() if file.name != WHOLE and not file.name.startswith(_MERGED)]

    @property
    def compacted(self) -> bool:
        """Whether all its moments are in one file."""
        return [file.name for file in self.files()] == [WHOLE]

    def keys(self) -> set[Key]:
        """The moments that it holds."""
        found: set[Key] = set()
        for file in self.files():
            key = _named(file)
            found |= {key} if key else set(_keys_in(file))
        return found

    def bytes(self) -> int:
        """What it takes on disk."""
        return sum(file.stat().st_size for file in self.files())

    # --- writing: raises OSError, and leaves what was there ---------------------------------------

    def write(self, key: Key, batch: pa.RecordBatch) -> Path:
        """Add one moment, durably: once this returns its file survives a crash of process and machine."""
        epoch = batch.column("epoch")[0].as_py()
        file = self.path / f"{key.slot_ms}-{key.seq}-{epoch}{SUFFIX}"
        write(pa.Table.from_batches([batch]), file, lasting=False)
        return file

    def merge(self, read: Callable[[Path], pa.Table] | None = None) -> None:
        """Make one file of the loose ones; `read` gives what a file holds, by default from the disk."""
        with self._locked():
            loose = self.loose()
            if loose:
                name = f"{_MERGED}{loose[0].stem}-{loose[-1].stem}{SUFFIX}"
                write(ordered(_tables(loose, read or read_file)), self.path / name)
                _remove(loose)

    def compact(self) -> None:
        """Make one file of all, in which each bucket is a row group; drops what is there twice."""
        with self._locked():
            files = self.files()
            if files and not self.compacted:
                write(ordered(_tables(files, read_file)), self.path / WHOLE)
                _remove(file for file in files if file.name != WHOLE)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time puts the day in order: two would each delete what the other has not read."""
        with (self.path / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def sweep(self) -> None:
        """Delete what an interrupted write has left."""
        with contextlib.suppress(FileNotFoundError):
            _remove(self.path.glob(f".*{_TEMPORARY}"))


class Folder:
    """All recorded days under one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def day(self, symbol: str, day: date) -> DayFolder:
        """One symbol's day."""
        return DayFolder(self._of(symbol) / f"day={day.isoformat()}", symbol, day)

    def days(self, symbol: str) -> list[DayFolder]:
        """The days that have a folder, in order."""
        found = {_day_of(name): name for name in _names(self._of(symbol), "day=")}
        return [
            DayFolder(self._of(symbol) / name, symbol, day)
            for day, name in sorted((day, name) for day, name in found.items() if day is not None)
        ]

    def symbols(self) -> list[str]:
        """The symbols that have a folder, sorted."""
        return sorted(name.removeprefix("symbol=").replace(".", "/") for name in _names(self.path, "symbol="))

    def all_days(self) -> list[DayFolder]:
        """Every day of every symbol, oldest first."""
        return sorted(
            (day for symbol in self.symbols() for day in self.days(symbol)), key=lambda day: day.day
        )

    def remove(self, day: DayFolder) -> None:
        """Delete a day."""
        shutil.rmtree(day.path, ignore_errors=True)

    def _of(self, symbol: str) -> Path:
        return self.path / f"symbol={symbol.replace('/', '.')}"


def ordered(table: pa.Table) -> pa.Table:
    """Rows by bucket, minute and seq, one of each key: the latest leader's."""
    columns = [table[name].to_numpy(zero_copy_only=False) for name in ("minute", "seq", "epoch")]
    minute, seq, epoch = columns[0].astype(np.int64), columns[1], columns[2]
    bucket = np.array([BUCKETS.index(name) for name in table["bucket"].to_pylist()], np.int8)
    order = np.lexsort((-epoch, seq, minute, bucket))
    same = np.ones(len(order), bool)
    for column in (bucket, minute, seq):
        same[1:] &= column[order][1:] == column[order][:-1]
    same[:1] = False
    return table.take(pa.array(order[~same]))


def _tables(files: Iterable[Path], read: Callable[[Path], pa.Table]) -> pa.Table:
    return pa.concat_tables(map(read, files))


def read_file(file: Path, columns: list[str] | None = None) -> pa.Table:
    """One file's rows in the present schema; columns that it lacks are null. Raises OSError or pa.ArrowException."""
    wanted = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
    parquet = pq.ParquetFile(file, memory_map=False)
    have = set(parquet.schema_arrow.names)
    table = parquet.read([name for name in wanted.names if name in have], use_threads=False)
    if table.schema.equals(wanted):  # casting each column would cost more than reading it
        return table.replace_schema_metadata(wanted.metadata)
    for field in wanted:
        if field.name not in have:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(wanted.names).cast(wanted)


def _keys_in(file: Path) -> Iterator[Key]:
    table = read_file(file, ["minute", "seq"])
    minutes = table["minute"].cast(pa.int64()).to_pylist()
    return (Key(minute, seq) for minute, seq in zip(minutes, table["seq"].to_pylist(), strict=True))


def _named(file: Path) -> Key | None:
    """The key in a loose file's name; None for files that hold several."""
    parts = file.stem.split("-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    return Key(int(parts[0]), int(parts[1]))


def write(table: pa.Table, target: Path, *, lasting: bool = True) -> None:
    """Into a temporary file, to the disk, then under its name, and that to the disk: there is never half a file.

    Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}{_TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            file.write(_packed(table, lasting=lasting))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _packed(table: pa.Table, *, lasting: bool) -> pa.Buffer:
    """The file's bytes, in memory first: they come in hundreds of pieces."""
    options = parquet_options(tuple(table.schema.names), lasting=lasting)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=max(1, _group(table)), **options)
    return sink.getvalue()


def _group(table: pa.Table) -> int:
    """Rows in a row group: one bucket's, where the table is ordered by bucket and whole."""
    return len(table) // len(BUCKETS) if len(table) > len(BUCKETS) else len(table)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            file.unlink()


def _names(folder: Path, prefix: str) -> list[str]:
    try:
        return [
            entry.name for entry in os.scandir(folder) if entry.name.startswith(prefix) and entry.is_dir()
        ]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _day_of(name: str) -> date | None:
    try:
        return date.fromisoformat(name.partition("=")[2])
    except ValueError:
        return None
