"""Run rows of the table, print it, and write benchmarks/results/chaos.json.

python -m benchmarks.chaos [--rows 1,2,3] [--quick]
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chaos.rows import ENTRIES, QUICK_HELP, Row

RESULTS = Path(__file__).resolve().parents[1] / "results" / "chaos.json"
# Each holds some rows, which its import puts into the table.
_MODULES = ("streams", "attempts", "redis_away", "leases", "processes", "broker", "clocks", "frames", "weeks")


def load() -> None:
    """Fill the table."""
    for name in _MODULES:
        full = f"benchmarks.chaos.{name}"
        try:
            importlib.import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
            sys.stderr.write(f"{full} does not exist yet\n")


def main() -> int:
    """1 when a promise was not kept."""
    logging.basicConfig(level=logging.CRITICAL)  # faults are what is wanted here
    load()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(map(str, sorted(ENTRIES))), help="numbers, by default all")
    parser.add_argument("--quick", action="store_true", help=QUICK_HELP)
    args = parser.parse_args()
    chosen = [int(part) for part in args.rows.split(",")]
    missing = [number for number in chosen if number not in ENTRIES]
    if missing:
        parser.error(f"no row {missing}; there are {sorted(ENTRIES)}")
    found = [_run(number, args.quick) for number in chosen]
    write(found, quick=args.quick)
    return 0 if all(row.ok for row in found) else 1


def _run(number: int, quick: bool) -> Row:
    began = time.monotonic()
    found = ENTRIES[number].run(quick)
    sys.stdout.write(f"{line(found)}   [{time.monotonic() - began:.0f} s]\n")
    sys.stdout.flush()
    return found


def line(found: Row) -> str:
    """One line of the printed table."""
    verdict = "ok  " if found.ok else "FAIL"
    note = f" ({found.note})" if found.note else ""
    return f"{found.number:>2} {verdict} {found.fault} | {found.figure} | {found.measured}{note}"


def write(found: Iterable[Row], *, quick: bool) -> None:
    """Keep the rows; those that were not run this time stay as they were."""
    kept = {entry["number"]: entry for entry in _before()}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    kept |= {entry.number: {**asdict(entry), "quick": quick, "at": at} for entry in found}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([kept[number] for number in sorted(kept)], indent=2) + "\n")


def _before() -> list[dict[str, object]]:
    try:
        rows: list[dict[str, object]] = json.loads(RESULTS.read_text())
    except (OSError, ValueError):
        return []
    return rows


if __name__ == "__main__":
    sys.exit(main())
