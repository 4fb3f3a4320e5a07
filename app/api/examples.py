"""One example per resource, as the documentation shows it. A test checks each against its schema."""

from __future__ import annotations

import json
from typing import Any

from app.api.alert_examples import ALERT_EXAMPLES
from app.api.past_examples import PAST_EXAMPLES

_LEVELS: dict[str, Any] = {
    "symbol": "SPX",
    "spot": 6650.25,
    "spot_at": "2026-11-20T18:42:06.912000Z",
    "as_of": "2026-11-20T18:42:07.250000Z",
    "session": "open",
    "source": "schwab",
    "delayed": False,
    "convention": {"side": "naive", "weight": "oi", "unit": "per_1pct", "walls": "gross", "method": "parity"},
    "net_gex": -10400000000.0,
    "call_gex": 31200000000.0,
    "put_gex": -41600000000.0,
    "gross_gex": 72800000000.0,
    "flip": 6685.2,
    "flips": [6685.2],
    "flip_band": {"low": 6681.4, "high": 6689.1},
    "call_wall": 6700.0,
    "put_wall": 6600.0,
    "absolute_gamma_strike": 6650.0,
    "max_pain": 6700.0,
    "regime": "short_gamma",
}

_STRIKE = {
    "strike": 6650.0,
    "call_gex": 812000000.0,
    "put_gex": -1430000000.0,
    "net_gex": -618000000.0,
    "call_oi": 10412.0,
    "put_oi": 18336.0,
    "call_volume": 22910.0,
    "put_volume": 31877.0,
}

_EXPIRY = {
    "expiry": "2026-11-20",
    "root": "SPXW",
    "settlement": "PM",
    "settles_at": "2026-11-20T21:00:00Z",
    "forward": 6650.9,
    "forward_source": "parity",
    "atm_vol": 0.142,
    "net_gex": -2100000000.0,
    "gross_gex": 9800000000.0,
    "open_interest": 1204331.0,
    "contracts": 412,
    "used": 398,
    "expected_move": {"straddle": 31.2, "sigma": 38.5},
}

_QUALITY = {
    "contracts": 20412,
    "used": 19877,
    "open_interest_coverage": 0.992,
    "confidence": 0.97,
    "fallbacks": {"forward_carry": 2},
    "excluded": {"expired": 12},
    "warnings": [],
}

_READY = {
    "ready": True,
    "missing": [],
    "parts": {
        "cache": {"ok": True, "detail": ""},
        "feed": {"ok": True, "detail": ""},
        "chain:SPX": {"ok": True, "detail": ""},
    },
}

_CONNECTION = {
    "state": "live",
    "since": "2026-11-20T14:30:02Z",
    "source": "schwab",
    "leader": "host-1:4211",
    "reconnects": 1,
    "last_frame_at": "2026-11-20T18:42:07.100000Z",
    "last_data_at": "2026-11-20T18:42:07.100000Z",
    "heartbeat_at": "2026-11-20T18:42:07.200000Z",
    "frames": 15332,
    "rejected": {},
    "writes_failed": 0,
    "keys_used": 2987,
    "keys_limit": 3000,
    "coverage": {
        "SPX": {
            "contracts": 20412,
            "streaming": 2987,
            "gamma_share": 0.94,
            "oldest_sweep_at": "2026-11-20T18:41:20Z",
        }
    },
    "token": {
        "signed_in_at": "2026-11-18T13:05:00Z",
        "access_expires_at": "2026-11-20T19:05:00Z",
        "refresh_expires_at": "2026-11-25T13:05:00Z",
    },
    "problem": None,
}

_CACHE = {
    "backend": "redis",
    "healthy": True,
    "server_version": "7.2.5",
    "ping_ms": 0.11,
    "keys": 12,
    "memory_bytes": 7340032,
    "memory_limit_bytes": 268435456,
    "evictions": 0,
    "hits": 40211,
    "misses": 118,
    "hit_rate": 0.997,
    "breaker": "closed",
    "versions": {"SPX": 60211},
    "ages_s": {"SPX": 0.21},
}

_HEAD_NAMES = ("symbol", "spot", "spot_at", "as_of", "session", "source", "delayed", "convention")
_HEAD = {name: _LEVELS[name] for name in _HEAD_NAMES}
_PROFILE = {"spot": [6600.0, 6650.0, 6700.0], "gex": [-19.1e9, -10.4e9, 2.6e9]}

_OPTION = {
    "symbol": "SPXW  261120C06650000",
    "root": "SPXW",
    "expiry": "2026-11-20",
    "right": "C",
    "strike": 6650.0,
    "multiplier": 100.0,
    "settlement": "PM",
    "settles_at": "2026-11-20T21:00:00Z",
    "standard": True,
    "bid": 15.4,
    "ask": 15.6,
    "last": 15.5,
    "bid_size": 27.0,
    "ask_size": 36.0,
    "volume": 22910.0,
    "open_interest": 10412.0,
    "iv": 0.143,
    "delta": 0.509,
    "gamma": 0.01,
    "model_gamma": 0.010431,
    "quote_at": "2026-11-20T18:42:06.910000Z",
    "trade_at": "2026-11-20T18:42:05.100000Z",
    "streaming": True,
}

_MARKET = {
    "symbol": "SPX",
    "description": "S&P 500 INDEX",
    "spot": 6650.25,
    "last": 6650.25,
    "bid": None,
    "ask": None,
    "mark": 6650.25,
    "close": 6629.7,
    "change": 20.55,
    "percent_change": 0.31,
    "volume": None,
    "quote_at": "2026-11-20T18:42:07Z",
    "trade_at": "2026-11-20T18:42:07Z",
    "spot_at": "2026-11-20T18:42:07Z",
    "session": "open",
    "source": "schwab",
    "delayed": False,
}

_SYMBOLS = {
    "symbols": [
        {"symbol": "SPX", "version": 60211, "published_at": "2026-11-20T18:42:07.250000Z", "age_s": 0.21}
    ]
}

_OPTIONS = {
    "symbol": "SPX",
    "as_of": "2026-11-20T18:42:07.250000Z",
    "total": 20412,
    "offset": 0,
    "options": [_OPTION],
    "next": "/api/v1/options/SPX?offset=1&limit=1",
}

_EVENTS = f"""retry: 3000

id: 1763664127.60211.1763664127250
event: levels
data: {json.dumps({**_LEVELS, "quality": _QUALITY})}

: heartbeat

event: end
data: {{"reason": "shutdown"}}

"""

EXAMPLES: dict[str, Any] = {
    "GET /api/v1/health/live": {"status": "live", "version": "0.1.0", "uptime_s": 8123.4},
    "GET /api/v1/health/ready": _READY,
    "GET /api/v1/health": {**_READY, "version": "0.1.0", "uptime_s": 8123.4},
    "GET /api/v1/connection/status": _CONNECTION,
    "GET /api/v1/cache/stats": _CACHE,
    "GET /api/v1/gex/{symbol}": {
        **_LEVELS,
        "strikes": [_STRIKE],
        "expiries": [_EXPIRY],
        "profile": _PROFILE,
        "quality": _QUALITY,
    },
    "GET /api/v1/gex/{symbol}/levels": {**_LEVELS, "quality": _QUALITY},
    "GET /api/v1/gex/{symbol}/stream": _EVENTS,
    "GET /api/v1/gex/{symbol}/strikes": {**_HEAD, "strikes": [_STRIKE]},
    "GET /api/v1/gex/{symbol}/expiries": {**_HEAD, "expiries": [_EXPIRY]},
    "GET /api/v1/gex/{symbol}/profile": {**_HEAD, "flips": [6685.2], "profile": _PROFILE},
    "GET /api/v1/symbols": _SYMBOLS,
    "POST /api/v1/symbols": {"symbol": "AAPL", "version": None, "published_at": None, "age_s": None},
    "GET /api/v1/market/{symbol}": _MARKET,
    "GET /api/v1/options/{symbol}": _OPTIONS,
    **ALERT_EXAMPLES,
    **PAST_EXAMPLES,
}
