"""The SQL behind the levels, over whichever files hold the days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from app.history.files import DayFolder, Folder
from app.history.rollup import Stamp, month_file, stamp, stamps_in
from app.history.schema import LEVELS, SCALARS
from app.history.shelf import Mark, mark
from app.market.calendar import from_ms

DAY_MS = 86_400_000
# Of the day's last row.
CLOSING = (*(name for name in LEVELS if name not in ("flips", "spot_at")), "source")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the days are: whole months by the days of theirs that hold, single files, and what tells of their changes."""

    months: dict[Path, list[date]]
    files: list[Path]
    marks: tuple[tuple[str, tuple[Mark, ...] | Stamp | None], ...]


def sources(folder: Folder, days: Sequence[DayFolder]) -> Sources:
    """The rolled-up month of each day where it repeats that day's file as it is now, else the day's own files."""
    months: dict[Path, list[date]] = defaultdict(list)
    held: dict[Path, dict[str, Stamp]] = {}
    files: list[Path] = []
    marks: list[tuple[str, tuple[Mark, ...] | Stamp | None]] = []
    for day in days:
        month = month_file(folder, day)
        if month not in held:
            held[month] = stamps_in(month)
        now = stamp(day)
        if now is not None and held[month].get(day.day.isoformat()) == now:
            months[month].append(day.day)
            marks.append((day.path.name, now))
        else:
            files += day.files()
            marks.append((day.path.name, mark(day)))
    return Sources(dict(months), files, tuple(marks))


def levels_query(
    found: Sources,
    fields: Sequence[str],
    start_ms: int,
    end_ms: int,
    interval_ms: int,
    bucket: str,
    *,
    crossings: bool,
) -> tuple[str, list[Any]]:
    """Rows of a range, the last of each interval, each key once."""
    rows, arguments = _rows(found)
    names = list(dict.fromkeys(["minute", "as_of", *(["crossed"] if crossings else []), *fields]))
    slot = "day" if interval_ms >= DAY_MS else "epoch_ms(minute) // ?"
    unique = f"{slot}, seq" if crossings else slot
    only = "" if crossings else "AND seq = 0 "
    text = (
        f"SELECT {', '.join(names)} FROM ({rows}) "
        f"WHERE bucket = ? {only}AND minute >= ? AND minute < ? "
        f"QUALIFY row_number() OVER (PARTITION BY {unique} ORDER BY minute DESC, epoch DESC) = 1 "
        "ORDER BY minute" + (", seq" if crossings else "")
    )
    arguments += [bucket, from_ms(start_ms), from_ms(end_ms)]
    return text, arguments if slot == "day" else [*arguments, interval_ms]


def days_query(found: Sources) -> tuple[str, list[Any]]:
    """A row a day: how much of it there is, and its closing levels."""
    rows, arguments = _rows(found)
    # plain arg_max passes over nulls: a flip that the last row lacks would be an earlier row's
    closing = ", ".join(f"arg_max_null({name}, minute) AS {name}" for name in CLOSING)
    once = (
        f"SELECT * FROM ({rows}) WHERE bucket = 'all' AND seq = 0 "
        "QUALIFY row_number() OVER (PARTITION BY minute ORDER BY epoch DESC) = 1"
    )
    return (
        "SELECT day, count(*) AS minutes, min(minute) AS first, max(minute) AS last, "
        "arg_min(spot, minute) AS open_spot, max(spot) AS high_spot, min(spot) AS low_spot, "
        f"{closing} FROM ({once}) GROUP BY day ORDER BY day",
        arguments,
    )


def _rows(found: Sources) -> tuple[str, list[Any]]:
    """All sources as one; the arguments of its placeholders."""
    columns = ", ".join(["day", *SCALARS])
    parts, arguments = [f"SELECT {columns} FROM tail"], list[Any]()
    if found.months:
        days = sorted(day for held in found.months.values() for day in held)
        parts.append(f"SELECT {columns} FROM read_parquet(?) WHERE list_contains(?, day)")
        arguments += [[str(file) for file in found.months], days]
    if found.files:
        parts.append(
            f"SELECT {columns} FROM read_parquet(?, hive_partitioning = true, hive_types = {{'day': DATE}}, "
            "union_by_name = true)"
        )
        arguments.append([str(file) for file in found.files])
    return " UNION ALL ".join(parts), arguments
