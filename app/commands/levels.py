"""`python -m app levels SYMBOL`: recorded daily levels in a form that other platforms import."""

from __future__ import annotations

import argparse
import sys
from datetime import date

from app.errors import HistoryError
from app.history.levels_file import rows_of, to_csv, to_line, to_pine
from app.history.place import history_folder
from app.history.reader import History
from app.market.symbols import canonical
from app.settings import get_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which days, and how they are written."""
    parser.add_argument("symbol", metavar="SYMBOL", help="the underlying: SPX, SPY, ...")
    parser.add_argument(
        "--format",
        choices=("csv", "line", "pine"),
        default="csv",
        help="csv: a line a day; line: one day's labelled prices; pine: a script for TradingView's editor",
    )
    parser.add_argument(
        "--day",
        type=_day,
        metavar="YYYY-MM-DD",
        help="this trading day alone; line and pine take the last one otherwise",
    )


def main(args: argparse.Namespace) -> int:
    """Print the levels. Raises SymbolError, or HistoryError where nothing is recorded."""
    symbol = canonical(args.symbol)
    rows = rows_of(symbol, History(history_folder(get_settings())).days(symbol))
    if args.day is not None:
        rows = [row for row in rows if row["day"] == args.day.isoformat()]
    if not rows:
        raise HistoryError(
            f"Nothing is recorded of {symbol}{f' on {args.day}' if args.day else ''}.",
            cure="The feed records while it runs; `python -m app import FILE` takes in chain files.",
        )
    if args.format == "csv":
        sys.stdout.write(to_csv(rows))
    else:
        sys.stdout.write(to_pine(rows[-1]) if args.format == "pine" else to_line(rows[-1]) + "\n")
    return 0


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day, such as 2026-11-20") from error
