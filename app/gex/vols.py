"""Total volatilities from quotes, and what stands in where a quote doesn't tell (gex-math section 2, step 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.gex import surface_kernels
from app.gex.layout import Layout
from app.gex.quotes import Leg

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]

# Where a total volatility comes from: codes are positions here.
VOL_SOURCES = (None, "otm", "other_leg", "interpolated", "vendor", "extrapolated")
OTM, OTHER_LEG, INTERPOLATED, VENDOR, EXTRAPOLATED = 1, 2, 3, 4, 5


def price_nodes(
    nodes: I64,
    layout: Layout,
    call: Leg,
    put: Leg,
    iv: NDArray[np.float32],
    series: tuple[F64, F64, F64],
    out: tuple[F64, I8, F64, F64],
) -> None:
    """x of these nodes from their quotes, and what may stand in: see `surface_kernels.price_nodes`.

    Args:
        nodes: which, shape (n,).
        iv: the vendor's volatilities by row of the chain, a fraction per year.
        series: forward, discount and years, shape (s,) each.
        out: x, source, vendor's x and limit, shape (m,) each, changed at these nodes.
    """
    forward, discount, years = series
    x, source, vendor, limit = out
    surface_kernels.price_nodes(
        nodes, layout.node_series, layout.strike, forward, discount, years, layout.american, call.mid, put.mid, call.bid,
        put.bid, call.offered, put.offered, layout.call_row, layout.put_row, iv, False, x, source, vendor, limit,
    )  # fmt: skip
