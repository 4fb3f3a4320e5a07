"""The compiled loops against plain NumPy and SciPy, and where their compiled form can't be kept."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import erfcx, ndtr

from app.gex import bell_kernels, root_kernels, series_kernels, special, vol_kernels
from app.gex.jit import kernel
from tests.support import ROOT, clean_environment

F64 = NDArray[np.float64]


@kernel
def _exp(values: F64, out: F64) -> None:
    for i in range(values.size):
        out[i] = special.fast_exp(values[i])


@kernel
def _log(values: F64, out: F64) -> None:
    for i in range(values.size):
        out[i] = special.fast_log(values[i])


@kernel
def _erfcx(values: F64, out: F64) -> None:
    for i in range(values.size):
        out[i] = special.fast_erfcx(values[i])


@pytest.mark.parametrize(
    ("function", "reference", "values", "tolerance"),
    [
        (_exp, np.exp, np.linspace(-40, 40, 5001), 1e-14),
        (_exp, np.exp, np.linspace(-690, 690, 5001), 1e-12),
        (_log, np.log, np.geomspace(1e-300, 1e300, 5000), 1e-14),
        (_log, np.log, np.linspace(1.0001, 2, 5001), 1e-13),
        (_erfcx, erfcx, np.linspace(-1.5, 8, 5001), 1e-13),
        (_erfcx, erfcx, np.geomspace(8, 1e5, 5001), 1e-13),
    ],
)
def test_the_branchless_functions_are_the_exact_ones(
    function: Any, reference: Any, values: F64, tolerance: float
) -> None:
    out = np.empty_like(values)
    function(values, out)
    np.testing.assert_allclose(out, reference(values), rtol=tolerance)


def test_exp_of_less_than_it_can_hold_is_as_good_as_zero() -> None:
    out = np.empty(2)
    _exp(np.array([-1e4, -np.inf]), out)
    assert np.all((out >= 0) & (out < 1e-300))


def scipy_price(y: float, x: float) -> float:
    """b(y, x) by the normal integral: the out-of-the-money call at F = exp(-y/2), K = exp(y/2)."""
    d1 = -y / x + x / 2
    return float(np.exp(-y / 2) * ndtr(d1) - np.exp(y / 2) * ndtr(d1 - x))


def test_prices_and_their_inverse_are_scipys() -> None:
    grid = [(y, x) for x in (3e-4, 0.01, 0.1, 0.7, 2.5) for y in (0.0, 0.3 * x, 2 * x, 4 * x)]
    y, x = (np.array(column) for column in zip(*grid, strict=True))
    price = np.empty_like(x)
    vol_kernels.normalised_black(y, x, price)
    expected = np.array([scipy_price(*pair) for pair in grid])
    np.testing.assert_allclose(price, expected, rtol=1e-9, atol=1e-15)
    found = np.empty_like(x)
    vol_kernels.seed_total_vol(price, 2 * np.sinh(y / 2), found)
    vol_kernels.refine_total_vol(np.log(price), y, found, 3)
    np.testing.assert_allclose(found, x, rtol=1e-10)
    slow = brentq(lambda v: scipy_price(y[10], v) - expected[10], 1e-3, 2.0, xtol=1e-14)
    assert found[10] == pytest.approx(slow, rel=1e-8)


def test_the_profile_is_the_plain_sum() -> None:
    rng = np.random.default_rng(2)
    n = 3000
    x = np.exp(rng.uniform(np.log(2e-4), np.log(1.5), n))
    log_strike = np.log(5000.0) + rng.uniform(-0.3, 0.3, n)
    slope, offset, height = 1 / x, -log_strike / x + x / 2, rng.normal(0, 1e6, n)
    spots = np.linspace(np.log(4000.0), np.log(6000.0), 200)
    out = np.empty(200)
    bell_kernels.bell_grid(spots[0], spots[1] - spots[0], slope, offset, height, out)
    expected = np.array([np.sum(height * np.exp(-((slope * s + offset) ** 2) / 2)) for s in spots])
    scale = np.abs(height).sum()
    np.testing.assert_allclose(out, expected, atol=1e-12 * scale)
    for each in (np.array([0]), np.argsort(x), rng.permutation(n)[:700]):
        # alone, in order of their widths (each stride by itself), and mixed
        bell_kernels.bell_grid(spots[0], spots[1] - spots[0], slope[each], offset[each], height[each], out)
        terms = height[each] * np.exp(-((np.outer(spots, slope[each]) + offset[each]) ** 2) / 2)
        np.testing.assert_allclose(out, terms.sum(axis=1), atol=1e-12 * np.abs(height[each]).sum())
    at_one = root_kernels.bell_sum(spots[77], slope, offset, height)
    assert at_one == pytest.approx(expected[77], abs=1e-12 * scale)


def test_gaps_are_filled_between_neighbours_then_by_the_vendor_then_outwards() -> None:
    rng = np.random.default_rng(4)
    starts = np.array([0, 40, 41, 60, 100])
    log_strike = np.concatenate([np.sort(rng.uniform(0, 1, n)) for n in np.diff(starts)])
    truth, known = rng.uniform(0.1, 0.2, 100), rng.uniform(0, 1, 100) < 0.3
    known[41:60] = False
    vendor = np.where(rng.uniform(0, 1, 100) < 0.2, 0.3, np.nan)
    limit = np.where(rng.uniform(0, 1, 100) < 0.5, 0.15, np.nan)
    x, source = np.where(known, truth, np.nan), known.astype(np.int8)
    series_kernels.fill(np.array([0, 1, 2]), starts, log_strike, vendor, limit, x, source)
    for lo, hi in pairwise(starts[:4]):
        part = slice(lo, hi)
        base = np.flatnonzero(known[part])
        for i in range(hi - lo):
            assert (x[part][i], source[part][i]) == pytest.approx(
                filled(i, base, log_strike[part], truth[part], vendor[part][i], limit[part][i]), nan_ok=True
            )
    assert np.array_equal(x[60:], np.where(known, truth, np.nan)[60:], equal_nan=True)


def filled(
    i: int, base: NDArray[np.int64], log_strike: F64, x: F64, vendor: float, limit: float
) -> tuple[float, int]:
    """What should stand at strike i where `base` are priced: x and its source."""
    if i in base:
        return x[i], 1
    if base.size and base[0] < i < base[-1]:
        return float(np.interp(log_strike[i], log_strike[base], x[base])), 3
    if vendor > 0:
        return vendor, 4
    if base.size and limit > 0:
        return min(x[base[0] if i < base[0] else base[-1]], limit), 5
    return float("nan"), 0


def test_a_forward_is_the_median_of_its_pairs_and_needs_three() -> None:
    strike = np.arange(90.0, 111.0)
    starts = np.array([0, 21, 42])
    strikes = np.tile(strike, 2)
    gap = 0.98 * (101.0 - strikes)
    gap[10] += 7.0  # one wrong quote next to the money
    gap[23:42] = np.nan
    spread, discount, out = np.full(42, 0.1), np.full(2, 0.98), np.full(2, 7.0)
    series_kernels.parity_forwards(
        starts, strikes, gap, spread, np.array([False, True]), discount, 100.0, out
    )
    assert out[0] == 7.0
    assert np.isnan(out[1])
    series_kernels.parity_forwards(starts, strikes, gap, spread, np.ones(2, bool), discount, 100.0, out)
    assert out[0] == pytest.approx(101.0)


def test_series_without_a_forward_by_parity_take_the_nearest_carry_else_the_rate() -> None:
    years = np.array([-0.01, 0.1, 0.3, 0.35, 1.0])
    alive, adjusted = years > 0, np.zeros(5, bool)
    by_parity = np.array([100.0, 101.0, np.nan, 104.0, 300.0])  # the last is no carry but a fault
    forward, source = by_parity.copy(), np.empty(5, np.int8)
    series_kernels.other_forwards(years, alive, adjusted, 100.0, 0.05, forward, source)
    np.testing.assert_array_equal(source, [0, 1, 2, 1, 2])
    carry = np.log(1.04) / 0.35
    np.testing.assert_allclose(
        forward, [np.nan, 101, 100 * np.exp(carry * 0.3), 104, 100 * np.exp(carry * 1.0)]
    )
    forward = np.full(5, np.nan)
    series_kernels.other_forwards(years, alive, adjusted, 100.0, 0.05, forward, source)
    np.testing.assert_array_equal(source, [0, 3, 3, 3, 3])
    np.testing.assert_allclose(forward[1:], 100 * np.exp(0.05 * years[1:]))
    # an adjusted series' deliverable isn't the share: its forward may lie anywhere, and lends no carry
    forward, adjusted[4] = by_parity.copy(), True
    series_kernels.other_forwards(years, alive, adjusted, 100.0, 0.05, forward, source)
    np.testing.assert_array_equal(source, [0, 1, 2, 1, 1])
    assert forward[4] == 300.0


def test_a_function_without_a_place_for_its_compiled_form_is_compiled_all_the_same() -> None:
    namespace: dict[str, Any] = {}
    exec("def double(values):\n    return values * 2\n", namespace)  # noqa: S102 - it has no file to be cached by
    np.testing.assert_array_equal(kernel(namespace["double"])(np.arange(3.0)), [0, 2, 4])


@pytest.mark.parametrize(
    "harm",
    [
        "shutil.rmtree(at); open(at, 'w').close()",
        "[open(f, 'wb').close() for f in glob.glob(at + '/*/*.nb?')]",
    ],
    ids=["a folder that is gone", "files cut short"],
)
def test_a_cache_on_disk_that_fails_stops_nothing(harm: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    # a small kernel stands for all: compiling every one takes a minute on a busy machine
    script = (
        "import glob, shutil, sys; import numpy as np; from app.gex import vol_kernels, warm; at = sys.argv[1]\n"
        "black = vol_kernels.normalised_black\n"
        "black(*[np.ones(3)] * 3)\n"
        f"{harm}\n"
        "warm.without_disk_if_need_be(lambda: (black(*[np.ones(3, np.float32)] * 3), black(*[np.ones(3)] * 3)))\n"
        "print('warm')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(cache)],
        cwd=ROOT,
        env=clean_environment(NUMBA_CACHE_DIR=str(cache)),
        capture_output=True,
        check=False,
        timeout=170,
    )
    assert done.stdout == b"warm\n", done.stderr.decode()
