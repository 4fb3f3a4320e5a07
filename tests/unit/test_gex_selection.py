"""Which expiries a filter lets in, on a Friday with two series and on a Saturday."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from app.gex import Params, compute, fit
from app.gex.params import Bucket
from app.gex.selection import chosen_dates
from app.market.chain import Chain
from tests import chains

TODAY, NEXT, FAR = date(2026, 10, 16), date(2026, 10, 19), date(2028, 12, 15)
WEEKEND = 2 * 86_400_000


def test_excluding_the_nearest_expiry_leaves_the_others() -> None:
    chain, _ = chains.synthetic()
    for as_of_ms in (chain.as_of_ms, chain.as_of_ms + WEEKEND):
        surface = fit(replace(chain, as_of_ms=as_of_ms))
        live = {row.expiry for row in compute(replace(chain, as_of_ms=as_of_ms)).expiries}
        assert chosen_dates(surface, Params(bucket="ex_next")) == live - {min(live)}


def test_the_nearest_expiry_and_the_others_are_the_whole() -> None:
    chain, _ = chains.synthetic()
    nearest, others, whole = (
        compute(chain, Params(bucket=bucket)).levels.net_gex for bucket in ("0dte", "ex_next", "all")
    )
    assert nearest is not None
    assert others is not None
    assert whole is not None
    assert abs(nearest + others - whole) < 1e-9 * abs(nearest)


def test_dates_outrank_a_bucket_and_unknown_ones_choose_nothing() -> None:
    surface = fit(chains.synthetic()[0])
    day = date(2026, 11, 20)
    assert chosen_dates(surface, Params(bucket="0dte", expiries=(day,))) == {day}
    assert not chosen_dates(surface, Params(expiries=(date(2031, 1, 3),)))


def without(*days: date) -> Chain:
    """The synthetic chain, of which these listed dates have not been read."""
    chain, _ = chains.synthetic()
    read = ~np.isin(chain.contracts.expiry, np.array(days, "M8[D]"))
    return replace(chain.take(read), missing_expiries=len(days), missing_dates=days)


@pytest.mark.parametrize(
    ("chosen", "missing"),
    [
        (Params(bucket="0dte"), 0), (Params(bucket="week"), 0), (Params(bucket="month"), 0),
        (Params(expiries=(TODAY, NEXT)), 0), (Params(), 1), (Params(bucket="ex_next"), 1),
        (Params(expiries=(TODAY, FAR)), 1),
    ],
)  # fmt: skip
def test_what_holds_no_missing_date_is_whole(chosen: Params, missing: int) -> None:
    found, truth = compute(without(FAR), chosen), compute(chains.synthetic()[0], chosen)
    assert found.quality.missing_expiries == missing
    assert (found.regime is None) == (found.quality.confidence is None) == (missing > 0)
    assert any("not been read" in text for text in found.quality.warnings) == (missing > 0)
    if not missing:
        assert found.levels == truth.levels
        assert found.quality.warnings == truth.quality.warnings


def test_the_next_date_does_not_stand_in_for_one_that_has_not_been_read() -> None:
    found = compute(without(TODAY), Params(bucket="0dte"))
    assert found.quality.missing_expiries == 1
    assert (found.levels.net_gex, found.levels.flip, found.regime) == (None, None, None)
    others, truth = (compute(c, Params(bucket="ex_next")) for c in (without(TODAY), chains.synthetic()[0]))
    assert others.quality.missing_expiries == 0
    assert others.levels == truth.levels


@pytest.mark.parametrize("bucket", ["0dte", "week", "month", "ex_next", "all"])
def test_where_only_the_number_of_missing_dates_is_known_it_may_be_any(bucket: Bucket) -> None:
    found = compute(replace(without(FAR), missing_dates=()), Params(bucket=bucket))
    assert found.quality.missing_expiries == 1
    assert found.quality.confidence is None


def test_a_missing_date_that_has_settled_is_missed_no_longer() -> None:
    chain = without(TODAY)
    assert compute(chain).quality.missing_expiries == 1
    settled = replace(chain, as_of_ms=chain.as_of_ms + WEEKEND)
    assert compute(settled).quality.missing_expiries == 0
    assert compute(settled, Params(bucket="0dte")).levels.net_gex is not None


def test_only_what_holds_a_date_that_was_cut_short_is_said_to_be_cut() -> None:
    chain = replace(without(FAR), rejected={"truncated": 1})

    def is_cut(chain: Chain, bucket: Bucket) -> bool:
        found = compute(chain, Params(bucket=bucket)).quality.warnings
        return any("cut the chain short" in text for text in found)

    assert is_cut(chain, "all")
    assert not is_cut(chain, "0dte")
    assert is_cut(replace(chain, missing_expiries=0, missing_dates=()), "0dte"), "a file names no dates"
