"""`python -m app demo`: the dashboard on the simulator, whatever the credentials."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from app.commands import run
from app.errors import ChainFileError
from app.market.symbols import canonical
from app.settings import get_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    run.add_arguments(parser)
    parser.add_argument(
        "--chain", metavar="FILE", type=Path, help="start from this real chain, re-dated to today"
    )
    parser.add_argument("--symbols", metavar="SPX,SPY", help="underlyings to follow")
    parser.add_argument("--seed", type=int, help="seed of the made-up market")


def main(args: argparse.Namespace) -> int:
    """Tell every process to use the simulator, and run. Raises ChainFileError, SymbolError or SettingsError."""
    os.environ["FORCE_DEMO"] = "true"
    symbols = _names(args.symbols or "")
    if args.chain is not None:
        os.environ["DEMO_CHAIN"] = str(args.chain.resolve())
        symbols = _with_chain(args.chain, symbols)
    if symbols:
        os.environ["SYMBOLS"] = ",".join(symbols)
    if args.seed is not None:
        os.environ["DEMO_SEED"] = str(args.seed)
    get_settings.cache_clear()
    return run.main(args)


def _with_chain(path: Path, symbols: list[str]) -> list[str]:
    """The symbols to follow with this file: its own first. Raises ChainFileError when it holds no chain."""
    from app.chainfile import read_chain  # NumPy is needed for nothing else here

    symbol = read_chain(path).symbol
    if not symbol:
        raise ChainFileError(f"{path}: the chain does not say which underlying it is of")
    return list(dict.fromkeys([canonical(symbol), *symbols]))


def _names(text: str) -> list[str]:
    return [canonical(part) for part in text.split(",") if part.strip()]
