"""`python -m app gex FILE`: compute gamma exposure from a chain file and print it."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import numpy as np

from app.chainfile import read_chain
from app.document import change_document, scenario_document, to_document
from app.errors import SettingsError
from app.gex import Params, Snapshot, expose, fit, warm_up
from app.gex.params import Bucket, Side, Unit, Walls, Weight
from app.gex.perfiliev import perfiliev
from app.market.calendar import to_ms
from app.market.chain import Chain
from app.models import Model
from app.table import as_table, change_table, scenario_table

_METHODS = ("parity", "perfiliev")
_SPOT_SHIFTS = np.array([-0.1, -0.05, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.05, 0.1])
_VOL_SHIFTS = np.array([-0.04, -0.02, 0.0, 0.02, 0.04, 0.08])


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
        "--since",
        metavar="FILE",
        help="print where the change of net GEX since this earlier chain of the same underlying comes from",
    )
    parser.add_argument(
        "--scenario",
        action="store_true",
        help="print net GEX over shifts of spot (-10 to 10 %%) and of volatility (-4 to 8 points)",
    )
    parser.add_argument(
        "--method",
        choices=_METHODS,
        default="parity",
        help="perfiliev reproduces the widely copied script, for comparison (default: parity)",
    )


def main(args: argparse.Namespace) -> int:
    """Read, compute, print; ChainFileError when a file holds no chain."""
    chain = _read(args.file)
    if args.as_of is not None:
        chain = replace(chain, as_of_ms=args.as_of)
    _require_time(chain)
    sys.stdout.write(_answer(chain, args))
    sys.stdout.flush()
    return 0


def _read(name: str) -> Chain:
    return read_chain(Path(name))


def _require_time(chain: Chain) -> None:
    if chain.as_of_ms <= 0:
        raise SettingsError(
            "the file doesn't tell its time", cure="Give it with --as-of, such as 2024-10-15T15:15:56Z."
        )


def _answer(chain: Chain, args: argparse.Namespace) -> str:
    params = Params(
        side=args.side, weight=args.weight, unit=args.unit, walls=args.walls, bucket=args.expiries
    )
    table = args.format == "table"
    if args.method == "perfiliev":
        return _snapshot_text(_copied(chain, params, args), table)
    warm_up()
    if args.scenario and args.since:
        raise SettingsError("--scenario and --since are two answers", cure="Give one of them.")
    surface = fit(chain, rate=args.rate)
    if args.scenario:
        grid = scenario_document(surface, params, _SPOT_SHIFTS, _VOL_SHIFTS)
        return scenario_table(grid) if table else _json(grid)
    if args.since:
        change = change_document(fit(_earlier(args.since, chain), rate=args.rate), surface, params)
        return change_table(change) if table else _json(change)
    return _snapshot_text(expose(surface, params), table)


def _earlier(name: str, chain: Chain) -> Chain:
    """The reference: an earlier chain of the same underlying."""
    before = _read(name)
    _require_time(before)
    if before.symbol != chain.symbol:
        raise SettingsError(
            f"--since is a chain of {before.symbol}, not of {chain.symbol}",
            cure="Give two of one underlying.",
        )
    if before.as_of_ms > chain.as_of_ms:
        raise SettingsError("--since is the later of the two chains", cure="Give the earlier one to --since.")
    return before


def _snapshot_text(snapshot: Snapshot, table: bool) -> str:
    return as_table(snapshot) if table else _json(to_document(snapshot))


def _json(document: Model) -> str:
    return document.json_bytes().decode() + "\n"


def _copied(chain: Chain, params: Params, args: argparse.Namespace) -> Snapshot:
    """The copied method, which knows few of the options."""
    plain = params == Params(side=args.side, walls=args.walls) and args.rate is None
    if not plain or args.scenario or args.since:
        raise SettingsError(
            "--method perfiliev knows no --weight, --unit, --expiries, --rate, --scenario or --since",
            cure="Leave them out.",
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
