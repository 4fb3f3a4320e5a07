"""The simulator's own addresses: its state, and the switches for faults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from app.errors import DataError
from app.market.calendar import from_ms
from app.market.symbols import canonical
from app.simulator.faults import CUTS, Faults
from app.simulator.shared import Shared
from app.simulator.streamer import Streamer


class Desk:
    """Handlers of /simulator/state and /simulator/faults."""

    def __init__(self, shared: Shared, streamer: Streamer) -> None:
        self._shared, self._streamer = shared, streamer
        # what happens once, when it is asked for
        self._actions: dict[str, Callable[[Any], Awaitable[None]]] = {
            "cut": self._cut, "malformed": self._malformed, "forget": self._forget, "expire": self._expire,
            "spot_jump": self._jump, "clock": self._clock,
        }  # fmt: skip

    async def state(self, request: web.Request) -> web.Response:
        """GET: counters, connections, subscriptions, prices."""
        del request
        at = self._shared.market.instant()
        return _json({
            "now": from_ms(at.now_ms).isoformat(), "phase": at.phase, "hours": self._shared.options.hours,
            "seed": self._shared.options.seed, "tick_s": self._shared.options.tick_s,
            "symbols": list(self._shared.market.symbols),
            "contracts": self._shared.market.listed(), "spots": self._shared.market.spots(),
            "subscriptions": self._streamer.subscriptions(), "faults": self._shared.faults.as_dict(),
            **self._shared.counters.as_dict(),
        })  # fmt: skip

    async def faults(self, request: web.Request) -> web.Response:
        """GET: the faults that are set."""
        del request
        return _json(self._shared.faults.as_dict())

    async def clear_faults(self, request: web.Request) -> web.Response:
        """DELETE: everything works again."""
        del request
        self._set(Faults().as_dict())
        return _json(self._shared.faults.as_dict())

    async def set_faults(self, request: web.Request) -> web.Response:
        """POST: set what the JSON object names, do what it asks for; 400, with nothing changed, when it is wrong."""
        try:
            given = orjson.loads(await request.read())
            if not isinstance(given, dict):
                raise DataError("a JSON object is expected")
            actions = {name: given.pop(name) for name in list(given) if name in self._actions}
            for name, value in actions.items():
                _check_action(name, value)
            self._set(given)
            for name, value in actions.items():
                await self._actions[name](value)
        except (orjson.JSONDecodeError, DataError) as error:
            return _json({"error": str(error)}, 400)
        return _json(self._shared.faults.as_dict())

    def _set(self, given: dict[str, Any]) -> None:
        frozen = self._shared.faults.half_open
        self._shared.faults.change(given)
        self._shared.market.no_greeks = self._shared.faults.no_greeks
        self._shared.market.listed_share = self._shared.faults.listed_share
        if frozen and not self._shared.faults.half_open:
            self._streamer.thaw()
        elif self._shared.faults.half_open:
            self._streamer.freeze()

    async def _cut(self, how: Any) -> None:
        await self._streamer.cut(str(how))  # type: ignore[arg-type]

    async def _malformed(self, count: Any) -> None:
        await self._streamer.malform(int(count))

    async def _forget(self, on: Any) -> None:
        if on:
            self._streamer.forget()

    async def _expire(self, kind: Any) -> None:
        self._shared.mint.expire(kind)

    async def _jump(self, jumps: Any) -> None:
        for symbol, percent in jumps.items():
            if not self._shared.market.jump(canonical(symbol), float(percent)):
                raise DataError(f"{symbol} is not traded here")

    async def _clock(self, instant: Any) -> None:
        self._shared.market.clock.set(datetime.fromisoformat(instant))


def _check_action(name: str, value: Any) -> None:
    """Raise DataError unless this action can be done."""
    if name == "cut" and str(value) not in CUTS:
        raise DataError(f"cut is one of {', '.join(CUTS)}")
    if name == "malformed" and not (isinstance(value, int) and 1 <= value <= 1000):
        raise DataError("malformed is a number of frames from 1 to 1000")
    if name == "forget" and not isinstance(value, bool):
        raise DataError("forget is true or false")
    if name == "expire" and value not in ("access", "refresh"):
        raise DataError("expire is access or refresh")
    if name == "spot_jump":
        _check_jumps(value)
    if name == "clock":
        _check_instant(value)


def _check_jumps(value: Any) -> None:
    if not isinstance(value, dict):
        raise DataError('spot_jump is an object such as {"SPX": -3.5}, in percent')
    for symbol, percent in value.items():
        canonical(symbol)
        if isinstance(percent, bool) or not isinstance(percent, int | float) or not -90 <= percent <= 500:
            raise DataError("a jump is a number of percent from -90 to 500")


def _check_instant(value: Any) -> None:
    try:
        aware = datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError) as error:
        raise DataError("clock is an ISO 8601 instant with its offset") from error
    if not aware:
        raise DataError("clock needs an offset, such as 2026-11-23T09:30:00-05:00")


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
