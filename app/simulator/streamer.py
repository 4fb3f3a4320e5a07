"""The WebSocket streamer: one connection a user, commands in, changes out once a tick."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from app.simulator.commands import Session
from app.simulator.faults import Cut
from app.simulator.shared import Shared
from app.simulator.sockets import drop, freeze, reset, thaw

_BAD_FRAMES = (
    '{"data":[{"service":"LEVELONE_OPTIONS","timestamp":',
    "not json at all",
    '{"data":[{"service":"LEVELONE_OPTIONS","command":"SUBS","content":[{"key":7,"2":"x"},null,{"2":1}]}]}',
    '{"data":{"service":null}}',
    "[]",
    '{"notify":[{"heartbeat":NaN}]}',
)


class Streamer:
    """Accepts connections, keeps the one that belongs to the user, and lets faults happen to them."""

    def __init__(self, shared: Shared, customer: str) -> None:
        self._shared, self._customer = shared, customer
        self._connections: set[Connection] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One WebSocket connection, from its opening to its end."""
        socket = web.WebSocketResponse(max_msg_size=self._shared.options.frame_limit, compress=False)
        await socket.prepare(request)
        connection = Connection(socket, request, Session(self._shared, self._customer), self._shared)
        self._connections.add(connection)
        self._shared.counters.connected()
        try:
            await connection.run(self._displace)
        finally:
            self._connections.discard(connection)
            self._shared.counters.connections_open -= 1
        return socket

    async def cut(self, how: Cut) -> int:
        """End every connection in one way; how many there were."""
        ended = list(self._connections)
        for connection in ended:
            await connection.end(how)
        return len(ended)

    def forget(self) -> None:
        """Lose every subscription; heartbeats go on."""
        for connection in self._connections:
            for lines in connection.session.lines.values():
                lines.forget(lines.keys)
                lines.keys = {}

    async def malform(self, count: int) -> None:
        """Send frames that no client should choke on."""
        for connection in list(self._connections):
            for number in range(count):
                await connection.send_text(_BAD_FRAMES[number % len(_BAD_FRAMES)])

    def freeze(self) -> None:
        """Read nothing from anybody."""
        for connection in self._connections:
            connection.freeze()

    def thaw(self) -> None:
        """Read again."""
        for connection in self._connections:
            connection.thaw()

    def subscriptions(self) -> dict[str, int]:
        """Keys subscribed now, by service."""
        totals: dict[str, int] = {}
        for connection in self._connections:
            for service, lines in connection.session.lines.items():
                totals[service] = totals.get(service, 0) + len(lines.keys)
        return totals

    async def _displace(self, newcomer: Connection) -> None:
        """A user has one connection: the last that logged in."""
        for other in [c for c in self._connections if c is not newcomer and c.session.logged_in]:
            self._shared.counters.displaced += 1
            other.session.logged_in = False
            if self._shared.options.open.displaced == "notify":
                await other.notify(12, "Only one connection for the user is allowed")
                await other.end("1000")
            else:
                await other.end(self._shared.options.open.displaced)


Displace = Callable[["Connection"], Awaitable[None]]


class Connection:
    """One socket with its session."""

    def __init__(
        self, socket: web.WebSocketResponse, request: web.Request, session: Session, shared: Shared
    ) -> None:
        self.session = session
        self._socket, self._request, self._shared = socket, request, shared
        self._sent_at = self._busy_at = time.monotonic()
        self._closing: asyncio.Task[bool] | None = None

    async def run(self, displace: Displace) -> None:
        """Read commands until the socket ends; changes go out meanwhile."""
        ticking = asyncio.create_task(self._tick_for_ever())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    await self._command(message.data, displace)
        except ConnectionError:
            pass  # the client left while it was being answered
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await ticking

    async def _command(self, text: str, displace: Displace) -> None:
        if self._shared.faults.half_open:
            return
        logged_in = self.session.logged_in
        answers = self.session.handle(text)
        if not self._shared.faults.silent:
            for answer in answers.frames:
                await self._send({"response": answer})
        if self.session.logged_in and not logged_in:
            await displace(self)
            self._busy_at = time.monotonic()
            if not self._shared.faults.silent:
                await self._heartbeat()
        if answers.close:
            await self._socket.close(code=WSCloseCode.OK)

    async def _tick_for_ever(self) -> None:
        while not self._socket.closed:
            # with the market, not beside it: a price is sent when it is made
            await asyncio.sleep(self._shared.market.until_tick_s())
            if self._shared.faults.half_open:
                freeze(self._request)
            elif self.session.logged_in and not self._shared.faults.silent:
                await self._tick_or_end()

    async def _tick_or_end(self) -> None:
        try:
            await self._tick()
        except Exception:
            drop(self._request)  # a stream that has lost its pulse must not look like a quiet market
            raise

    async def _tick(self) -> None:
        frames = self.session.changes(self._shared.market.instant())
        if frames and self._shared.faults.stream_delay_s:
            await asyncio.sleep(self._shared.faults.stream_delay_s)
        for frame, items in frames:
            await self._send(frame)
            self._shared.counters.items += items
        now = time.monotonic()
        if any(lines.keys for lines in self.session.lines.values()):
            self._busy_at = now
        elif now - self._busy_at > self._shared.options.idle_s:
            await self._stop("Stop streaming due to empty subscription")
        if now - self._sent_at >= self._shared.options.open.heartbeat_s:
            await self._heartbeat()
        if not self._shared.options.open.stream_outlives_token and not self.session.token_is_good():
            await self._stop("Stop streaming: the access token has expired")

    async def _stop(self, reason: str) -> None:
        await self.notify(30, reason)
        await self._socket.close(code=WSCloseCode.OK)

    def freeze(self) -> None:
        """Stop reading; whatever the client sends waits in its own machine's buffers."""
        freeze(self._request)

    def thaw(self) -> None:
        """Read on."""
        thaw(self._request)

    async def end(self, how: Cut) -> None:
        """End the connection: a reset, a close code, or code 30 and a close."""
        if how == "rst":
            reset(self._request)
        elif how == "1006":
            drop(self._request)
        elif how == "30":
            await self._stop("Stop streaming due to administrator action")
        else:
            # not awaited: the client may take its time to answer, and whoever asked for the cut waits
            self._closing = asyncio.create_task(self._socket.close(code=int(how)))

    async def notify(self, code: int, message: str) -> None:
        """Tell the client something it didn't ask for."""
        content = {"code": code, "msg": message}
        await self._send({"notify": [{"service": "ADMIN", "timestamp": self._now(), "content": content}]})

    async def send_text(self, text: str) -> None:
        """Send a frame as it is."""
        if not self._socket.closed:
            with contextlib.suppress(ConnectionError):
                await self._socket.send_str(text)

    async def _heartbeat(self) -> None:
        await self._send({"notify": [{"heartbeat": str(self._now())}]})

    async def _send(self, frame: dict[str, Any]) -> None:
        self._sent_at = time.monotonic()
        self._shared.counters.frames += 1
        await self.send_text(orjson.dumps(frame).decode())

    def _now(self) -> int:
        return self._shared.market.clock.now_ms()
