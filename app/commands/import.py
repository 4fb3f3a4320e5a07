"""`python -m app import FILE...`: recorded moments from chain files of Cboe or Schwab."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import timedelta
from pathlib import Path

from app.errors import GexError
from app.history.backfill import finish, import_file
from app.history.files import Folder
from app.history.place import history_folder
from app.market.calendar import exchange_day, from_ms
from app.settings import get_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files."""
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="Schwab /chains JSON, Cboe JSON or Cboe CSV; .gz too",
    )


def main(args: argparse.Namespace) -> int:
    """Import each; 1 when one of them could not be. Importing a file again changes nothing."""
    settings = get_settings()
    folder = Folder(history_folder(settings))
    today = exchange_day(round(time.time() * 1000))
    failed, symbols = 0, set[str]()
    for path in args.files:
        try:
            done = import_file(folder, path, rate=settings.rate)
        except GexError as error:
            sys.stderr.write(f"error: {error.line}\n")
            failed += 1
            continue
        symbols.add(done.symbol)
        said = "recorded" if done.new else "recorded already"
        sys.stdout.write(f"{path.name}: {done.symbol} {from_ms(done.as_of_ms):%Y-%m-%d %H:%MZ}, {said}\n")
        if settings.history_days and done.day < today - timedelta(settings.history_days):
            sys.stderr.write(
                f"note: {done.day} is older than HISTORY_DAYS={settings.history_days}: the feed deletes it when it next "
                "tidies up. HISTORY_DAYS=0 keeps it.\n"
            )
    finish(folder, symbols, today)
    return 1 if failed else 0
