"""`python -m app replay TAPE`: a taped day again, through the whole product."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time as clock_time
from datetime import datetime, time
from pathlib import Path

from app.commands import run
from app.errors import SettingsError
from app.history.stage import Stage, TapeClock, first_ms
from app.market.calendar import EXCHANGE_TZ, exchange_day, to_ms
from app.settings import get_settings

_START_UP_MS = 8_000  # until the feed asks for the first time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The tape, and how it is played."""
    run.add_arguments(parser)
    parser.add_argument(
        "tape", type=Path, metavar="TAPE", help="a file of DATA_DIR/tape (TAPE=true writes it)"
    )
    parser.add_argument(
        "--speed", type=_speed, default=1.0, metavar="N", help="so many times as fast, 1 unless given"
    )
    parser.add_argument(
        "--from", dest="start", type=_time, metavar="HH:MM", help="begin at this time, New York"
    )
    parser.add_argument("--serve", type=int, metavar="PORT", help="only stand in for Schwab on this port")
    parser.add_argument("--callback-url", default="", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Start everything on the tape. Raises HistoryError or SettingsError."""
    settings = get_settings()
    tape_clock = _clock(args, settings.replay_start_ms, settings.replay_began_ms)
    stage = Stage(args.tape, tape_clock.start_ms)
    if args.serve is not None:
        return _serve(args, stage, tape_clock)
    if stage.over:
        raise SettingsError("the tape ends before that time", cure="Choose an earlier --from.")
    if not stage.symbols():
        raise SettingsError("there is no chain on this tape at that time", cure="Choose a later --from.")
    os.environ |= {
        "FORCE_DEMO": "true",
        "SYMBOLS": ",".join(stage.symbols()),
        "DATA_DIR": str(settings.data_dir / "replay"),
        "REPLAY_TAPE": str(args.tape.resolve()),
        "REPLAY_SPEED": str(args.speed),
        "REPLAY_START_MS": str(tape_clock.start_ms),
        "REPLAY_BEGAN_MS": str(tape_clock.began_ms),
    }
    get_settings.cache_clear()
    return run.main(args)


def _clock(args: argparse.Namespace, start_ms: int, began_ms: int) -> TapeClock:
    """The clock that the parent process has set, else one that begins soon."""
    if began_ms:
        return TapeClock(start_ms, began_ms, args.speed)
    begin = first_ms(args.tape)
    if args.start is not None:
        begin = max(begin, to_ms(datetime.combine(exchange_day(begin), args.start, EXCHANGE_TZ)))
    return TapeClock(
        begin, round(clock_time.time() * 1000) + (0 if args.serve is not None else _START_UP_MS), args.speed
    )


def _serve(args: argparse.Namespace, stage: Stage, tape_clock: TapeClock) -> int:
    from app.history.replay_server import serve
    from app.simulator import CALLBACK_URL
    from app.simulator.options import Options

    callbacks = tuple(url for url in (*args.callback_url.split(","), CALLBACK_URL) if url)
    options = Options(port=args.serve, symbols=("SPY",), callback_urls=callbacks, rate_limit=0)

    async def serving() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(options, stage, tape_clock, _say, stop)

    try:
        asyncio.run(serving())
    except OSError as error:
        raise SettingsError(f"port {args.serve}: {error.strerror or error}") from error
    return 0


def _say(port: int) -> None:
    sys.stdout.write(f"replay ready on http://127.0.0.1:{port}\n")
    sys.stdout.flush()


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= 100:
        raise argparse.ArgumentTypeError("a number from 0.1 to 100")
    return speed


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time of a day, such as 10:30") from error
