"""The profile G(S') and its roots (gex-math section 4): every contract revalued with x and F/S held."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gex import bell_kernels

F64 = NDArray[np.float64]

LEVELS = 200
SPAN = 0.2
_RATIOS = np.geomspace(1 - SPAN, 1 + SPAN, LEVELS)
# A total below this share of all terms' sizes is near rounding: its sign, or where that changes, says nothing.
_NOISE = 1e-9
_ROOT_TOLERANCE = 1e-12
# Newton's method doubles the digits at each step: after a move this small nothing is left to gain.
_NEWTON_STEPS, _SETTLED = 8, 1e-9
# How far a bid's or ask's flip is looked for at once; farther off another root might lie between.
_NEAR = 0.01
_REACHES = (0.0005, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, SPAN)


@dataclass(frozen=True, eq=False)
class Bells:
    """What the profile is a sum of: S' height exp(-(slope ln S' + offset)²/2), one per node with weight, shape (n,).

    `G` in $ per 1 % move; per point it is G / (0.01 S').
    """

    slope: F64
    offset: F64
    height: F64

    @classmethod
    def of(cls, spot: float, forward: F64, discount: F64, strike: F64, total_vol: F64, weight: F64) -> Bells:
        """From F, D, K, x and s w M of each node, shape (n,); every value finite."""
        slope, offset, height = np.empty((3, len(strike)))
        bell_kernels.bell_terms(spot, forward, discount, strike, total_vol, weight, slope, offset, height)
        return cls(slope, offset, height)

    def part(self, nodes: slice) -> Bells:
        """Some of them."""
        return Bells(self.slope[nodes], self.offset[nodes], self.height[nodes])

    def at(self, spot: float) -> float:
        """G at one price."""
        return spot * float(bell_kernels.bell_sum(math.log(spot), self.slope, self.offset, self.height))

    def over(self, spots: F64) -> F64:
        """G at each price of a geometric grid, shape (levels,)."""
        return self.sums(spots) * spots

    def sums(self, spots: F64) -> F64:
        """G / S' at each price of a geometric grid, shape (levels,)."""
        out = np.empty(len(spots))
        low = math.log(spots[0])
        step = math.log(spots[-1] / spots[0]) / (len(spots) - 1)
        bell_kernels.bell_grid(low, step, self.slope, self.offset, self.height, out)
        return out


def grid(spot: float) -> F64:
    """The levels S': a geometric grid over ±20 % of spot, shape (200,)."""
    return spot * _RATIOS


def roots(bells: Bells, spots: F64, values: F64) -> tuple[float, ...]:
    """Every price at which G changes sign on the grid, ascending, refined on the exact sum far below 1e-6 of spot.

    Where contracts cancel to within rounding there is no sign, so no root either.
    """
    loud = np.flatnonzero(np.abs(values) > _NOISE * spots * np.sum(np.abs(bells.height)))
    turns = np.flatnonzero(np.diff(np.sign(values[loud])) != 0)
    found = []
    for i in turns:
        low, high = float(spots[loud[i]]), float(spots[loud[i + 1]])
        at_low, at_high = float(values[loud[i]]), float(values[loud[i + 1]])
        start = low + (high - low) * at_low / (at_low - at_high)
        root = _polished(bells, start, low, high)
        found.append(_refined(bells, low, high) if root is None else root)
    return tuple(root for root in found if root is not None)


def _polished(bells: Bells, start: float, low: float, high: float) -> float | None:
    """Newton's method on the exact sum; None where it leaves the bracket or doesn't settle soon."""
    log_spot = math.log(start)
    for _ in range(_NEWTON_STEPS):
        total, rise = bell_kernels.bell_slope(log_spot, bells.slope, bells.offset, bells.height)
        if rise == 0.0:
            return None
        move = -total / rise
        log_spot += move
        if not math.log(low) <= log_spot <= math.log(high):
            return None
        if abs(move) < _SETTLED:
            return math.exp(log_spot)
    return None


def _refined(bells: Bells, low: float, high: float) -> float | None:
    """The root between two prices; None where the exact sum has one sign at both.

    The Illinois method; a bisection where three steps don't halve the bracket, as between sums of very different size.
    """
    at_low, at_high = bells.at(low), bells.at(high)
    if at_low * at_high >= 0:
        return None
    side, steps, width = 0, 0, high - low
    while high - low > _ROOT_TOLERANCE * high:
        steps += 1
        halve = steps % 3 == 0 and high - low > 0.5 * width
        width = high - low if steps % 3 == 0 else width
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        if halve or not low < middle < high:
            middle = 0.5 * (low + high)
        value = bells.at(middle)
        if value == 0.0:
            return middle
        if (value > 0) == (at_high > 0):
            at_low = at_low / 2 if side == 1 else at_low
            high, at_high, side = middle, value, 1
        else:
            at_high = at_high / 2 if side == -1 else at_high
            low, at_low, side = middle, value, -1
    return 0.5 * (low + high)


def root_near(bells: Bells, price: float) -> float | None:
    """A root close to `price`: the first bracket found outwards from it, to the grid's width; None when there is none."""
    if not len(bells.slope):
        return None
    root = _polished(bells, price, price * (1 - _NEAR), price * (1 + _NEAR))
    if root is not None:
        return root
    for reach in _REACHES:
        low, high = price * (1 - reach), price * (1 + reach)
        found = _refined(bells, low, high)
        if found is not None:
            return found
    return None


def nearest(prices: tuple[float, ...], spot: float) -> float | None:
    """The one nearest spot; None when there is none."""
    return min(prices, key=lambda price: abs(price - spot), default=None)
