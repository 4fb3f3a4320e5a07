"""The simulator as a server: one port for the authorize page, the token endpoint, REST and the streamer."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from aiohttp import web

from app.errors import SettingsError
from app.simulator.clock import Clock
from app.simulator.desk import Desk
from app.simulator.faults import Counters, Faults
from app.simulator.market import Market
from app.simulator.oauth import AUTHORIZE, TOKEN, Login
from app.simulator.options import Options
from app.simulator.rest import STREAM_PATH, Rest
from app.simulator.shared import Shared
from app.simulator.streamer import Streamer
from app.simulator.tokens import TokenMint

_DATA, _TRADER = "/marketdata/v1", "/trader/v1"


def create_app(options: Options) -> web.Application:
    """The application, its market made and ready."""
    clock = Clock(options.hours, options.start)
    shared = Shared(options, Market(options, clock), TokenMint(options), Faults(), Counters())
    rest, login = Rest(shared), Login(shared)
    streamer = Streamer(shared, rest.customer)
    desk = Desk(shared, streamer)
    app = web.Application(middlewares=[rest.gate])
    app.add_routes([
        web.get(AUTHORIZE, login.authorize_page),
        web.post(AUTHORIZE, login.authorize),
        web.post(TOKEN, login.token),
        web.get(f"{_DATA}/chains", rest.chains),
        web.get(f"{_DATA}/expirationchain", rest.expirations),
        web.get(f"{_DATA}/quotes", rest.quotes),
        web.get(f"{_DATA}/{{symbol}}/quotes", rest.quote),
        web.get(f"{_DATA}/markets", rest.markets),
        web.get(f"{_DATA}/markets/{{market}}", rest.markets),
        web.get(f"{_DATA}/pricehistory", rest.history),
        web.get(f"{_DATA}/movers/{{symbol}}", rest.movers),
        web.get(f"{_DATA}/instruments", rest.instruments),
        web.get(f"{_TRADER}/userPreference", rest.preference),
        web.get(f"{_TRADER}/accounts/accountNumbers", rest.account_numbers),
        web.get(STREAM_PATH, streamer.handle),
        web.get("/simulator/state", desk.state),
        web.get("/simulator/faults", desk.faults),
        web.post("/simulator/faults", desk.set_faults),
        web.delete("/simulator/faults", desk.clear_faults),
    ])  # fmt: skip
    return app


async def serve(options: Options, ready: Callable[[int], None], stop: asyncio.Event | None = None) -> None:
    """Serve until `stop` is set, or until SIGTERM or SIGINT when it is None.

    Args:
        ready: called with the port once it listens.

    Raises SettingsError when the port can't be had.
    """
    ending = stop or _ended_by_signals()
    runner = web.AppRunner(create_app(options), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port)
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(f"port {options.port}: {error.strerror or error}") from error
        ready(int(runner.addresses[0][1]))
        await ending.wait()
    finally:
        await runner.cleanup()


def _ended_by_signals() -> asyncio.Event:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    return ending
