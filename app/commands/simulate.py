"""`python -m app simulate`: Schwab's stand-in alone."""

from __future__ import annotations

import argparse
import asyncio
from datetime import datetime
from pathlib import Path

from app.errors import SettingsError
from app.log import configure
from app.market.chain import Chain
from app.market.symbols import canonical
from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL
from app.simulator.options import OpenQuestions, Options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of docs/simulator.md."""
    add = parser.add_argument
    add("--port", type=int, required=True, help="port for everything; 0 takes a free one")
    add("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    add(
        "--symbols", default="", help="underlyings, separated by commas (default SPX,SPY, or the chain's own)"
    )
    add("--chain", type=Path, metavar="FILE", help="start from a real chain instead of a made-up one")
    add("--seed", type=int, default=1, help="seed of the market (default %(default)s)")
    add("--app-key", default=APP_KEY, help="app key it accepts (default %(default)s)")
    add("--app-secret", default=APP_SECRET, help="app secret it accepts (default %(default)s)")
    add("--callback-url", default=CALLBACK_URL, help="registered callback addresses (default %(default)s)")
    add(
        "--hours",
        choices=("always", "market"),
        default="always",
        help="trade around the clock, or in market hours",
    )
    add("--start", metavar="ISO8601", help="what the exchange's clock shows at the start, with its offset")
    _add_limits(parser)
    _add_open_questions(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add, default = parser.add_argument, Options()
    add(
        "--tick",
        type=float,
        default=default.tick_s,
        help="seconds between stream frames (default %(default)s)",
    )
    add(
        "--greeks",
        type=float,
        default=default.greeks_s,
        help="seconds between a contract's greeks (%(default)s)",
    )
    add(
        "--rate-limit",
        type=int,
        default=default.rate_limit,
        help="REST requests a minute, 0 for any (%(default)s)",
    )
    add("--body-limit", type=int, default=default.body_limit, help="bytes of a chain at most (%(default)s)")
    add(
        "--symbol-limit", type=int, default=default.symbol_limit, help="option keys of a stream (%(default)s)"
    )
    add("--idle", type=float, default=default.idle_s, help="seconds without keys until code 30 (%(default)s)")
    add(
        "--code-life",
        type=float,
        default=default.code_life_s,
        help="seconds a code is good for (%(default)s)",
    )
    add(
        "--access-life",
        type=int,
        default=default.access_life_s,
        help="seconds of an access token (%(default)s)",
    )
    add("--refresh-life", type=int, default=default.refresh_life_s, help="seconds of a login (%(default)s)")


def _add_open_questions(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("open questions", "what nobody has published about Schwab's servers")
    add, default = group.add_argument, OpenQuestions()
    add(
        "--heartbeat",
        type=float,
        default=default.heartbeat_s,
        help="seconds of quiet until a heartbeat (%(default)s)",
    )
    add(
        "--retry-after",
        type=int,
        default=default.retry_after_s,
        help="Retry-After of a 429, 0 for none (%(default)s)",
    )
    add("--readd-image", action="store_true", help="a repeated ADD sends the whole image again")
    add("--add-fields", choices=("service", "key"), default=default.add_fields,
        help="an ADD's fields hold for the service or for its own keys (%(default)s)")  # fmt: skip
    add(
        "--frame-items",
        type=int,
        default=default.frame_items,
        help="contents of a frame, 0 for any (%(default)s)",
    )
    add(
        "--equities-limit",
        type=int,
        default=default.equities_limit,
        help="equity keys of a stream (%(default)s)",
    )
    add("--end-with-token", action="store_true", help="a stream ends with the access token it logged in with")
    add(
        "--pkce", choices=("ignore", "check"), default=default.pkce, help="ignore or check PKCE (%(default)s)"
    )
    add("--displaced", choices=("1000", "1001", "1006", "notify"), default=default.displaced,
        help="how a second login ends the first connection (%(default)s)")  # fmt: skip
    add("--overnight", action="store_true", help="index options quote overnight in market hours, too")


def main(options: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    from app.simulator.server import serve  # slow to import, and not needed for --help

    configure("WARNING")
    chosen = options_from(options)
    asyncio.run(serve(chosen, lambda port: _announce(chosen.host, port)))
    return 0


def options_from(given: argparse.Namespace) -> Options:
    """The simulator's options from the command line. Raises SettingsError, SymbolError or ChainFileError."""
    chain = _chain(given.chain)
    return Options(
        port=given.port,
        host=given.host,
        symbols=_symbols(given.symbols, chain),
        chain=chain,
        seed=given.seed,
        app_key=given.app_key,
        app_secret=given.app_secret,
        callback_urls=tuple(_parts(given.callback_url)),
        tick_s=given.tick,
        greeks_s=given.greeks,
        hours=given.hours,
        start=_instant(given.start),
        rate_limit=given.rate_limit,
        body_limit=given.body_limit,
        symbol_limit=given.symbol_limit,
        idle_s=given.idle,
        code_life_s=given.code_life,
        access_life_s=given.access_life,
        refresh_life_s=given.refresh_life,
        open=_open_questions(given),
    )


def _open_questions(given: argparse.Namespace) -> OpenQuestions:
    return OpenQuestions(
        heartbeat_s=given.heartbeat,
        retry_after_s=given.retry_after,
        readd_image=given.readd_image,
        add_fields=given.add_fields,
        frame_items=given.frame_items,
        equities_limit=given.equities_limit,
        stream_outlives_token=not given.end_with_token,
        pkce=given.pkce,
        displaced=given.displaced,
        overnight=given.overnight,
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _symbols(text: str, chain: Chain | None) -> tuple[str, ...]:
    asked = [canonical(part) for part in _parts(text)]
    return tuple(dict.fromkeys(asked)) or ((chain.symbol,) if chain is not None else Options().symbols)


def _chain(path: Path | None) -> Chain | None:
    if path is None:
        return None
    from app.chainfile import read_chain  # pulls in parsers that a made-up market doesn't need

    return read_chain(path)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"--start: {text!r} is not an ISO 8601 instant") from error
    if instant.tzinfo is None:
        raise SettingsError("--start needs an offset, such as 2026-11-23T09:30:00-05:00")
    return instant


def _announce(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"simulator ready on http://{shown}:{port}", flush=True)  # noqa: T201 - whoever started it waits for this line
