"""Compile the kernels before the first request."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np

from app.gex.black import black
from app.gex.engine import expose
from app.gex.greeks import greeks
from app.gex.jit import forget_disk
from app.gex.smile import smiles
from app.gex.surface import fit
from app.market.calendar import settle_ms
from app.market.chain import Chain, Contracts, Quotes


def warm_up() -> None:
    """Run everything once on a small chain: seconds on the first start of a machine, a tenth of one afterwards.

    Compiled forms on disk that can't be read or written are done without.
    """
    without_disk_if_need_be(_run_everything)


def without_disk_if_need_be(run: Callable[[], object]) -> None:
    """Run compiled code; where its compiled forms on disk can't be used, again without them."""
    try:
        run()
    except Exception:  # noqa: BLE001 - a damaged cache file raises anything; what else is wrong raises again
        forget_disk()
        run()


def _run_everything() -> None:
    chain = _chain()
    black(chain.spot, chain.contracts.strike, 0.05, chain.contracts.right)
    for surface in (
        fit(chain),
        fit(_chain(time_value=0.05)),
    ):  # the latter as in the last minutes: narrow bells
        expose(surface)
    greeks(surface)
    smiles(surface)
    fit(replace(chain, rate=math.nan))


def _chain(time_value: float = 2.0) -> Chain:
    day, spot = date(2030, 1, 18), 100.0
    strikes = np.repeat(np.arange(80.0, 121.0), 2)
    right = np.tile([b"C", b"P"], len(strikes) // 2)
    intrinsic = np.where(right == b"C", spot - strikes, strikes - spot)
    price = np.maximum(intrinsic, 0.0) + time_value * np.exp(-np.abs(strikes - spot) / 4.0)
    settles = settle_ms(day, "P")
    n = len(strikes)
    contracts = Contracts.build(
        {
            "symbol": [b""] * n,
            "root": [b"WARM"] * n,
            "expiry": [day] * n,
            "right": right,
            "strike": strikes,
            "multiplier": [100.0] * n,
            "settlement": [b"P"] * n,
            "settle_ms": [settles] * n,
            "standard": [True] * n,
        }
    )
    held = np.where((strikes > spot) == (right == b"C"), 10.0, 1.0)  # so that there is a flip
    quotes = Quotes.build(n, {"bid": price * 0.99, "ask": price * 1.01, "open_interest": held})
    return Chain("WARM", spot, 0, settles - 7 * 86_400_000, contracts, quotes, rate=0.03)
