"""`make bench-ui`: prints the table of figures and writes benchmarks/results/ui.json."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.ui.chromium import chromium, executable
from benchmarks.ui.endurance import endurance, recovery
from benchmarks.ui.live import first_visit, live_tab
from benchmarks.ui.looks import accessible, widths
from benchmarks.ui.rates import at_rates
from benchmarks.ui.table import Row, write
from benchmarks.ui.tabs import many_tabs
from benchmarks.ui.time_view import time_view
from tests.product import Running, started
from tests.support import eventually


def main() -> int:
    """Measure the chosen rows. Returns 1 when a figure is missed, 2 without a browser."""
    chosen = _arguments()
    if not executable():
        print("needs Chromium: apt-get install -y chromium")
        return 2
    folder = chosen.pictures or Path(tempfile.mkdtemp(prefix="gex-ui-"))
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with chromium() as browser:
        for measure in _plan(browser, chosen, folder):
            found = measure()
            rows += found
            for row in found:
                print(row, flush=True)
            write(rows)
    print(f"pictures in {folder}")
    return int(not all(row.ok for row in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ui", description=__doc__)
    parser.add_argument("--rows", default="1,2,3,4,5,6,7,8,9,10,11", help="figures to measure")
    parser.add_argument("--seconds", type=float, default=60, help="how long one live tab is watched")
    parser.add_argument("--updates", type=int, default=20_000, help="pictures that the endurance run draws")
    parser.add_argument("--minutes", type=float, default=10, help="how long the 200 tabs ask")
    parser.add_argument("--pictures", type=Path, help="folder for screenshots")
    return parser.parse_args()


def _plan(browser: Browser, chosen: argparse.Namespace, folder: Path) -> list[Callable[[], list[Row]]]:
    wanted = {int(number) for number in chosen.rows.split(",")}

    def with_product(measure: Callable[[Running], list[Row]]) -> Callable[[], list[Row]]:
        return lambda: _on_product(measure)

    plan: list[tuple[set[int], Callable[[], list[Row]]]] = [
        ({8}, with_product(lambda product: [first_visit(browser, product)])),
        ({1, 2, 3}, with_product(lambda product: live_tab(browser, product, chosen.seconds, folder))),
        ({10}, lambda: at_rates(browser, chosen.seconds)),
        ({4}, lambda: [recovery(browser)]),
        ({7}, with_product(lambda product: [accessible(browser, product)])),
        ({9}, with_product(lambda product: [widths(browser, product, folder)])),
        ({6}, with_product(lambda product: [many_tabs(product, 200, 60 * chosen.minutes)])),
        ({5}, lambda: [endurance(browser, chosen.updates)]),
        ({11}, lambda: [time_view(browser)]),
    ]
    return [measure for numbers, measure in plan if numbers & wanted]


def _on_product(measure: Callable[[Running], list[Row]]) -> list[Row]:
    """Run a measurement against the demo with its whole chain swept."""
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as product:
        eventually(product.serves, 90, "the server answers")
        eventually(lambda: _whole(product), 180, "the whole chain is swept")
        return measure(product)


def _whole(product: Running) -> bool:
    found = product.get("/api/v1/gex/SPX?detail=levels")
    return found.ok and not found.json()["quality"]["warnings"]


if __name__ == "__main__":
    sys.exit(main())
