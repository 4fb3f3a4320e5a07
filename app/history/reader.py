"""Reads what was recorded: levels over time, strikes over time, single moments, days.

Levels of many days come through DuckDB, from the months' rolled-up files, the days that those don't cover, and the newest
moments in the cache. What has list columns is read a day at a time with pyarrow, three times as fast there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.cache.base import Store
from app.errors import HistoryError
from app.gex.attribution import Attribution
from app.gex.params import Params
from app.gex.quality import hardly_quoted
from app.history.changes import change_between
from app.history.files import DayFolder, Folder
from app.history.moment import Moment, moment_of, require_recorded
from app.history.queries import days_query, levels_query, sources
from app.history.rollup import ROLLED
from app.history.row import START, Key
from app.history.schema import LEVELS, SCALARS, SCHEMA
from app.history.shelf import Shelf, mark
from app.history.tail import Moments, Tail
from app.history.track import DAY_MS, MINUTE_MS
from app.market.calendar import exchange_day

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
T = TypeVar("T")

_FAR_MS = 100_000 * DAY_MS  # the year 2243
_MEMOS = 24
# No extension is needed, and none is looked for on the network.
_DUCKDB: dict[str, Any] = {
    "threads": 2,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_STRIKE_COLUMNS = (
    "minute", "seq", "bucket", "as_of", "epoch", "spot", "flip", "flip_low", "flip_high", "call_wall", "put_wall",
    "net_gex", "gross_gex", "strike", "strike_call_gex", "strike_put_gex",
)  # fmt: skip
_EVERYTHING = tuple(SCHEMA.names)


@dataclass(frozen=True, eq=False, slots=True)
class StrikeGrid:
    """Exposure by strike over time; t rows by k strikes. Minutes without a row aren't there: a gap is a step in `minute_ms`.

    Attributes:
        minute_ms: begin of each row's minute, ms since the epoch (UTC), ascending, shape (t,).
        as_of_ms: when its chain was copied, shape (t,).
        spot, flip, flip_low, flip_high, call_wall, put_wall, net_gex, gross_gex: shape (t,), NaN where unknown.
        strike: ascending, shape (k,).
        call_gex, put_gex: $ under the naive side, so puts are negative; shape (t, k), NaN where the row has no such strike
            or its exposure is unknown.
    """

    minute_ms: I64
    as_of_ms: I64
    spot: NDArray[np.float64]
    flip: NDArray[np.float64]
    flip_low: NDArray[np.float64]
    flip_high: NDArray[np.float64]
    call_wall: NDArray[np.float64]
    put_wall: NDArray[np.float64]
    net_gex: NDArray[np.float64]
    gross_gex: NDArray[np.float64]
    strike: NDArray[np.float64]
    call_gex: F32
    put_gex: F32

    @property
    def net(self) -> F32:
        """Net exposure, shape (t, k)."""
        return self.call_gex + self.put_gex

    def take(self, rows: Any, columns: Any = slice(None)) -> StrikeGrid:
        """Chosen rows and strikes: masks, positions or slices."""
        return _grid(
            self.minute_ms[rows],
            self.as_of_ms[rows],
            *(getattr(self, name)[rows] for name in _NUMBERS),
            self.strike[columns],
            self.call_gex[rows][:, columns],
            self.put_gex[rows][:, columns],
        )


_NUMBERS = ("spot", "flip", "flip_low", "flip_high", "call_wall", "put_wall", "net_gex", "gross_gex")


def _grid(*columns: Any) -> StrikeGrid:
    return StrikeGrid(**dict(zip(StrikeGrid.__slots__, columns, strict=True)))


class History:
    """Reads one folder and one cache. Safe for several threads; opens nothing before its first call.

    Times are ms since the epoch (UTC); ranges include their start and not their end. Every method raises HistoryError
    where files can't be read.

    Args:
        folder: DATA_DIR/history; it need not exist.
        store: where the newest moments are; None for the files alone.
    """

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self._folder = Folder(folder)
        self._tail = Tail(store) if store is not None else None
        self._shelf = Shelf()
        self._lock = threading.Lock()
        self._memos: OrderedDict[Any, Any] = OrderedDict()
        self._connection: Any = None

    # --- levels -----------------------------------------------------------------------------------

    def days(self, symbol: str) -> pa.Table:
        """The recorded trading days, ascending: `day`, `minutes` (rows), `first`, `last`, `source`, and the closing levels.

        Closing means the last row's; `open_spot`, `high_spot` and `low_spot` are over the day's rows.
        """
        return self._levels(symbol, None, None, lambda found: days_query(found))

    def levels(
        self,
        symbol: str,
        start_ms: int,
        end_ms: int,
        *,
        interval_ms: int = MINUTE_MS,
        bucket: str = "all",
        fields: Sequence[str] | None = None,
        crossings: bool = False,
    ) -> pa.Table:
        """Levels over time: `minute`, `as_of` and the fields, ascending; the last row of each interval.

        An interval of DAY_MS is a trading day. Rows are as they were recorded: none is made up for an interval without one.

        Args:
            fields: names of columns (SCALARS of app.history.schema); None is all of LEVELS.
            crossings: also rows between two minutes, made because spot crossed a level (`crossed` says which).
        """
        names = tuple(fields or LEVELS)
        unknown = set(names) - set(SCALARS)
        if unknown:
            raise HistoryError(
                f"No such field: {', '.join(sorted(unknown))}.", cure=f"Fields are {', '.join(SCALARS)}."
            )
        return self._levels(
            symbol,
            start_ms,
            end_ms,
            lambda found: levels_query(
                found, names, start_ms, end_ms, interval_ms, bucket, crossings=crossings
            ),
        )

    def _levels(
        self,
        symbol: str,
        start_ms: int | None,
        end_ms: int | None,
        query: Callable[[Any], tuple[str, list[Any]]],
    ) -> pa.Table:
        with _readable():
            days = [day for day in self._folder.days(symbol) if _within(day.day, start_ms, end_ms)]
            newer = self._newer(symbol)
            found = sources(self._folder, days)
            text, arguments = query(found)
            key = ("levels", symbol, text, str(arguments), found.marks, next(reversed(newer), None))
            return self._memo(key, lambda: self._ask(text, arguments, newer))

    def _ask(self, text: str, arguments: list[Any], newer: Moments) -> pa.Table:
        import duckdb  # half a second, which a process that asks for no history is spared

        with self._lock:
            if self._connection is None:
                self._connection = duckdb.connect(":memory:", config=_DUCKDB)
            cursor = self._connection.cursor()
        try:
            cursor.register("tail", _tail_table(newer))
            return _in_utc(cursor.sql(text, params=arguments).to_arrow_table())
        except duckdb.Error as error:
            raise OSError(str(error)) from error
        finally:
            cursor.close()

    # --- strikes ----------------------------------------------------------------------------------

    def strikes(
        self,
        symbol: str,
        start_ms: int,
        end_ms: int,
        *,
        interval_ms: int = MINUTE_MS,
        bucket: str = "all",
        low: float = 0.0,
        high: float = float("inf"),
    ) -> StrikeGrid:
        """Exposure by strike over time, of strikes from `low` to `high`; the last row of each interval."""
        with _readable():
            grids = [self._grid(day, bucket) for day in self._in_range(symbol, start_ms, end_ms)]
        cut = [_cut(grid, start_ms, end_ms, interval_ms, low, high) for grid in grids]
        return _joined(cut)

    def _grid(self, day: DayFolder, bucket: str) -> StrikeGrid:
        newer = self._of_day(day)
        key = ("grid", day, mark(day), next(reversed(newer), None), bucket)
        return self._memo(
            key, lambda: _grid_of(self._shelf.day(day, list(newer.values()), bucket, _STRIKE_COLUMNS))
        )

    # --- single moments ---------------------------------------------------------------------------

    def at(
        self, symbol: str, at_ms: int, params: Params | None = None, *, within_ms: int = MINUTE_MS
    ) -> Moment | None:
        """What was recorded last at or before an instant, at most `within_ms` before its minute; None when nothing was.

        Raises NotRecorded where the rows don't hold what `params` asks for.
        """
        params = params or Params()
        require_recorded(params)
        with _readable():
            for day in reversed(list(self._in_range(symbol, at_ms - within_ms, at_ms + 1))):
                rows = self._rows(day, params.bucket)
                row = _last_before(rows, at_ms, within_ms)
                if row is None:
                    continue
                of_all = row if params.bucket == "all" else _same(self._rows(day, "all"), row)
                return moment_of(symbol, row, of_all, params)
        return None

    def change(self, symbol: str, from_ms: int, to_ms: int) -> Attribution | None:
        """Where net GEX's change between two recorded moments comes from, added up over the rows between them.

        None where it isn't known throughout: the recorder was restarted between them.
        """
        columns = ("minute", "seq", "bucket", "as_of", "epoch", "net_gex", *_CHANGES)
        with _readable():
            tables = [
                self._shelf.day(day, list(self._of_day(day).values()), "all", columns)
                for day in self._in_range(symbol, from_ms, to_ms + 1)
            ]
        return change_between(pa.concat_tables(tables), from_ms, to_ms) if tables else None

    def points(
        self, symbol: str, start_ms: int, end_ms: int
    ) -> list[tuple[int, float | None, float | None, float | None]]:
        """as_of, spot, flip and net GEX of each minute of a short range; cheaper than `levels` for an hour of today.

        Flip and net GEX are None where they can't be held against another minute's (`app.gex.quality.comparable`).
        """
        columns = ("minute", "seq", "bucket", "as_of", "epoch", *_POINT)
        found = []
        with _readable():
            for day in self._in_range(symbol, start_ms, end_ms):
                table = self._shelf.day(day, list(self._of_day(day).values()), "all", columns)
                as_of = table["as_of"].cast(pa.int64()).to_pylist()
                rows = zip(
                    as_of,
                    table["seq"].to_pylist(),
                    *(table[name].to_pylist() for name in _POINT),
                    strict=True,
                )
                found += [_point(at, *row) for at, seq, *row in rows if start_ms <= at < end_ms and seq == 0]
        return found

    def minutes(self, symbol: str, day: date) -> I64:
        """The minutes of a day that have a row, ms since the epoch, ascending."""
        with _readable():
            folder = self._folder.day(symbol, day)
            rows = self._rows(folder, "all")
        return np.unique(rows["minute"].cast(pa.int64()).to_numpy())

    def _rows(self, day: DayFolder, bucket: str) -> pa.Table:
        newer = self._of_day(day)
        key = ("rows", day, mark(day), next(reversed(newer), None), bucket)
        return self._memo(key, lambda: self._shelf.day(day, list(newer.values()), bucket, _EVERYTHING))

    # --- where things are -------------------------------------------------------------------------

    def _in_range(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[DayFolder]:
        """Days that may hold rows of a range, in order; those that only the cache knows too."""
        known = {day.day for day in self._folder.days(symbol)}
        known |= {exchange_day(key.slot_ms) for key in self._newer(symbol)}
        return (self._folder.day(symbol, day) for day in sorted(known) if _within(day, start_ms, end_ms))

    def _newer(self, symbol: str) -> Moments:
        """Moments in the cache that the newest day's files lack."""
        if self._tail is None:
            return {}
        days = self._folder.days(symbol)
        return self._tail.moments(symbol, self._last(days[-1]) if days else START)

    def _of_day(self, day: DayFolder) -> Moments:
        return {
            key: batch
            for key, batch in self._newer(day.symbol).items()
            if exchange_day(key.slot_ms) == day.day
        }

    def _last(self, day: DayFolder) -> Key:
        return self._memo(("last", day, mark(day)), lambda: max(day.keys(), default=START))

    def _memo(self, key: Any, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._memos:
                self._memos.move_to_end(key)
                return self._memos[key]  # type: ignore[no-any-return]
        made = make()
        with self._lock:
            self._memos[key] = made
            while len(self._memos) > _MEMOS:
                self._memos.popitem(last=False)
        return made


# --- pure parts -----------------------------------------------------------------------------------

_POINT = ("spot", "flip", "net_gex", "open_interest_coverage", "confidence")


def _point(
    at_ms: int,
    spot: float | None,
    flip: float | None,
    net: float | None,
    coverage: float | None,
    confidence: float | None,
) -> tuple[int, float | None, float | None, float | None]:
    """One of `History.points`. Without a confidence dates were missing: rows of before have what the rest came to."""
    if confidence is None or hardly_quoted(coverage):
        return at_ms, spot, None, None
    return at_ms, spot, flip, net


_CHANGES = (
    "change_since",
    "change_expired",
    "change_spot",
    "change_volatility",
    "change_weight",
    "change_coverage",
)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(
            f"The recorded history can't be read: {str(error).splitlines()[0][:200]}",
            cure="Look at the folder history of DATA_DIR: a file there may be damaged, or not readable for this user.",
        ) from error


def _in_utc(table: pa.Table) -> pa.Table:
    """DuckDB labels instants with the machine's own time zone."""
    kinds = [
        pa.timestamp("ms", "UTC") if pa.types.is_timestamp(field.type) else field.type
        for field in table.schema
    ]
    return table.cast(pa.schema(list(zip(table.schema.names, kinds, strict=True))))


def _within(day: date, start_ms: int | None, end_ms: int | None) -> bool:
    """Whether a trading day can hold instants of a range."""
    after = start_ms is None or day >= _day_of(start_ms)
    return after and (end_ms is None or day <= _day_of(end_ms - 1))


def _day_of(ms: int) -> date:
    """The trading day of any instant, also of one that no calendar reaches."""
    return exchange_day(min(max(ms, 0), _FAR_MS))


def _tail_table(newer: Moments) -> pa.Table:
    """The newest moments with their day, as the query wants them."""
    if not newer:
        return ROLLED.empty_table()
    table = pa.Table.from_batches(list(newer.values())).select(list(SCALARS))
    rows = [exchange_day(key.slot_ms) for key, batch in newer.items() for _ in range(len(batch))]
    return table.add_column(0, ROLLED.field("day"), pa.array(rows, pa.date32()))


def _grid_of(table: pa.Table) -> StrikeGrid:
    """One bucket's rows as arrays on all their strikes."""
    numbers = [table[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in _NUMBERS]
    lists = [_chunk(table[name]) for name in ("strike", "strike_call_gex", "strike_put_gex")]
    flat = lists[0].flatten().to_numpy(zero_copy_only=False)
    strike = np.unique(flat)
    rows = np.repeat(np.arange(len(table)), np.diff(lists[0].offsets.to_numpy()))
    at = np.searchsorted(strike, flat)
    sides = []
    for values in lists[1:]:
        side = np.full((len(table), len(strike)), np.nan, np.float32)
        side[rows, at] = values.flatten().to_numpy(zero_copy_only=False)
        sides.append(side)
    times = [table[name].cast(pa.int64()).to_numpy() for name in ("minute", "as_of")]
    return _grid(*times, *numbers, strike, *sides)


def _chunk(column: pa.ChunkedArray) -> pa.ListArray:
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _cut(
    grid: StrikeGrid, start_ms: int, end_ms: int, interval_ms: int, low: float, high: float
) -> StrikeGrid:
    """The rows of a range, the last of each interval, on the strikes asked for."""
    inside = (grid.minute_ms >= start_ms) & (grid.minute_ms < end_ms)
    slots = grid.minute_ms // interval_ms
    last = np.ones(len(slots), bool)
    following = np.where(inside[1:], slots[1:], -1)
    last[:-1] = slots[:-1] != following
    columns = (grid.strike >= low) & (grid.strike <= high)
    return grid.take(np.flatnonzero(inside & last), slice(None) if columns.all() else np.flatnonzero(columns))


def _joined(grids: Sequence[StrikeGrid]) -> StrikeGrid:
    """Days one after the other, on the strikes of all of them."""
    if len(grids) == 1:
        return grids[0]
    strike = np.unique(np.concatenate([grid.strike for grid in grids])) if grids else np.empty(0)
    times = [_stacked(grids, name, np.int64) for name in ("minute_ms", "as_of_ms")]
    numbers = [_stacked(grids, name, np.float64) for name in _NUMBERS]
    sides = []
    for name in ("call_gex", "put_gex"):
        side = np.full((len(times[0]), len(strike)), np.nan, np.float32)
        first = 0
        for grid in grids:
            values = getattr(grid, name)
            side[first : first + len(values), np.searchsorted(strike, grid.strike)] = values
            first += len(values)
        sides.append(side)
    return _grid(*times, *numbers, strike, *sides)


def _stacked(grids: Sequence[StrikeGrid], name: str, kind: type[Any]) -> NDArray[Any]:
    return np.concatenate([getattr(grid, name) for grid in grids] or [np.empty(0, kind)])


def _last_before(rows: pa.Table, at_ms: int, within_ms: int) -> dict[str, Any] | None:
    """The last row at or before an instant; a minute's row counts from its begin on."""
    minutes = rows["minute"].cast(pa.int64()).to_numpy()
    at = int(np.searchsorted(minutes, at_ms, side="right")) - 1
    if at < 0 or at_ms - int(minutes[at]) > within_ms:
        return None
    first = int(np.searchsorted(minutes, minutes[at]))
    row: dict[str, Any] = rows.slice(first, 1).to_pylist()[0]  # the minute's own, before crossings within it
    return row


def _same(rows: pa.Table, row: dict[str, Any]) -> dict[str, Any]:
    """The row of another bucket of the same moment."""
    minutes = rows["minute"].to_pylist()
    for at, minute in enumerate(minutes):
        if minute == row["minute"] and rows["seq"][at].as_py() == row["seq"]:
            found: dict[str, Any] = rows.slice(at, 1).to_pylist()[0]
            return found
    raise HistoryError("The recorded moment is incomplete.")
