"""Candles of an underlying, for the price history and for CHART_EQUITY."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.simulator.asset import Asset
from app.simulator.lines import FieldList, Item, plain
from app.simulator.market import Instant, Market

_SAMPLES = 6  # looks at the price within one candle
_MINUTE_MS, _DAY_MS = 60_000, 86_400_000


def candles_of(asset: Asset, starts: NDArray[np.float64], step: int, now: int) -> list[dict[str, Any]]:
    """The candles that begin at these instants and are `step` ms long, none of them beyond `now`.

    Args:
        starts: ms since the epoch, shape (n,).
    """
    ends = np.minimum(starts + step, now)
    looks = np.linspace(starts, ends, _SAMPLES + 1)  # (samples, candles)
    seen = asset.spots(looks)
    columns = seen[0], seen.max(axis=0), seen.min(axis=0), seen[-1]
    per_ms = 0.0 if asset.profile.kind == "INDEX" else asset.profile.open_interest * 6 / 86_400_000
    volumes = ((ends - starts) * per_ms).astype(np.int64)
    names = ("open", "high", "low", "close", "volume", "datetime")
    rows = zip(
        *(column.tolist() for column in columns),
        volumes.tolist(),
        starts.astype(np.int64).tolist(),
        strict=True,
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


class ChartLines:
    """CHART_EQUITY of one connection: each minute's candle, once it is over."""

    def __init__(self, market: Market) -> None:
        self.keys: dict[str, FieldList] = {}
        self._market = market
        self._minute: int | None = None
        self._sequence = 0

    def forget(self, keys: Iterable[str]) -> None:
        """See Lines: a candle has no image to send again."""

    def collect(self, at: Instant) -> list[Item]:
        """See Lines."""
        minute, before = at.market_ms // _MINUTE_MS, self._minute
        self._minute = minute
        if before is None or minute <= before:
            return []
        start = (minute - 1) * _MINUTE_MS
        items = [self._item(key, fields, start) for key, fields in self.keys.items()]
        return [item for item in items if item is not None]

    def _item(self, key: str, fields: FieldList, start: int) -> Item | None:
        asset = self._market.find_asset(key)
        if asset is None:
            return None
        candle = candles_of(asset, np.array([start], np.float64), _MINUTE_MS, start + _MINUTE_MS)[0]
        self._sequence += 1
        values = [key, self._sequence, *(candle[name] for name in ("open", "high", "low", "close", "volume"))]
        numbered = {
            str(number): plain(value) for number, value in enumerate([*values, start, start // _DAY_MS])
        }
        wanted = {name: value for name, value in numbered.items() if name != "0" and int(name) in fields}
        return {"seq": self._sequence, "key": key, **wanted}
