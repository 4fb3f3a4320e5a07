"""A recorded row as a Snapshot again, under the conventions that it can be asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.errors import HistoryError
from app.gex.levels import walls
from app.gex.params import Params
from app.gex.quality import unread_in
from app.gex.selection import BUCKETS as DISTANCES
from app.gex.selection import bucket_dates, bucket_of
from app.gex.snapshot import (
    UNKNOWN_GREEKS,
    BucketSummary,
    ExpirySummary,
    GreekTotals,
    Levels,
    Provenance,
    QualityCounts,
    Snapshot,
    StrikeTable,
)
from app.history.row import Key, read_in_part
from app.history.schema import BUCKETS, GREEKS
from app.market.calendar import exchange_day, to_ms

F64 = NDArray[np.float64]


class NotRecorded(HistoryError):  # noqa: N818 - it says what is the case
    """The rows don't hold what is asked for."""


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """One recorded moment.

    Attributes:
        snapshot: what was recorded, in the convention asked for. Its heatmap reaches the strikes nearest spot on the nearest
            dates only, the other greeks by strike those nearest spot (NaN beyond). These are of shape (0,), and None by
            expiry, where they aren't recorded: by strike for other buckets than all, counting both sides long, and in rows
            of earlier versions. The profile's parts aren't recorded at all.
        crossed: levels that spot had just crossed.
        heard_ms: when a contract was heard last before it; None where unknown.
    """

    key: Key
    snapshot: Snapshot
    crossed: tuple[str, ...]
    heard_ms: int | None


def require_recorded(params: Params) -> None:
    """Raises NotRecorded, with what can be asked instead."""
    if params.weight != "oi":
        raise NotRecorded(
            f"Rows are recorded by open interest, not by weight={params.weight}.",
            cure="Ask for weight=oi, or for the present.",
        )
    if params.expiries or params.bucket not in BUCKETS:
        raise NotRecorded(
            "Rows are recorded by expiry bucket, not by single dates.",
            cure=f"Ask for one of {', '.join(BUCKETS)}.",
        )


def moment_of(symbol: str, row: dict[str, Any], of_all: dict[str, Any], params: Params) -> Moment:
    """From the row of the bucket asked for, and that of "all", which alone has expiries, map and volume.

    Raises NotRecorded.
    """
    require_recorded(params)
    naive = _naive(symbol, row, of_all, params)
    if naive.quality.missing_expiries:  # earlier rows have the levels of what was read
        naive, row = read_in_part(naive), {**row, "call_wall_net": None, "put_wall_net": None}
    snapshot = _turned(naive, row, params)
    snapshot = replace(snapshot, buckets=_buckets(snapshot))
    return Moment(
        key=Key(to_ms(row["minute"]), row["seq"]),
        snapshot=snapshot,
        crossed=tuple(row["crossed"].split(",")) if row["crossed"] else (),
        heard_ms=to_ms(row["heard"]) if row["heard"] else None,
    )


def _naive(symbol: str, row: dict[str, Any], of_all: dict[str, Any], params: Params) -> Snapshot:
    strikes = _strikes(row)
    today = exchange_day(to_ms(row["as_of"]))
    dates = bucket_dates(params.bucket, today, of_all["expiry"] or ())
    mapped = [day for day in of_all["map_expiry"] or () if day in dates]
    return Snapshot(
        symbol=symbol,
        spot=row["spot"],
        as_of_ms=to_ms(row["as_of"]),
        params=params,
        levels=_levels(row),
        strikes=strikes,
        expiries=tuple(expiry for expiry in _expiries(of_all) if expiry.expiry in dates),
        heatmap_expiries=tuple(mapped),
        heatmap=_heatmap(of_all, strikes.strike, mapped),
        profile_spot=_profile_spot(row),
        profile_gex=_floats(row["profile_gex"]),
        quality=_quality(row),
        provenance=Provenance(
            row["source"],
            row["session"],
            bool(row["delayed"]),
            to_ms(row["spot_at"]) if row["spot_at"] else 0,
        ),
    )


def _levels(row: dict[str, Any]) -> Levels:
    low, high = row["flip_low"], row["flip_high"]
    same = ("flip", "call_wall", "put_wall", "absolute_gamma_strike", "max_pain", "net_gex", "call_gex", "put_gex",
            "gross_gex")  # fmt: skip
    return Levels(
        flips=tuple(row["flips"] or ()),
        flip_band=None if low is None or high is None else (low, high),
        greeks=GreekTotals(**{name: row[name] for name in GREEKS}),
        **{name: row[name] for name in same},
    )


def _strikes(row: dict[str, Any]) -> StrikeTable:
    strike = _floats(row["strike"])
    names = ("call_gex", "put_gex", "call_oi", "put_oi", "call_volume", "put_volume")
    columns = {name: _floats(row[f"strike_{name}"]) for name in names}
    unknown = np.full(len(strike), np.nan)
    return StrikeTable(
        strike,
        **{name: c if len(c) == len(strike) else unknown for name, c in columns.items()},
        **{name: _floats(row[f"strike_{name}"]) for name in GREEKS},
    )


def _profile_spot(row: dict[str, Any]) -> F64:
    low, high = row["profile_low"], row["profile_high"]
    return np.empty(0) if low is None else np.geomspace(low, high, len(row["profile_gex"]))


def _quality(row: dict[str, Any]) -> QualityCounts:
    same = ("contracts", "used", "open_interest_coverage", "confidence", "rate", "rate_source")
    return QualityCounts(
        fallbacks=orjson.loads(row["fallbacks"]),
        excluded=orjson.loads(row["excluded"]),
        warnings=tuple(row["warnings"] or ()),
        missing_expiries=unread_in(row["warnings"] or ()),
        **{name: row[name] for name in same},
    )


def _expiries(row: dict[str, Any]) -> tuple[ExpirySummary, ...]:
    same = ("forward", "forward_source", "atm_total_vol", "atm_vol", "put_25d_vol", "call_25d_vol", "net_gex", "gross_gex",
            "open_interest", "straddle", "sigma_move", "root", "settlement", "contracts", "used")  # fmt: skip
    columns = {name: [_known(value) for value in row[f"expiry_{name}"] or ()] for name in same}
    settles = [to_ms(instant) for instant in row["expiry_settles_at"] or ()]
    greeks = _series_greeks(row)
    return tuple(
        ExpirySummary(
            expiry=day, settle_ms=settles[i], greeks=greeks[i], **{name: columns[name][i] for name in same}
        )
        for i, day in enumerate(row["expiry"] or ())
    )


def _series_greeks(row: dict[str, Any]) -> list[GreekTotals]:
    """Of each series; unknown in rows of earlier versions."""
    nothing = [None] * len(row["expiry"] or ())
    columns = [[_known(value) for value in row[f"expiry_{name}"] or nothing] for name in GREEKS]
    return [GreekTotals(*values) for values in zip(*columns, strict=True)]


def _buckets(snapshot: Snapshot) -> tuple[BucketSummary, ...]:
    """The series added up by how far they are. What calls and puts add to it apart isn't recorded."""
    today, found = exchange_day(snapshot.as_of_ms), []
    for name in DISTANCES:
        rows = [row for row in snapshot.expiries if bucket_of(row.expiry, today) == name]
        if rows:
            greeks = GreekTotals(*(_sum(getattr(row.greeks, kind) for row in rows) for kind in GREEKS))
            found.append(
                BucketSummary(
                    name=name,
                    first=min(row.expiry for row in rows),
                    last=max(row.expiry for row in rows),
                    call_gex=None,
                    put_gex=None,
                    net_gex=_sum(row.net_gex for row in rows),
                    gross_gex=_sum(row.gross_gex for row in rows),
                    greeks=greeks,
                    open_interest=_sum(row.open_interest for row in rows),
                    contracts=sum(row.contracts for row in rows),
                    used=sum(row.used for row in rows),
                )
            )
    return tuple(found)


def _sum(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    told = [value for value in values if value is not None]
    return sum(told) if told else None


def _heatmap(row: dict[str, Any], strike: F64, dates: list[date]) -> F64:
    """The map's dates on all strikes; NaN beyond those that it holds."""
    out = np.full((len(dates), len(strike)), np.nan)
    if dates:
        rows = [row["map_expiry"].index(day) for day in dates]
        held = _floats(row["map_strike"])
        at = np.searchsorted(strike, held)
        known = (at < len(strike)) & (strike[np.minimum(at, len(strike) - 1)] == held)
        out[:, at[known]] = _floats(row["map_gex"]).reshape(-1, len(held))[np.ix_(rows, known)]
    return out


# --- other conventions ----------------------------------------------------------------------------


def _turned(naive: Snapshot, row: dict[str, Any], params: Params) -> Snapshot:
    """The same under another side, unit and walls, as far as that follows from the row."""
    sided = (
        _inverted(naive) if params.side == "inverted" else _long(naive) if params.side == "long" else naive
    )
    if params.walls == "net":
        call, put = walls(sided.strikes.strike, sided.strikes.call_gex, sided.strikes.put_gex, "net")
        recorded = (row["call_wall_net"], row["put_wall_net"])
        # the row's own where the side is the row's: they were found before rounding
        call, put = (
            recorded
            if params.side == "naive"
            else recorded[::-1]
            if params.side == "inverted"
            else (call, put)
        )
        sided = replace(sided, levels=replace(sided.levels, call_wall=call, put_wall=put))
    return _per_point(sided) if params.unit == "per_point" else sided


def _inverted(naive: Snapshot) -> Snapshot:
    return _scaled(naive, -1.0, -1.0)


def _long(naive: Snapshot) -> Snapshot:
    """Both sides count positive: puts change their sign. What mixes calls and puts can't be told apart and is left out."""
    levels, strikes = naive.levels, naive.strikes
    put = None if levels.put_gex is None else -levels.put_gex
    net = None if levels.call_gex is None or put is None else levels.call_gex + put
    return replace(
        naive,
        levels=replace(
            levels, put_gex=put, net_gex=net, flip=None, flips=(), flip_band=None, greeks=UNKNOWN_GREEKS
        ),
        strikes=replace(strikes, put_gex=-strikes.put_gex, **dict.fromkeys(GREEKS, np.empty(0))),
        expiries=tuple(row._replace(net_gex=row.gross_gex, greeks=UNKNOWN_GREEKS) for row in naive.expiries),
        heatmap_expiries=(),
        heatmap=np.empty((0, len(strikes.strike))),
        profile_spot=np.empty(0),
        profile_gex=np.empty(0),
    )


def _per_point(snapshot: Snapshot) -> Snapshot:
    if snapshot.spot is None:
        return snapshot
    factor = 1.0 / (0.01 * snapshot.spot)
    scaled = _scaled(snapshot, 1.0, factor)
    return replace(scaled, profile_gex=snapshot.profile_gex / (0.01 * snapshot.profile_spot))


def _scaled(snapshot: Snapshot, sign: float, factor: float) -> Snapshot:
    """Every gamma exposure times `factor`; those of the other greeks, which have no unit to choose, times `sign`."""
    levels, strikes = snapshot.levels, snapshot.strikes
    return replace(
        snapshot,
        levels=replace(
            levels,
            net_gex=_times(levels.net_gex, factor),
            call_gex=_times(levels.call_gex, factor),
            put_gex=_times(levels.put_gex, factor),
            gross_gex=_times(levels.gross_gex, abs(factor)),
            greeks=_signed(levels.greeks, sign),
        ),
        strikes=replace(
            strikes,
            call_gex=factor * strikes.call_gex,
            put_gex=factor * strikes.put_gex,
            **{name: sign * getattr(strikes, name) for name in GREEKS},
        ),
        expiries=tuple(
            row._replace(
                net_gex=_times(row.net_gex, factor),
                gross_gex=_times(row.gross_gex, abs(factor)),
                greeks=_signed(row.greeks, sign),
            )
            for row in snapshot.expiries
        ),
        heatmap=factor * snapshot.heatmap,
        profile_gex=factor * snapshot.profile_gex,
    )


def _signed(greeks: GreekTotals, sign: float) -> GreekTotals:
    return GreekTotals(*(_times(getattr(greeks, name), sign) for name in GREEKS))


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _floats(values: Any) -> F64:
    return np.array([] if values is None else values, np.float64)


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
