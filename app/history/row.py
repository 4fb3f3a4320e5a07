"""From what the feed sees to the rows that are recorded: one batch per moment, a row per expiry bucket."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from app.gex import Surface, expose
from app.gex.attribution import Attribution
from app.gex.levels import walls
from app.gex.params import Bucket, Params
from app.gex.snapshot import ExpirySummary, GreekTotals, Levels, Snapshot, StrikeTable
from app.history.schema import BUCKETS, GREEKS, OF_ALL_ONLY, SCHEMA
from app.market.calendar import exchange_day
from app.market.chain import Chain

F64 = NDArray[np.float64]

# The strike x expiry map: so many strikes nearest spot, on so many dates.
MAP_STRIKES, MAP_DATES = 60, 10
# Delta, vanna and charm exposure by strike: of so many nearest spot.
GREEK_STRIKES = 140
# Exposures are rounded to these parts of the gross: noise below doesn't pack, and nobody can see it.
RESOLUTION, PROFILE_RESOLUTION = 1e-8, 1e-6
# The other greeks by strike to these parts of the largest; by expiry, where near dates are small, to so many binary digits.
GREEK_RESOLUTION, GREEK_DIGITS = 1e-6, 17
_ROW = pa.struct(list(SCHEMA))
_COUNTS = ("call_oi", "put_oi", "call_volume", "put_volume")


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What identifies a recorded moment of a symbol.

    Attributes:
        slot_ms: begin of the minute (or whatever the interval is), ms since the epoch (UTC).
        seq: 0 for the minute's own row; 1, 2, ... for crossings within it.
    """

    slot_ms: int
    seq: int = 0


START = Key(0)  # before every moment


@dataclass(frozen=True, slots=True)
class Origin:
    """What a moment carries beside its numbers.

    Attributes:
        crossed: which levels spot has crossed, for a row made because of that.
        change: where net GEX's change since `change_since_ms` comes from; None where nothing was seen before.
    """

    key: Key
    epoch: int
    crossed: tuple[str, ...] = ()
    change: Attribution | None = None
    change_since_ms: int | None = None


def batch_of(surface: Surface, whole: Snapshot, origin: Origin) -> pa.RecordBatch:
    """The rows of one moment. `whole` is the surface under default conventions: the row of bucket "all"."""
    snapshots = [whole, *(_of_bucket(surface, bucket) for bucket in BUCKETS if bucket != "all")]
    snapshots = [read_in_part(one) if one.quality.missing_expiries else one for one in snapshots]
    rows = [_row(surface.chain, snapshot, origin) for snapshot in snapshots]
    made = pa.RecordBatch.from_struct_array(pa.array(rows, _ROW, from_pandas=False))
    return made.replace_schema_metadata(SCHEMA.metadata)


def _of_bucket(surface: Surface, bucket: Bucket) -> Snapshot:
    return expose(surface, Params(bucket=bucket), tables=False)


def read_in_part(snapshot: Snapshot) -> Snapshot:
    """What a choice tells of which some dates have not been read: its series, and cells of its map, but no sum of dates."""
    strike = snapshot.strikes.strike
    return replace(
        snapshot,
        levels=Levels(),
        strikes=StrikeTable(strike, *np.full((10, len(strike)), np.nan)),
        profile_spot=np.empty(0),
        profile_gex=np.empty(0),
    )


def _row(chain: Chain, snapshot: Snapshot, origin: Origin) -> dict[str, Any]:
    row = {
        "minute": origin.key.slot_ms,
        "seq": origin.key.seq,
        "bucket": snapshot.params.bucket,
        "as_of": snapshot.as_of_ms,
        "heard": chain.heard_ms or None,
        "epoch": origin.epoch,
        "source": chain.source,
        "delayed": chain.delayed,
        "session": chain.session,
        "crossed": ",".join(origin.crossed) or None,
        "spot_at": chain.spot_ms or None,
        **_levels(snapshot),
        **_quality(snapshot),
        **_strikes(snapshot),
        **_profile(snapshot),
    }
    if snapshot.params.bucket == "all":
        return row | _change(origin) | _expiries(snapshot.expiries) | _map(snapshot) | _greeks(snapshot)
    return row | dict.fromkeys(OF_ALL_ONLY)


def _levels(snapshot: Snapshot) -> dict[str, Any]:
    levels, table = snapshot.levels, snapshot.strikes
    low, high = levels.flip_band or (None, None)
    call_net, put_net = walls(table.strike, table.call_gex, table.put_gex, "net")
    return {
        "spot": snapshot.spot,
        "flip": levels.flip,
        "flips": list(levels.flips),
        "flip_low": low,
        "flip_high": high,
        "call_wall": levels.call_wall,
        "put_wall": levels.put_wall,
        "call_wall_net": call_net,
        "put_wall_net": put_net,
        "absolute_gamma_strike": levels.absolute_gamma_strike,
        "max_pain": levels.max_pain,
        "net_gex": levels.net_gex,
        "call_gex": levels.call_gex,
        "put_gex": levels.put_gex,
        "gross_gex": levels.gross_gex,
        "dex": levels.greeks.dex,
        "vex": levels.greeks.vex,
        "chex_day": levels.greeks.chex_day,
        "chex_hour": levels.greeks.chex_hour,
    }


def _quality(snapshot: Snapshot) -> dict[str, Any]:
    quality = snapshot.quality
    return {
        "contracts": quality.contracts,
        "used": quality.used,
        "open_interest_coverage": quality.open_interest_coverage,
        "confidence": quality.confidence,
        "fallbacks": orjson.dumps(quality.fallbacks, option=orjson.OPT_SORT_KEYS).decode(),
        "excluded": orjson.dumps(quality.excluded, option=orjson.OPT_SORT_KEYS).decode(),
        "warnings": list(quality.warnings),
        "rate": quality.rate,
        "rate_source": quality.rate_source,
    }


def _strikes(snapshot: Snapshot) -> dict[str, Any]:
    table, step = snapshot.strikes, _step(snapshot)
    return {
        "strike": table.strike,
        "strike_call_gex": _rounded(table.call_gex, step),
        "strike_put_gex": _rounded(table.put_gex, step),
        **{f"strike_{name}": getattr(table, name).astype(np.float32) for name in _COUNTS},
    }


def _profile(snapshot: Snapshot) -> dict[str, Any]:
    spots = snapshot.profile_spot
    ends = (float(spots[0]), float(spots[-1])) if len(spots) else (None, None)
    return {
        "profile_low": ends[0],
        "profile_high": ends[1],
        "profile_gex": _rounded(snapshot.profile_gex, _step(snapshot, PROFILE_RESOLUTION)),
    }


def _change(origin: Origin) -> dict[str, Any]:
    parts = ("expired", "spot", "volatility", "weight", "coverage")
    change = origin.change
    return {
        "change_since": origin.change_since_ms if change else None,
        **{f"change_{name}": getattr(change, name) if change else None for name in parts},
    }


def _expiries(rows: Sequence[ExpirySummary]) -> dict[str, Any]:
    floats = ("atm_total_vol", "atm_vol", "put_25d_vol", "call_25d_vol", "net_gex", "gross_gex", "open_interest",
              "straddle", "sigma_move")  # fmt: skip
    return {
        "expiry": [row.expiry for row in rows],
        "expiry_root": [row.root for row in rows],
        "expiry_settlement": [row.settlement for row in rows],
        "expiry_settles_at": [row.settle_ms for row in rows],
        "expiry_forward_source": [row.forward_source for row in rows],
        "expiry_contracts": [row.contracts for row in rows],
        "expiry_used": [row.used for row in rows],
        "expiry_forward": _column(rows, "forward"),
        **{f"expiry_{name}": _column(rows, name).astype(np.float32) for name in floats},
    }


def _map(snapshot: Snapshot) -> dict[str, Any]:
    """Net exposure by strike and date near the money; the dates one after the other."""
    strikes, dates = snapshot.strikes.strike, snapshot.heatmap_expiries[:MAP_DATES]
    near = _nearest(strikes, snapshot.spot, MAP_STRIKES)
    return {
        "map_expiry": list(dates),
        "map_strike": strikes[near],
        "map_gex": _rounded(snapshot.heatmap[: len(dates), near].ravel(), _step(snapshot)),
    }


def _greeks(snapshot: Snapshot) -> dict[str, Any]:
    """The dealers' other exposures: by strike near the money, NaN beyond, and by series."""
    table, totals = snapshot.strikes, [row.greeks for row in snapshot.expiries]
    near = _nearest(table.strike, snapshot.spot, GREEK_STRIKES)
    found: dict[str, Any] = {}
    for name in GREEKS:
        kept, values = np.full(len(table.strike), np.nan, np.float32), getattr(table, name)[near]
        kept[near] = _rounded(
            values, _part(float(np.fmax.reduce(np.abs(values), initial=0.0)), GREEK_RESOLUTION)
        )
        found[f"strike_{name}"] = kept
        found[f"expiry_{name}"] = _significant(_column(totals, name))
    return found


def _nearest(strikes: F64, spot: float | None, count: int) -> slice:
    if spot is None or math.isnan(spot) or not len(strikes):
        return slice(0, 0)
    middle = int(np.searchsorted(strikes, spot))
    first = max(0, min(middle - count // 2, len(strikes) - count))
    return slice(first, first + count)


def _column(rows: Sequence[ExpirySummary | GreekTotals], name: str) -> F64:
    return np.array([getattr(row, name) for row in rows], np.float64)  # None becomes NaN


def _step(snapshot: Snapshot, resolution: float = RESOLUTION) -> float:
    """What exposures are rounded to, $: a power of two, at most that part of the gross."""
    return _part(snapshot.levels.gross_gex or 0.0, resolution)


def _part(whole: float, resolution: float) -> float:
    return 2.0 ** math.floor(math.log2(whole * resolution)) if whole else 1.0


def _rounded(values: F64, step: float) -> NDArray[np.float32]:
    return (np.round(values / step) * step).astype(np.float32) + np.float32(0.0)  # no -0.0


def _significant(values: F64) -> NDArray[np.float32]:
    """Each to GREEK_DIGITS binary digits, whatever its size."""
    part, power = np.frexp(values)
    rounded: F64 = np.ldexp(np.round(part * 2.0**GREEK_DIGITS), power - GREEK_DIGITS)
    return rounded.astype(np.float32)


def day_of(key: Key) -> date:
    """The trading day, New York's date, that a moment belongs to."""
    return exchange_day(key.slot_ms)
