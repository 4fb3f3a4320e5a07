"""The recorded row as Arrow columns: docs/data.md describes each, with its unit.

One row per (minute, seq, bucket). What is unknown is null; in list columns NaN. Exposures by strike, of the map and of the
profile are float32, rounded to 1e-8 of the row's gross exposure (the profile: 1e-6); the other greeks by strike to 1e-6 of
the largest, by expiry each to 17 binary digits.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, get_args

import pyarrow as pa

Recorded = Literal["all", "0dte", "week", "month", "ex_next"]
BUCKETS: tuple[Recorded, ...] = get_args(Recorded)
VERSION = 2
GREEKS = ("dex", "vex", "chex_day", "chex_hour")

_TIME = pa.timestamp("ms", tz="UTC")
_F64, _F32, _I32 = pa.float64(), pa.float32(), pa.int32()

KEY = {"minute": _TIME, "seq": pa.int16(), "bucket": pa.string()}
ORIGIN = {
    "as_of": _TIME,
    "heard": _TIME,
    "epoch": pa.int64(),
    "source": pa.string(),
    "delayed": pa.bool_(),
    "session": pa.string(),
    "crossed": pa.string(),
}
LEVELS = {
    "spot": _F64,
    "spot_at": _TIME,
    "flip": _F64,
    "flips": pa.list_(_F64),
    "flip_low": _F64,
    "flip_high": _F64,
    "call_wall": _F64,
    "put_wall": _F64,
    "call_wall_net": _F64,
    "put_wall_net": _F64,
    "absolute_gamma_strike": _F64,
    "max_pain": _F64,
    "net_gex": _F64,
    "call_gex": _F64,
    "put_gex": _F64,
    "gross_gex": _F64,
    "dex": _F64,
    "vex": _F64,
    "chex_day": _F64,
    "chex_hour": _F64,
}
CHANGE = {
    "change_since": _TIME,
    "change_expired": _F64,
    "change_spot": _F64,
    "change_volatility": _F64,
    "change_weight": _F64,
    "change_coverage": _F64,
}
QUALITY = {
    "contracts": _I32,
    "used": _I32,
    "open_interest_coverage": _F64,
    "confidence": _F64,
    "fallbacks": pa.string(),
    "excluded": pa.string(),
    "warnings": pa.list_(pa.string()),
    "rate": _F64,
    "rate_source": pa.string(),
}
STRIKES = {
    "strike": pa.list_(_F64),
    "strike_call_gex": pa.list_(_F32),
    "strike_put_gex": pa.list_(_F32),
    "strike_call_oi": pa.list_(_F32),
    "strike_put_oi": pa.list_(_F32),
    "strike_call_volume": pa.list_(_F32),
    "strike_put_volume": pa.list_(_F32),
}
STRIKE_GREEKS = {f"strike_{name}": pa.list_(_F32) for name in GREEKS}
PROFILE = {"profile_low": _F64, "profile_high": _F64, "profile_gex": pa.list_(_F32)}
EXPIRIES = {
    "expiry": pa.list_(pa.date32()),
    "expiry_root": pa.list_(pa.string()),
    "expiry_settlement": pa.list_(pa.string()),
    "expiry_settles_at": pa.list_(_TIME),
    "expiry_forward": pa.list_(_F64),
    "expiry_forward_source": pa.list_(pa.string()),
    "expiry_atm_total_vol": pa.list_(_F32),
    "expiry_atm_vol": pa.list_(_F32),
    "expiry_put_25d_vol": pa.list_(_F32),
    "expiry_call_25d_vol": pa.list_(_F32),
    "expiry_net_gex": pa.list_(_F32),
    "expiry_gross_gex": pa.list_(_F32),
    "expiry_open_interest": pa.list_(_F32),
    "expiry_contracts": pa.list_(_I32),
    "expiry_used": pa.list_(_I32),
    "expiry_straddle": pa.list_(_F32),
    "expiry_sigma_move": pa.list_(_F32),
}
EXPIRY_GREEKS = {f"expiry_{name}": pa.list_(_F32) for name in GREEKS}
MAP = {"map_expiry": pa.list_(pa.date32()), "map_strike": pa.list_(_F64), "map_gex": pa.list_(_F32)}

FIELDS: dict[str, Any] = {
    **KEY, **ORIGIN, **LEVELS, **CHANGE, **QUALITY, **STRIKES, **PROFILE, **EXPIRIES, **MAP, **STRIKE_GREEKS,
    **EXPIRY_GREEKS,
}  # fmt: skip
SCHEMA = pa.schema(list(FIELDS.items()), metadata={"gex_history": str(VERSION)})
# What earlier versions wrote, by version: files and moments of theirs are read as well.
EARLIER = {1: pa.schema([field for field in SCHEMA if field.name not in {*STRIKE_GREEKS, *EXPIRY_GREEKS}])}

# Not of every bucket: the same for all of them, so written with "all" alone.
OF_ALL_ONLY = frozenset(
    {*CHANGE, *EXPIRIES, *MAP, *STRIKE_GREEKS, *EXPIRY_GREEKS, "strike_call_volume", "strike_put_volume"}
)
SCALARS = tuple(name for name, kind in FIELDS.items() if not pa.types.is_list(kind) or name == "flips")
_NOISY = [name for name, kind in FIELDS.items() if kind in (_F64, pa.list_(_F32))]
_STEADY = {
    "strike_call_oi",
    "strike_put_oi",
    "expiry_open_interest",
    "strike_call_volume",
    "strike_put_volume",
}


@cache
def parquet_options(names: tuple[str, ...], *, lasting: bool = True) -> dict[str, Any]:
    """How these columns are packed: bytes of floats apart from each other, what repeats by dictionary.

    Args:
        lasting: False for what is merged within the hour: hardly larger as it is, in a third of the time.
    """
    if not lasting:
        return {"compression": "lz4", "use_dictionary": False, "write_statistics": False}
    split = {name for name in _NOISY if name not in _STEADY}
    return {
        "compression": "zstd",
        "compression_level": 6,
        "use_byte_stream_split": [_leaf(name) for name in names if name in split],
        "use_dictionary": [_leaf(name) for name in names if name not in split],
        "write_statistics": ["minute", "seq", "bucket"],
    }


def _leaf(name: str) -> str:
    kind = FIELDS.get(name)
    return f"{name}.list.element" if kind is not None and pa.types.is_list(kind) else name
