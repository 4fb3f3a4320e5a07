"""The Time view of a whole recorded day: from the data's arrival to the screen, and its growth minute by minute."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser

from app.history.track import MINUTE_MS, instant
from app.market.calendar import OPEN, exchange_day
from app.market.chain import Chain
from app.simulator.clock import Clock
from app.simulator.market import Market
from benchmarks.ui.chromium import Tab, tab
from benchmarks.ui.table import Row, percentiles
from tests.browser.conftest import Desk
from tests.recorded import record
from tests.simulation import options_of, shown
from tests.support import eventually
from tests.webserver import make_services

MINUTES = 390
GROWN = 60
# From the answer's arrival in the page's own code to the frame after it was drawn.
_WATCH = """
() => {
  window.arrived = []; window.painted = []; window.whole = 0;
  const { hear } = dash_clientside.live;
  let seq = null;
  dash_clientside.live.hear = (ack, answer) => {
    if (answer && answer.seq !== seq) window.arrived.push(performance.now());
    seq = answer?.seq;
    return hear(ack, answer);
  };
  const draw = gex.chart.draw;
  gex.chart.draw = async (...given) => {
    const at = window.arrived.at(-1);
    await draw(...given);
    requestAnimationFrame(() => setTimeout(() => window.painted.push(performance.now() - at), 0));
  };
  const wait = setInterval(() => {
    if (!globalThis.Plotly) return;
    clearInterval(wait);
    for (const name of ['react', 'newPlot', 'redraw']) {
      const inner = Plotly[name];
      Plotly[name] = (...given) => { window.whole++; return inner(...given); };
    }
  }, 20);
}
"""


def time_view(browser: Browser) -> Row:
    """A day of 390 minutes painted; then an hour more of it, a minute each second."""
    with tempfile.TemporaryDirectory() as folder, tab(browser) as opened:
        chain = replace(shown(Market(options_of("--symbols", "SPX"), Clock()), "SPX"), session="open")
        minutes = _day_of(chain)
        desk = Desk(make_services(Path(folder), symbols="SPX"), chain)
        data = desk.services.settings.data_dir
        record(data, [next(minutes) for _ in range(MINUTES - GROWN)])
        desk.publish()
        try:
            first = [_first(opened, desk) for _ in range(5)]
            shape = opened.page.evaluate(
                "() => [gex.live.tab.answer.grid.strike.length, gex.live.tab.answer.grid.count]"
            )
            grown, whole = _grown(opened, data, minutes)
        finally:
            desk.fall_silent()
            desk.stop()
    median, slowest = percentiles(first, 50)[0], max(first)
    return Row(
        11,
        f"Time view, {shape[1]} minutes x {shape[0]} strikes",
        "painted within 300 ms of the data; new columns without a full redraw",
        f"{median:.0f} ms (slowest of {len(first)}: {slowest:.0f}); {len(grown)} times new columns, "
        f"{percentiles(grown, 50)[0]:.0f} ms each, {whole} full redraws",
        slowest < 300 and whole == 0,
        {"first_ms": first, "grown_ms": grown, "full_redraws": whole},
    )


def _first(opened: Tab, desk: Desk) -> float:
    """How long the whole day took, in a page that has drawn something before, as when the view is chosen."""
    opened.page.goto(f"{desk.url}/gex/SPX")
    opened.drawn()
    opened.page.evaluate(_WATCH)
    opened.page.evaluate("() => gex.past.go({ view: 'time' })")
    eventually(
        lambda: opened.page.evaluate(
            "() => window.painted.length > 0 && gex.live.tab.answer.grid !== undefined"
        ),
        20,
    )
    return float(opened.page.evaluate("() => window.painted.at(-1)"))


def _grown(opened: Tab, data: Path, minutes: Iterator[Chain]) -> tuple[list[float], int]:
    """Paints of new columns for a minute of real time, and how many of them drew everything anew."""
    opened.page.evaluate("() => { window.painted = []; window.whole = 0; }")
    for chain in minutes:
        record(data, [chain])
        time.sleep(1)
    last = "() => gex.live.tab.answer.rows.length"
    eventually(lambda: opened.page.evaluate(last) == MINUTES, 20, "the last minute is drawn")
    return opened.page.evaluate("() => window.painted"), opened.page.evaluate("() => window.whole")


def _day_of(chain: Chain) -> Iterator[Chain]:
    """The chain once a minute from 09:30 New York of its day, spot a little further each time."""
    rng = np.random.default_rng(1)
    spot, start = chain.spot or 0.0, instant(exchange_day(chain.as_of_ms), OPEN)
    for minute in range(MINUTES):
        spot *= float(np.exp(0.0004 * rng.standard_normal()))
        yield replace(chain, spot=spot, as_of_ms=start + minute * MINUTE_MS)
