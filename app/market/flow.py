"""Signed flow (gex-math, section 5): which side began a trade, judged by the quote standing just before it."""

from __future__ import annotations


def signed_size(size: float, price: float, before: float, bid: float, ask: float) -> float:
    """+size for a customer's buy, -size for a sale, 0 where nothing tells.

    At or above the ask is a buy, at or below the bid a sale; between them the side of the mid; on the mid, or without a
    two-sided quote, the tick rule against the price `before`. NaN prices tell nothing.
    """
    if 0 < bid <= ask:
        mid = (bid + ask) / 2
        if price >= ask or price > mid:
            return size
        if price <= bid or price < mid:
            return -size
    if price > before:
        return size
    if price < before:
        return -size
    return 0.0
