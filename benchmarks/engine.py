"""The engine's speed against its peers, as ratios in one run: `python -m benchmarks.engine` (requirements.txt beside it).

Writes benchmarks/results/engine.json and prints the same as a table. Every figure is the median of interleaved runs on one
core. Peers that aren't installed are left out by name.
"""

from __future__ import annotations

import json
import os
import platform
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import scipy.stats

from app.gex import expose, fit, warm_up
from app.gex.black import black, otm_total_vol
from app.gex.engine import Held
from app.gex.incremental import Engine
from app.gex.profile import grid
from app.market.chain import Chain
from tests import chains
from tests.chains import Listed

try:
    from py_vollib_vectorized import vectorized_implied_volatility_black
except ImportError:
    vectorized_implied_volatility_black = None
try:
    import QuantLib as ql  # noqa: N813
except ImportError:
    ql = None

RESULTS = Path(__file__).parent / "results" / "engine.json"
ROUNDS = 15
N = 20_000
SAMPLE = 400  # rows for peers that are thousands of times slower


def chain_of(n: int) -> Chain:
    """A chain of some n contracts: strikes 5 dollars apart, as many weekly expiries as it takes."""
    first, listed = date(2026, 10, 19), []
    count = 0
    while count < n:
        day = first + timedelta(days=7 * len(listed) if n > 4000 else 30 * len(listed))
        listed.append(Listed("SPXW", day, step=5.0, width=3.0))
        count += sum(1 for _ in strikes_of(listed[-1]))
    made, _ = chains.synthetic(series=tuple(listed))
    return chains.rounded(made.take(np.arange(min(n, len(made)))))


def strikes_of(listed: Listed) -> range:
    """Rows that `chains.synthetic` makes of a series, near enough to count them."""
    years = (listed.expiry - chains.AS_OF.date()).days / 365
    reach = listed.width * 0.17 * years**0.5
    return range(2 * int(2 * chains.SPOT * reach / listed.step))


def interleaved(functions: dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, float]:
    """Median milliseconds of each, of this thread's own time, run in turns: a busy machine slows all alike."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.thread_time()
            function()
            times[name].append((time.thread_time() - start) * 1e3)
    return {name: float(np.median(taken)) for name, taken in times.items()}


class Inputs:
    """The rows that every way of computing gets: F, K, x, D, weight; calls and puts not collapsed."""

    def __init__(self, chain: Chain) -> None:
        surface = fit(chain)
        node = surface.layout.row_node
        known = np.isfinite(surface.total_vol[node])
        self.node = node[known]
        self.surface = surface
        self.spot = surface.spot
        self.call = chain.contracts.is_call[known]
        self.forward, self.discount = surface.node_forward[self.node], surface.node_discount[self.node]
        self.strike, self.x = surface.layout.strike[self.node], surface.total_vol[self.node]
        self.weight = np.where(self.call, 100.0, -100.0) * chain.quotes.open_interest[known]
        self.years = np.maximum(surface.years, 1e-6)[surface.layout.node_series[self.node]]
        self.spots = grid(self.spot)
        self.nothing = np.zeros(len(surface.layout.strike))


def ours(i: Inputs) -> np.ndarray:
    """Collapse calls and puts, then the recurrence: everything from (F, x, weight), as `expose` does it."""
    weight = np.bincount(i.node, i.weight, len(i.surface.layout.strike))
    return Held.of(i.surface, weight, i.nothing).bells(i.surface.total_vol).over(i.spots)


def scipy_loop(i: Inputs) -> np.ndarray:
    """A loop over the levels with scipy.stats.norm.pdf, as it is usually written."""
    out = np.empty(len(i.spots))
    for j, spot in enumerate(i.spots):
        forward = i.forward * spot / i.spot
        d1 = np.log(forward / i.strike) / i.x + 0.5 * i.x
        out[j] = np.sum(0.01 * i.weight * i.discount * forward * scipy.stats.norm.pdf(d1) / i.x)
    return out


def numpy_in_place(i: Inputs) -> np.ndarray:
    """The best of plain NumPy: one level at a time, in place, all rows."""
    slope = 1.0 / i.x
    offset = np.log(i.forward / i.spot / i.strike) * slope + 0.5 * i.x
    height = 0.01 / np.sqrt(2 * np.pi) / i.spot * i.weight * i.discount * i.forward * slope
    d, out = np.empty_like(slope), np.empty(len(i.spots))
    for j, log_spot in enumerate(np.log(i.spots)):
        np.multiply(slope, log_spot, out=d)
        d += offset
        d *= d
        d *= -0.5
        np.exp(d, out=d)
        out[j] = d @ height
    return out * i.spots


def apply_rows(i: Inputs, levels: int) -> None:
    """DataFrame.apply with norm.pdf, on a sample of rows and levels."""
    columns = {"f": i.forward, "k": i.strike, "x": i.x, "w": i.weight}
    frame = pd.DataFrame({name: values[:SAMPLE] for name, values in columns.items()})
    for spot in i.spots[:levels]:
        ratio = spot / i.spot
        frame.apply(
            lambda r, ratio=ratio: (
                r["w"]
                * r["f"]
                * scipy.stats.norm.pdf(np.log(r["f"] * ratio / r["k"]) / r["x"] + r["x"] / 2)
                / r["x"]
            ),
            axis=1,
        ).sum()


def profile(i: Inputs) -> dict[str, Any]:
    reference = numpy_in_place(i)
    scale = np.abs(reference).max()
    ms = interleaved(
        {
            "ours": lambda: ours(i),
            "numpy_in_place": lambda: numpy_in_place(i),
            "scipy_loop": lambda: scipy_loop(i),
        }
    )
    levels = 2
    sample = interleaved({"apply": lambda: apply_rows(i, levels)}, 3)["apply"]
    ms["dataframe_apply_extrapolated"] = sample * len(i.x) / SAMPLE * len(i.spots) / levels
    return {
        "ms": ms,
        "times_ours": {name: value / ms["ours"] for name, value in ms.items()},
        "error_of_largest": float(np.abs(ours(i) - reference).max() / scale),
    }


def implied(i: Inputs) -> dict[str, Any]:
    """Invert the out-of-the-money price of every row: 20,000 of them."""
    right = np.where(i.strike >= i.forward, "C", "P")
    price = black(i.forward, i.strike, i.x, right)
    near = i.x * (1 + 0.01 * np.sin(np.arange(len(i.x))))
    functions: dict[str, Callable[[], Any]] = {
        "ours_cold": lambda: otm_total_vol(price, i.forward, i.strike),
        "ours_warm": lambda: otm_total_vol(price, i.forward, i.strike, near),
    }
    flag = np.char.lower(right)
    if vectorized_implied_volatility_black is not None:
        functions["py_vollib_vectorized"] = lambda: vectorized_implied_volatility_black(
            price, i.forward, i.strike, 0.0, i.years, flag, return_as="numpy"
        )
    ms = interleaved(functions)
    if ql is not None:
        ms["quantlib_extrapolated"] = interleaved({"q": lambda: quantlib_vols(i, price, SAMPLE * 5)}, 3)[
            "q"
        ] * (len(i.x) / (SAMPLE * 5))
    found = otm_total_vol(price, i.forward, i.strike)
    return {
        "rows": len(i.x),
        "ms": ms,
        "times_ours_cold": {name: value / ms["ours_cold"] for name, value in ms.items()},
        "times_ours_warm": {name: value / ms["ours_warm"] for name, value in ms.items()},
        "error_relative": float(np.nanmax(np.abs(found / i.x - 1))),
    }


def quantlib_vols(i: Inputs, price: np.ndarray, n: int) -> None:
    for f, k, p in zip(i.forward[:n].tolist(), i.strike[:n].tolist(), price[:n].tolist(), strict=True):
        kind = ql.Option.Call if k >= f else ql.Option.Put
        ql.blackFormulaImpliedStdDev(kind, k, f, p, 1.0, 0.0, 0.1, 1e-10, 200)


def changed_rows(chain: Chain, n: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """n times 500 rows with bids and asks a tick off: what a feed would hand over."""
    rng, frames = np.random.default_rng(5), []
    for _ in range(n):
        rows = rng.choice(len(chain), 500, replace=False)
        shift = rng.choice([-0.05, 0.0, 0.05], 500)
        bid = np.maximum(chain.quotes.bid[rows] + shift, 0.0)
        frames.append((rows, bid, np.maximum(chain.quotes.ask[rows] + shift, bid + 0.05)))
    return frames


def cycle(chain: Chain, i: Inputs) -> dict[str, Any]:
    right = np.where(i.strike >= i.forward, "C", "P")
    price = black(i.forward, i.strike, i.x, right)
    # one whose spot stands still, and one whose spot moves before each change: then every forward that is touched moves too
    still, moving = Engine(chain), Engine(chain)
    frames = {engine: iter(changed_rows(chain, ROUNDS + 1)) for engine in (still, moving)}

    def change(engine: Engine) -> None:
        rows, bid, ask = next(frames[engine])
        engine.update(rows, bid=bid, ask=ask)
        engine.levels()

    state = {"up": True}

    def move() -> None:
        state["up"] = not state["up"]
        moving.move(chain.spot * (1.0001 if state["up"] else 0.9999))

    ms = interleaved(
        {
            "profile": lambda: ours(i),
            "cold_vols": lambda: otm_total_vol(price, i.forward, i.strike),
            "fit": lambda: fit(chain),
            "whole_cycle": lambda: expose(fit(chain)),
            "changed_500_rows": lambda: change(still),
            "spot_alone": move,
            "changed_500_rows_after_a_move": lambda: change(moving),
        }
    )
    return {
        "ms": ms,
        "cycle_over_profile_and_vols": ms["whole_cycle"] / (ms["profile"] + ms["cold_vols"]),
        "cycle_over_500_rows": ms["whole_cycle"] / ms["changed_500_rows"],
    }


def growth() -> dict[str, Any]:
    """Whole cycles from 2,000 to 200,000 contracts; 1 would be exactly linear."""
    sizes = (2_000, 20_000, 200_000)
    made = {n: chain_of(n) for n in sizes}
    ms = {n: interleaved({"c": lambda n=n: expose(fit(made[n]))}, 7)["c"] for n in sizes}
    per = {n: ms[n] / len(made[n]) * 1e3 for n in sizes}
    return {
        "contracts": {n: len(made[n]) for n in sizes},
        "ms": ms,
        "us_per_contract": per,
        "growth_20k_to_200k": per[200_000] / per[20_000],
    }


def memory(chain: Chain) -> float:
    """Megabytes that an Engine holds beyond the chain it was given."""
    Engine(chain)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    engine = Engine(replace(chain))
    engine.levels()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return held / 1e6


def rows(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What is printed: what, measured, aim."""
    p, v, c = results["profile"], results["implied"], results["cycle"]
    none = float("nan")
    cold, warm = v["times_ours_cold"], v["times_ours_warm"]
    return [
        ("profile: ms", f"{p['ms']['ours']:.2f}", ""),
        ("  scipy per level, times ours", f"{p['times_ours']['scipy_loop']:.0f}", "150"),
        ("  NumPy in place, times ours", f"{p['times_ours']['numpy_in_place']:.0f}", "20"),
        ("  DataFrame.apply, times ours", f"{p['times_ours']['dataframe_apply_extrapolated']:.0f}", ""),
        ("  error of the largest level", f"{p['error_of_largest']:.0e}", ""),
        ("implied vol: ms cold / warm", f"{v['ms']['ours_cold']:.2f} / {v['ms']['ours_warm']:.2f}", ""),
        ("  py_vollib_vectorized, times ours cold", f"{cold.get('py_vollib_vectorized', none):.0f}", "12"),
        ("  py_vollib_vectorized, times ours warm", f"{warm.get('py_vollib_vectorized', none):.0f}", "25"),
        ("  QuantLib, times ours cold", f"{cold.get('quantlib_extrapolated', none):.0f}", ""),
        ("  relative error", f"{v['error_relative']:.0e}", "1e-8"),
        ("whole cycle: ms", f"{c['ms']['whole_cycle']:.2f}", ""),
        ("  over profile + cold vols", f"{c['cycle_over_profile_and_vols']:.1f}", "3 at most"),
        ("500 changed rows: ms", f"{c['ms']['changed_500_rows']:.2f}", ""),
        ("  whole cycle, times that", f"{c['cycle_over_500_rows']:.1f}", "5"),
        ("  the same after a move of spot: ms", f"{c['ms']['changed_500_rows_after_a_move']:.2f}", ""),
        ("spot alone: ms", f"{c['ms']['spot_alone']:.2f}", ""),
        (
            "time per contract, 200,000 over 20,000",
            f"{results['growth']['growth_20k_to_200k']:.2f}",
            "0.8 to 1.2",
        ),
        ("memory of an engine: MB", f"{results['memory_mb']:.1f}", "25 at most"),
    ]


def main() -> None:
    warm_up()
    chain = chain_of(N)
    inputs = Inputs(chain)
    results = {
        "machine": {"cpu": platform.processor() or platform.machine(), "python": platform.python_version()},
        "contracts": len(chain),
        "profile": profile(inputs),
        "implied": implied(inputs),
        "cycle": cycle(chain, inputs),
        "growth": growth(),
        "memory_mb": memory(chain),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    for what, measured, aim in rows(results):
        print(f"{what:<42} {measured:>14}   {aim}")


if __name__ == "__main__":
    main()
