"""The profile G(S') and its roots (gex-math section 4): every contract revalued with x and F/S held."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gex import bell_kernels, root_kernels

F64 = NDArray[np.float64]

LEVELS = 200
SPAN = 0.2
_RATIOS = np.geomspace(1 - SPAN, 1 + SPAN, LEVELS)
# A total below this share of all terms' sizes is near rounding: its sign, or where that changes, says nothing.
_NOISE = 1e-9
_ROOT_TOLERANCE = 1e-12
_TURN_ROUNDS = 5
# A dip of |G| is followed downwards for so many parabolas, unless one says that this much of it will be left.
_DIP_STEPS, _SHALLOW = 8, 0.5
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
        return spot * float(root_kernels.bell_sum(math.log(spot), self.slope, self.offset, self.height))

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

    Pairs of roots between two levels are found too: minutes before a close a bell is narrower than a step of the grid, so G
    is looked at in between; and wherever |G| dips without changing sign its lowest point is looked at. Where contracts
    cancel to within rounding there is no sign, so no root either.
    """
    return roots_of(bells, spots, values / spots)


def roots_of(bells: Bells, spots: F64, sums: F64) -> tuple[float, ...]:
    """The same from G / S' at each price."""
    out = np.empty(len(spots))
    low, high = math.log(spots[0]), math.log(spots[-1])
    n = root_kernels.plain_roots(
        low, (high - low) / (len(spots) - 1), sums, _NOISE, bells.slope, bells.offset, bells.height, out
    )
    if n >= 0:
        return tuple(np.exp(out[:n]).tolist())
    log_spots, sums = _sampled(bells, np.log(spots), sums)
    loud = np.abs(sums) > _NOISE * np.sum(np.abs(bells.height))
    log_spots, sums = _with_dips(bells, log_spots[loud], sums[loud])
    found = []
    for i in np.flatnonzero(np.diff(np.sign(sums)) != 0):
        low, high = math.exp(log_spots[i]), math.exp(log_spots[i + 1])
        start = low + (high - low) * float(sums[i] / (sums[i] - sums[i + 1]))
        root = _polished(bells, start, low, high)
        found.append(_refined(bells, low, high) if root is None else root)
    return tuple(root for root in found if root is not None)


def _sampled(bells: Bells, log_spots: F64, sums: F64) -> tuple[F64, F64]:
    """The grid and the sums on it, and between its levels where bells are narrower than two steps."""
    step = float(log_spots[-1] - log_spots[0]) / (len(log_spots) - 1)
    narrow = bells.slope * step > root_kernels.NARROW
    few = bells.slope[narrow], bells.offset[narrow], bells.height[narrow]
    points = np.empty(len(log_spots) + root_kernels.LOOKS * len(few[0]))
    values = np.empty(len(points))
    n = root_kernels.sample(log_spots, step, sums, *few, points, values)
    if n == len(log_spots):
        return points[:n], values[:n]
    return points[:n], _exact_at_turns(bells, points[:n], values[:n])


def _exact_at_turns(bells: Bells, points: F64, values: F64) -> F64:
    """The values, exact on both sides of each change of sign: an interpolated one near zero may have the wrong sign."""
    exact: set[int] = set()
    for _ in range(_TURN_ROUNDS):
        turns = np.flatnonzero(np.diff(np.sign(values)) != 0)
        ends = {*turns.tolist(), *(turns + 1).tolist()} - exact
        if not ends:
            break
        for i in ends:
            values[i] = root_kernels.bell_sum(points[i], bells.slope, bells.offset, bells.height)
        exact |= ends
    return values


def _with_dips(bells: Bells, log_spots: F64, sums: F64) -> tuple[F64, F64]:
    """The same points with the lowest of |G| wherever it dips between neighbours of one sign and passes zero there."""
    size, middle = np.abs(sums), slice(1, -1)
    same = (np.sign(sums[:-2]) == np.sign(sums[middle])) & (np.sign(sums[middle]) == np.sign(sums[2:]))
    dips = np.flatnonzero(same & (size[middle] <= size[:-2]) & (size[middle] <= size[2:])) + 1
    lower, least = [], []
    for i in dips.tolist():
        place, value = _lowest(bells, log_spots[i - 1 : i + 2], sums[i - 1 : i + 2])
        if value * sums[i] < 0:
            lower.append(place)
            least.append(value)
    if not lower:
        return log_spots, sums
    points, values = np.append(log_spots, lower), np.append(sums, least)
    order = np.argsort(points)
    return points[order], values[order]


def _lowest(bells: Bells, places: F64, sums: F64) -> tuple[float, float]:
    """Where |G / S'| is least between three points, by parabolas on the exact sum, and its value with its sign turned about.

    Ends as soon as it has passed zero, or when a parabola says that it won't.
    """
    sign = math.copysign(1.0, float(sums[1]))
    x, y = places.tolist(), (sign * sums).tolist()
    for _ in range(_DIP_STEPS):
        vertex, depth = _parabola(x, y)
        if not x[0] < vertex < x[2] or depth > _SHALLOW * y[1] or vertex == x[1]:
            break
        value = sign * float(root_kernels.bell_sum(vertex, bells.slope, bells.offset, bells.height))
        if value < 0 or value >= y[1]:
            return (vertex, sign * value) if value < 0 else (x[1], sign * y[1])
        side = slice(0, 2) if vertex < x[1] else slice(1, 3)
        x, y = [*x[side], vertex], [*y[side], value]
        x, y = (list(column) for column in zip(*sorted(zip(x, y, strict=True)), strict=True))
    return x[1], sign * y[1]


def _parabola(x: list[float], y: list[float]) -> tuple[float, float]:
    """Place and value of the vertex of the parabola through three points."""
    left, right = x[0] - x[1], x[2] - x[1]
    if not left < 0 < right:  # points that rounding has made one
        return x[1], y[1]
    first, second = (y[0] - y[1]) / left, (y[2] - y[1]) / right
    bend = (second - first) / (right - left)
    if not bend > 0:
        return x[1], y[1]
    slope = first - bend * left
    return x[1] - slope / (2 * bend), y[1] - slope**2 / (4 * bend)


def _polished(bells: Bells, start: float, low: float, high: float) -> float | None:
    """Halley's method on the exact sum; None where it leaves the bracket or doesn't settle soon."""
    steepest = float(bells.slope.max(initial=0.0))
    root = root_kernels.polish(
        math.log(start), math.log(low), math.log(high), steepest, bells.slope, bells.offset, bells.height
    )
    return None if math.isnan(root) else math.exp(root)


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
