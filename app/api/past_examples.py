"""Examples of the recorded history's resources."""

from __future__ import annotations

from typing import Any

_ROW = {
    "minute": "2026-11-20T18:42:00Z",
    "as_of": "2026-11-20T18:42:01.234Z",
    "spot": 6650.25,
    "flip": 6685.2,
}
_DAY = {
    "day": "2026-11-20",
    "minutes": 390,
    "first": "2026-11-20T14:30:00Z",
    "last": "2026-11-20T20:59:00Z",
    "source": "schwab",
    "spot": 6650.25,
    "flip": 6685.2,
    "call_wall": 6700.0,
    "put_wall": 6600.0,
    "net_gex": -10400000000.0,
}

PAST_EXAMPLES: dict[str, Any] = {
    "GET /api/v1/gex/{symbol}/history": {
        "symbol": "SPX",
        "interval": "1m",
        "total": 390,
        "offset": 0,
        "rows": [_ROW],
        "next": "/api/v1/gex/SPX/history?interval=1m&fields=spot%2Cflip&limit=1&offset=1",
    },
    "GET /api/v1/gex/{symbol}/history/strikes": {
        "symbol": "SPX",
        "interval": "5m",
        "total": 1,
        "offset": 0,
        "minute": ["2026-11-20T18:42:00Z"],
        "spot": [6650.25],
        "flip": [6685.2],
        "call_wall": [6700.0],
        "put_wall": [6600.0],
        "strike": [6600.0, 6650.0],
        "call_gex": [[501000000.0, 812000000.0]],
        "put_gex": [[-2210000000.0, -1430000000.0]],
        "next": None,
    },
    "GET /api/v1/gex/{symbol}/days": {"symbol": "SPX", "days": [_DAY]},
}
