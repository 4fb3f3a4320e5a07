"""Recorded files as tables in memory: each is decoded once per process, for a file never changes under its name and time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.history.files import DayFolder, ordered
from app.history.schema import SCHEMA

_KEPT_BYTES = 96 * 1024 * 1024
_TRIES = 5

Mark = tuple[str, int, int]


class Shelf:
    """The latest decoded files, and what is made of them. Safe for several threads."""

    def __init__(self, limit_bytes: int = _KEPT_BYTES) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[Mark, str, tuple[str, ...]], pa.Table] = OrderedDict()

    def day(
        self, day: DayFolder, newer: Sequence[pa.RecordBatch], bucket: str, columns: tuple[str, ...]
    ) -> pa.Table:
        """A day's rows of one bucket, in order, each key once: from its files, and from the batches beside them.

        Raises OSError or pa.ArrowException for a file that stays unreadable.
        """
        parts = self._files(day, bucket, columns)
        parts += [_only(pa.Table.from_batches([batch]), bucket).select(columns) for batch in newer]
        return ordered(pa.concat_tables(parts)) if parts else SCHEMA.empty_table().select(columns)

    def _files(self, day: DayFolder, bucket: str, columns: tuple[str, ...]) -> list[pa.Table]:
        """Files may be merged while they are read: what has gone is in another one by then."""
        for attempt in range(_TRIES):
            try:
                return [self._file(file, bucket, columns) for file in day.files()]
            except FileNotFoundError:
                if attempt == _TRIES - 1:
                    raise
        return []

    def _file(self, file: Path, bucket: str, columns: tuple[str, ...]) -> pa.Table:
        found = file.stat()
        key = ((str(file), found.st_mtime_ns, found.st_size), bucket, columns)
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key]
        table = _read(file, bucket, columns)
        with self._lock:
            self._tables[key] = table
            while sum(kept.nbytes for kept in self._tables.values()) > self._limit and len(self._tables) > 1:
                self._tables.popitem(last=False)
        return table


def mark(day: DayFolder) -> tuple[Mark, ...]:
    """What changes whenever the day's files do."""
    marks = []
    for file in day.files():
        try:
            found = file.stat()
        except FileNotFoundError:
            continue
        marks.append((file.name, found.st_mtime_ns, found.st_size))
    return tuple(marks)


def _read(file: Path, bucket: str, columns: tuple[str, ...]) -> pa.Table:
    """The rows of one bucket; in a compacted file a row group of their own."""
    parquet = pq.ParquetFile(file)
    groups = [at for at in range(parquet.num_row_groups) if _may_hold(parquet, at, bucket)]
    have = [name for name in columns if name in parquet.schema_arrow.names]
    table = _only(parquet.read_row_groups(groups, have, use_threads=False), bucket)
    for name in columns:
        if name not in have:
            table = table.append_column(name, pa.nulls(len(table), SCHEMA.field(name).type))
    return table.select(columns)


def _may_hold(parquet: pq.ParquetFile, group: int, bucket: str) -> bool:
    at = parquet.schema_arrow.get_field_index("bucket")
    statistics = parquet.metadata.row_group(group).column(at).statistics
    return statistics is None or not statistics.has_min_max or statistics.min <= bucket <= statistics.max


def _only(table: pa.Table, bucket: str) -> pa.Table:
    return table.filter(pc.equal(table["bucket"], bucket)).combine_chunks()
