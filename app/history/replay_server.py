"""The simulator with a tape in the place of its market: login and streamer are its own, what they tell is the tape's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from aiohttp import web

from app.history.stage import Stage, TapeClock
from app.simulator.answers import Refusal, reply
from app.simulator.clock import Clock
from app.simulator.commands import Session
from app.simulator.faults import Counters, Faults
from app.simulator.market import Market
from app.simulator.oauth import AUTHORIZE, TOKEN, Login
from app.simulator.options import Options
from app.simulator.rest import STREAM_PATH, Rest
from app.simulator.shared import Shared
from app.simulator.streamer import Connection, Displace, Streamer
from app.simulator.tokens import TokenMint

_TICK_S = 0.05
_DATA, _TRADER = "/marketdata/v1", "/trader/v1"


class TapeConnection(Connection):
    """A connection that sends the tape's frames to whoever is logged in, as far as they were asked for here.

    The taped feed had subscribed to its own keys, and this reader's may be others.
    """

    async def show(self, frame: dict[str, Any]) -> None:
        """Send one taped frame; malformed parts of it as they came."""
        data = frame.get("data")
        told = [part for part in map(self._asked_for, data) if part] if isinstance(data, list) else data
        if self.session.logged_in and told:
            await self.send_text(orjson.dumps({**frame, "data": told}).decode())

    def _asked_for(self, part: Any) -> Any:
        """The part of a frame's data that this reader's keys are in; None where none is."""
        content = part.get("content") if isinstance(part, dict) else None
        if not isinstance(content, list):
            return part
        lines = self.session.lines.get(str(part.get("service")))
        wanted = [one for one in content if _key(one) in lines.keys] if lines else []
        return {**part, "content": wanted} if wanted else None

    async def _tick_for_ever(self) -> None:
        while not self._socket.closed:
            await asyncio.sleep(self._shared.options.open.heartbeat_s)
            if self.session.logged_in:
                await self._heartbeat()


def _key(content: Any) -> str:
    return str(content.get("key")) if isinstance(content, dict) else ""


class Player(Streamer):
    """Plays the stage and sends its frames."""

    def __init__(self, shared: Shared, customer: str, stage: Stage, clock: TapeClock) -> None:
        super().__init__(shared, customer)
        self._stage, self._clock = stage, clock

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """As Streamer.handle, with the tape's connections."""
        socket = web.WebSocketResponse(max_msg_size=self._shared.options.frame_limit, compress=False)
        await socket.prepare(request)
        connection = TapeConnection(socket, request, Session(self._shared, self._customer), self._shared)
        self._connections.add(connection)
        displace: Displace = self._displace
        try:
            await connection.run(displace)
        finally:
            self._connections.discard(connection)
        return socket

    async def play(self) -> None:
        """Send what the tape brings, until cancelled."""
        while True:
            for frame in self._stage.play(self._clock() * 1000):
                for connection in list(self._connections):
                    if isinstance(connection, TapeConnection):
                        await connection.show(frame)
            await asyncio.sleep(_TICK_S)


class TapeRest(Rest):
    """The market's resources from the stage."""

    def __init__(self, shared: Shared, stage: Stage, clock: TapeClock) -> None:
        super().__init__(shared)
        self._stage, self._clock = stage, clock

    async def chains(self, request: web.Request) -> web.Response:
        """GET /chains"""
        asked = request.query
        window = asked.get("fromDate", ""), asked.get("toDate", "9999")
        document = self._stage.chain(asked.get("symbol", ""), *window, asked.get("contractType", "ALL"))
        if document is None:
            raise Refusal(404, "no such symbol on this tape")
        return await reply(request, await asyncio.to_thread(orjson.dumps, document))

    async def expirations(self, request: web.Request) -> web.Response:
        """GET /expirationchain"""
        document = self._stage.expirations(request.query.get("symbol", ""))
        if document is None:
            raise Refusal(404, "no such symbol on this tape")
        return await reply(request, orjson.dumps(document))

    async def markets(self, request: web.Request) -> web.Response:
        """GET /markets"""
        return await reply(request, orjson.dumps(self._stage.hours(self._clock())))


def create_app(options: Options, stage: Stage, clock: TapeClock) -> web.Application:
    """The application; it plays as long as it runs."""
    # heartbeats and answers are stamped with the tape's time, as its frames are
    market = Market(options, Clock(options.hours, options.start, clock))
    shared = Shared(options, market, TokenMint(options), Faults(), Counters())
    rest, login = TapeRest(shared, stage, clock), Login(shared)
    player = Player(shared, rest.customer, stage, clock)
    app = web.Application(middlewares=[rest.gate])
    app.add_routes([
        web.get(AUTHORIZE, login.authorize_page),
        web.post(AUTHORIZE, login.authorize),
        web.post(TOKEN, login.token),
        web.get(f"{_DATA}/chains", rest.chains),
        web.get(f"{_DATA}/expirationchain", rest.expirations),
        web.get(f"{_DATA}/markets", rest.markets),
        web.get(f"{_TRADER}/userPreference", rest.preference),
        web.get(STREAM_PATH, player.handle),
    ])  # fmt: skip

    async def playing(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(player.play())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(playing)
    return app


async def serve(
    options: Options, stage: Stage, clock: TapeClock, ready: Callable[[int], None], stop: asyncio.Event
) -> None:
    """Serve until `stop` is set. `ready` gets the port. Raises OSError when the port can't be had."""
    runner = web.AppRunner(create_app(options, stage, clock), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        ready(int(runner.addresses[0][1]))
        await stop.wait()
    finally:
        await runner.cleanup()
