"""`python -m app gex FILE`: compute gamma exposure from a chain file and print it."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from app.chainfile import read_chain
from app.document import to_document
from app.errors import SettingsError
from app.gex import Params, Snapshot, compute, warm_up
from app.gex.params import Bucket, Side, Unit, Walls, Weight
from app.gex.perfiliev import perfiliev
from app.market.calendar import to_ms
from app.market.chain import Chain
from app.table import as_table

_METHODS = ("parity", "perfiliev")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="Schwab /chains JSON, Cboe delayed-quote JSON or Cboe CSV, told apart by content; .gz too",
    )
    parser.add_argument(
        "--as-of",
        metavar="ISO8601",
        type=_instant,
        help="the instant to compute for, UTC unless it has an offset (default: the file's own)",
    )
    parser.add_argument(
        "--rate",
        metavar="R",
        type=_rate,
        help="interest rate per year as a fraction, 0.05 for 5 %% "
        "(default: the chain's own, else the one its put-call parity implies)",
    )
    parser.add_argument("--format", choices=("json", "table"), default="json", help="default: json")
    parser.add_argument(
        "--side",
        choices=get_args(Side),
        default="naive",
        help="sign of the dealers' position (default: naive)",
    )
    parser.add_argument(
        "--weight", choices=get_args(Weight), default="oi", help="what contracts are counted by (default: oi)"
    )
    parser.add_argument("--unit", choices=get_args(Unit), default="per_1pct", help="default: per_1pct")
    parser.add_argument(
        "--walls",
        choices=get_args(Walls),
        default="gross",
        help="walls by call and put exposure, or by net exposure (default: gross)",
    )
    parser.add_argument(
        "--expiries", choices=get_args(Bucket), default="all", help="which expiries are in (default: all)"
    )
    parser.add_argument(
        "--method",
        choices=_METHODS,
        default="parity",
        help="perfiliev reproduces the widely copied script, for comparison (default: parity)",
    )


def main(args: argparse.Namespace) -> int:
    """Read, compute, print; ChainFileError when the file holds no chain."""
    chain = read_chain(Path(args.file))
    if args.as_of is not None:
        chain = replace(chain, as_of_ms=args.as_of)
    if chain.as_of_ms <= 0:
        raise SettingsError(
            "the file doesn't tell its time", cure="Give it with --as-of, such as 2024-10-15T15:15:56Z."
        )
    snapshot = _computed(chain, args)
    if args.format == "table":
        sys.stdout.write(as_table(snapshot))
    else:
        sys.stdout.write(to_document(snapshot).json_bytes().decode() + "\n")
    sys.stdout.flush()
    return 0


def _computed(chain: Chain, args: argparse.Namespace) -> Snapshot:
    params = Params(
        side=args.side, weight=args.weight, unit=args.unit, walls=args.walls, bucket=args.expiries
    )
    if args.method == "parity":
        warm_up()
        return compute(chain, params, rate=args.rate)
    if params != Params(side=args.side, walls=args.walls) or args.rate is not None:
        raise SettingsError(
            "--method perfiliev knows no --weight, --unit, --expiries or --rate", cure="Leave them out."
        )
    return perfiliev(chain, params)


def _instant(text: str) -> int:
    """ms since the epoch of an ISO 8601 text."""
    try:
        found = datetime.fromisoformat(text)
        return to_ms(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no ISO 8601 time, such as 2024-01-05T16:00-05:00"
        ) from error


def _rate(text: str) -> float:
    try:
        found = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not (math.isfinite(found) and -0.5 <= found <= 1.0):
        raise argparse.ArgumentTypeError(f"{text} is no rate per year: give a fraction, 0.05 for 5 %")
    return found
