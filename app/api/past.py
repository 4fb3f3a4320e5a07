"""What was recorded: levels and strikes over time, days, levels for other platforms, and `at=` of the /gex resources."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import orjson
import pyarrow as pa
from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field, field_validator

from app.access import visitor as door
from app.api.context import Context, context
from app.api.past_forms import csv_of, json_rows, strike_table
from app.api.problems import ApiError
from app.api.query import (
    Day,
    Instant,
    NoQuery,
    PageQuery,
    Query,
    SymbolPath,
    instant_ms,
    next_page,
    paging,
)
from app.api.respond import Body, versioned
from app.api.rows import CSV
from app.api.tables import ARROW, arrow_of, chosen_format
from app.errors import CacheError
from app.gex.params import Params
from app.gex.snapshot import Snapshot
from app.history.levels_file import rows_of, to_csv, to_line, to_pine
from app.history.moment import NotRecorded
from app.history.reader import History, StrikeGrid
from app.history.schema import LEVELS, SCALARS
from app.history.schema import Recorded as Bucket
from app.models import Model

TAG = Tag(name="history", description="What the feed has recorded, minute by minute; gaps stay gaps.")
LONGEST_LEVELS, LONGEST_STRIKES = 20_000, 1_000
_INTERVALS = {
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "1d": 86_400_000,
}
_NAME = "|".join(SCALARS)
_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)

api = APIBlueprint("history", __name__, url_prefix="/api/v1/gex", abp_tags=[TAG])


@dataclass(frozen=True, eq=False, slots=True)
class Recorded:
    """A recorded moment in the place of a calculation."""

    snapshot: Snapshot
    etag: str
    headers: dict[str, str]


class RangeQuery(PageQuery):
    """Which rows, and which page of them."""

    start: Instant | None = Field(None, description="From this instant on, UTC; unset: the last recorded day")
    end: Instant | None = Field(None, description="Up to but without this instant; unset: now")
    interval: Literal["1m", "5m", "15m", "30m", "1h", "1d"] = Field(
        "1m", description="The last row of each; 1d is a trading day"
    )
    expiries: Bucket = Field("all", description="The expiry bucket")


class LevelsQuery(RangeQuery):
    """Levels over time."""

    fields: str = Field(
        "",
        description="Names separated by commas; empty is all levels",
        max_length=1000,
        json_schema_extra={"pattern": rf"^(({_NAME})(,({_NAME})){{0,20}})?$"},
    )
    crossings: bool = Field(
        False, description="Also rows between minutes, made when spot crossed flip or a wall"
    )
    limit: int = Field(5_000, ge=1, le=LONGEST_LEVELS)

    @field_validator("fields")
    @classmethod
    def _known(cls, value: str) -> str:
        unknown = sorted(set(_names(value)) - set(SCALARS))
        if unknown:
            raise ValueError(f"no such field: {', '.join(unknown)}; there are {', '.join(SCALARS)}")
        return value


class StrikesQuery(RangeQuery):
    """Exposure by strike over time."""

    strike_min: float = Field(0.0, ge=0, allow_inf_nan=False)
    strike_max: float = Field(1e9, ge=0, allow_inf_nan=False)
    limit: int = Field(400, ge=1, le=LONGEST_STRIKES)


class LevelHistory(Model):
    """Rows over time, ascending. Each has `minute`, `as_of` and the fields asked for; null is unknown."""

    symbol: str
    interval: str
    total: int = Field(description="Rows that fit the query")
    offset: int
    rows: list[dict[str, Any]]
    next: str | None = Field(description="Where the next page is; null on the last")


class StrikeHistory(Model):
    """Strike by time: rows of the arrays are minutes, columns strikes. Gaps are minutes that aren't listed."""

    symbol: str
    interval: str
    total: int
    offset: int
    minute: list[datetime]
    spot: list[float | None]
    flip: list[float | None]
    call_wall: list[float | None]
    put_wall: list[float | None]
    strike: list[float]
    call_gex: list[list[float | None]] = Field(description="$ per 1 %")
    put_gex: list[list[float | None]] = Field(description="$ per 1 %, negative under the naive side")
    next: str | None


class RecordedDays(Model):
    """Recorded trading days with their closing levels: those of the day's last row."""

    symbol: str
    days: list[dict[str, Any]]


class FileQuery(Query):
    """Which days, in which form."""

    format: Literal["csv", "line", "pine"] = Field(
        "csv",
        description="csv: a line a day; line: one day's labelled prices; pine: a script for TradingView",
    )
    day: Day | None = Field(None, description="This day alone; line and pine take the last one otherwise")


@api.get("/<symbol>/history", responses={200: LevelHistory}, operation_id="get_gex_history")
def history(path: SymbolPath, query: LevelsQuery) -> Response:
    """Levels over time, as JSON, CSV or Arrow by Accept; paged."""
    kind = chosen_format()
    start_ms, end_ms = _range(path.symbol, query)
    table = _history(path.symbol).levels(
        path.symbol,
        start_ms,
        end_ms,
        interval_ms=_INTERVALS[query.interval],
        bucket=query.expiries,
        fields=_names(query.fields) or list(LEVELS),
        crossings=query.crossings,
    )
    page = table.slice(query.offset, query.limit)
    following = next_page(query, len(table))

    def build() -> Body:
        if kind == ARROW:
            return Body(arrow_of(page), ARROW)
        if kind == CSV:
            return Body(csv_of(page), CSV)
        head = {
            "symbol": path.symbol,
            "interval": query.interval,
            "total": len(table),
            "offset": query.offset,
        }
        return Body(orjson.dumps(head | {"rows": json_rows(page), "next": following}))

    return versioned(_tag(kind, page, following), build, paging(following))


@api.get("/<symbol>/history/strikes", responses={200: StrikeHistory}, operation_id="get_gex_history_strikes")
def strikes(path: SymbolPath, query: StrikesQuery) -> Response:
    """Exposure by strike over time, as JSON, CSV (a line per minute and strike) or Arrow; paged by minutes."""
    kind = chosen_format()
    start_ms, end_ms = _range(path.symbol, query)
    grid = _history(path.symbol).strikes(
        path.symbol,
        start_ms,
        end_ms,
        interval_ms=_INTERVALS[query.interval],
        bucket=query.expiries,
        low=query.strike_min,
        high=query.strike_max,
    )
    page = grid.take(slice(query.offset, query.offset + query.limit))
    following = next_page(query, len(grid.minute_ms))

    def build() -> Body:
        if kind == ARROW:
            return Body(arrow_of(strike_table(page)), ARROW)
        if kind == CSV:
            return Body(csv_of(strike_table(page)), CSV)
        return Body(_strike_json(path.symbol, query, page, len(grid.minute_ms), following))

    stamp = (page.minute_ms.tobytes(), page.as_of_ms.tobytes(), page.strike.tobytes(), page.net_gex.tobytes())
    return versioned(_digest(kind, path.symbol, query.expiries, following, *stamp), build, paging(following))


@api.get("/<symbol>/days", responses={200: RecordedDays}, operation_id="get_gex_days")
def days(path: SymbolPath, query: NoQuery) -> Response:  # noqa: ARG001 - refuses parameters
    """The recorded trading days with their closing levels, as JSON, CSV or Arrow."""
    kind = chosen_format()
    table = _history(path.symbol).days(path.symbol)

    def build() -> Body:
        if kind == ARROW:
            return Body(arrow_of(table), ARROW)
        if kind == CSV:
            return Body(csv_of(table), CSV)
        return Body(orjson.dumps({"symbol": path.symbol, "days": json_rows(table)}))

    return versioned(_tag(kind, table, None), build)


@api.get("/<symbol>/levels/file", operation_id="get_gex_levels_file")
def levels_file(path: SymbolPath, query: FileQuery) -> Response:
    """Recorded daily levels as a file that other platforms import: the text of `python -m app levels`."""
    rows = rows_of(path.symbol, _history(path.symbol).days(path.symbol))
    if query.day is not None:
        rows = [row for row in rows if row["day"] == query.day.isoformat()]
    if not rows:
        raise nothing(path.symbol, f" on {query.day}" if query.day else "")
    name = f"levels-{path.symbol.replace('/', '.')}-{rows[-1]['day']}"
    if query.format == "csv":
        return _file(to_csv(rows), CSV, f"{name}.csv")
    text = to_pine(rows[-1]) if query.format == "pine" else to_line(rows[-1]) + "\n"
    return _file(text, "text/plain", f"{name}.{'pine' if query.format == 'pine' else 'txt'}")


def recorded(symbol: str, at_ms: int, params: Params) -> Recorded:
    """What was recorded at a minute. Raises ApiError: 404 where nothing was, and for what rows don't hold."""
    try:
        moment = _history(symbol).at(symbol, at_ms, params)
    except NotRecorded as error:
        raise ApiError(404, f"at: {error}", cure=error.cure) from error
    if moment is None:
        raise nothing(symbol, f" at {datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}Z")
    tag = _digest("at", symbol, str(moment.key), str(moment.snapshot.as_of_ms), str(params))
    found = moment.snapshot
    told = {"X-Recorded-At-Ms": str(found.as_of_ms), "X-Chain-Source": found.provenance.source}
    return Recorded(found, tag, told)


def nothing(symbol: str, when: str = "") -> ApiError:
    """The 404 for what wasn't recorded."""
    listed = f"/api/v1/gex/{symbol.replace('/', '.')}/days"
    return ApiError(
        404, f"Nothing is recorded of {symbol}{when}.", cure=f"GET {listed} lists the days that are."
    )


def _history(symbol: str) -> History:
    """The reader, for a symbol that the visitor may see and that is followed, or was. Raises ApiError: 403, 404."""
    door.require(symbol)
    bound = context()
    if not _follows(bound, symbol) and not len(bound.history.days(symbol)):
        raise bound.unknown(symbol)
    return bound.history


def _follows(bound: Context, symbol: str) -> bool:
    try:
        return bound.follows(symbol)
    except CacheError:
        return True  # what was recorded can be read without the cache


def _range(symbol: str, query: RangeQuery) -> tuple[int, int]:
    """The instants asked for; by default from the last recorded day on."""
    end = instant_ms(query.end) if query.end else instant_ms(datetime.now(UTC) + timedelta(days=1))
    if query.start is not None:
        start = instant_ms(query.start)
    elif query.interval == "1d":
        start = instant_ms(_BEGIN)
    else:
        found = context().history.days(symbol)
        start = found["first"].cast(pa.int64())[-1].as_py() if len(found) else instant_ms(_BEGIN)
    if end < start:
        raise ApiError(
            404,
            "Nothing is recorded there: end lies before start.",
            cure="Times are UTC, such as 2026-11-20T14:30Z.",
        )
    return start, end


def _strike_json(
    symbol: str, query: StrikesQuery, page: StrikeGrid, total: int, following: str | None
) -> bytes:
    instants = page.minute_ms.astype("M8[ms]")
    body = {
        "symbol": symbol,
        "interval": query.interval,
        "total": total,
        "offset": query.offset,
        "minute": instants,
        **{
            name: np.ascontiguousarray(getattr(page, name))
            for name in ("spot", "flip", "call_wall", "put_wall", "strike")
        },
        "call_gex": np.ascontiguousarray(page.call_gex),
        "put_gex": np.ascontiguousarray(page.put_gex),
        "next": following,
    }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _names(fields: str) -> list[str]:
    return [name.strip() for name in fields.split(",") if name.strip()]


def _tag(kind: str, page: pa.Table, following: str | None) -> str:
    sink = hashlib.blake2b(digest_size=9)
    for batch in page.to_batches():
        sink.update(batch.serialize())
    return _digest(kind, following, sink.digest())


def _digest(*parts: str | bytes | None) -> str:
    """What names an answer: the question with its parameters, and what the rows hold."""
    sink = hashlib.blake2b(digest_size=9)
    for part in (request.full_path, *parts):
        sink.update(part if isinstance(part, bytes) else repr(part).encode())
    return f"past-{sink.hexdigest()}"


def _file(text: str, mimetype: str, name: str) -> Response:
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return versioned(_digest(text), lambda: Body(text.encode(), mimetype), named)
