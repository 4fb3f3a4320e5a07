"""The price of an underlying over time: a deterministic function of seed and instant, asked for only when somebody looks."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

YEAR_S = 365 * 86_400.0
_OCTAVES = 20  # half-periods from one second to six days
_MASK = (1 << 64) - 1
_GAIN = 0.78  # makes the realised volatility of one-minute returns `vol`, as a test checks


def mix(value: int) -> int:
    """A well-scattered 64-bit integer from any integer (the finaliser of SplitMix64, Steele et al. 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def mix_array(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`mix` for each element; wraps round as 64-bit integers do."""
    out = values + np.uint64(0x9E3779B97F4A7C15)
    out = (out ^ (out >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    out = (out ^ (out >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(out ^ (out >> np.uint64(31)), np.uint64)


@lru_cache(maxsize=4096)
def _knot(seed: int, octave: int, index: int) -> float:
    return mix(mix(seed) ^ mix(octave * 1_000_003 + index)) / 2**63 - 1.0


class Path:
    """Noise that looks like a Brownian motion from seconds to days and stays near where it began.

    It is a sum of smooth value noises whose periods double and whose heights grow with the square root of the period, so
    that each scale carries the variance a Brownian motion has there. No state: any instant costs the same.

    >>> Path(seed=1, vol=0.15).log_return(0.0)
    0.0
    """

    def __init__(self, seed: int, vol: float) -> None:
        self._seed = seed
        self._scale = _GAIN * vol / math.sqrt(YEAR_S)
        self._origin = self._noise(0.0)

    def log_return(self, elapsed_s: float) -> float:
        """ln(price / first price) after this many seconds."""
        return self._scale * (self._noise(elapsed_s) - self._origin)

    def log_returns(self, elapsed_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """`log_return` of many instants at once."""
        total = np.zeros(elapsed_s.shape)
        for octave in range(_OCTAVES):
            period = float(2**octave)
            at = elapsed_s / period
            index = np.floor(at)
            u = at - index
            w = u * u * (3 - 2 * u)
            left, right = (self._knots(octave, index + n) for n in (0, 1))
            total += math.sqrt(period) * (left + w * (right - left))
        return self._scale * (total - self._origin)

    def _knots(self, octave: int, index: NDArray[np.float64]) -> NDArray[np.float64]:
        numbers = index.astype(np.int64).astype(np.uint64) + np.uint64(octave * 1_000_003)
        return mix_array(mix_array(numbers) ^ np.uint64(mix(self._seed))) / 2**63 - 1.0

    def _noise(self, t: float) -> float:
        total = 0.0
        for octave in range(_OCTAVES):
            period = float(2**octave)
            at = t / period
            index = math.floor(at)
            u = at - index
            w = u * u * (3 - 2 * u)
            left, right = _knot(self._seed, octave, index), _knot(self._seed, octave, index + 1)
            total += math.sqrt(period) * (left + w * (right - left))
        return total
