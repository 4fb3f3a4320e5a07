"""Delta, vanna and charm in recorded rows: near the money, by series, and in rows that lack them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from app.cache.memory import MemoryStore
from app.feed.lease import Lease
from app.gex import expose, fit
from app.gex.params import Params
from app.gex.snapshot import GreekTotals
from app.history.files import write
from app.history.reader import History
from app.history.row import GREEK_STRIKES, Key, Origin, batch_of
from app.history.schema import EARLIER, GREEKS
from tests.chains import SPOT
from tests.lookback import START, chain_at
from tests.recorded import MINUTE, record


def test_delta_vanna_and_charm_read_back_near_the_money_and_are_unknown_beyond(tmp_path: Path) -> None:
    chain = chain_at(0)
    record(tmp_path, [chain])
    history = History(tmp_path / "history")

    for params, sign in ((Params(), 1.0), (Params(side="inverted", unit="per_point"), -1.0)):
        moment, truth = history.at("SPX", START, params), expose(fit(chain))
        assert moment is not None
        kept = moment.snapshot
        held = np.isfinite(kept.strikes.dex)
        assert held.sum() == GREEK_STRIKES < len(held)
        assert abs(kept.strikes.strike[held].mean() / SPOT - 1) < 0.01
        for name in GREEKS:
            column, true = getattr(kept.strikes, name), sign * getattr(truth.strikes, name)
            np.testing.assert_array_equal(np.isfinite(column), held)
            np.testing.assert_allclose(column[held], true[held], atol=2e-6 * np.abs(true[held]).max())
            for row, series in zip(kept.expiries, truth.expiries, strict=True):
                known = getattr(series.greeks, name)
                expected = None if known is None else pytest.approx(sign * known, rel=1e-5)
                assert getattr(row.greeks, name) == expected


def test_delta_vanna_and_charm_of_a_bucket_are_known_by_expiry_alone(tmp_path: Path) -> None:
    chain = chain_at(0)
    record(tmp_path, [chain])
    history = History(tmp_path / "history")

    bucket, long = (history.at("SPX", START, p) for p in (Params(bucket="0dte"), Params(side="long")))
    assert bucket is not None
    assert long is not None
    (truth,) = expose(fit(chain), Params(bucket="0dte")).expiries
    (row,) = bucket.snapshot.expiries
    assert row.greeks.chex_hour == pytest.approx(truth.greeks.chex_hour, rel=1e-5)
    assert len(bucket.snapshot.strikes.dex) == len(long.snapshot.strikes.dex) == 0
    assert {row.greeks for row in long.snapshot.expiries} == {GreekTotals()}


@pytest.mark.parametrize("place", ["file", "stream"])
def test_rows_of_an_earlier_version_are_read_and_lack_what_it_did_not_record(
    tmp_path: Path, place: str
) -> None:
    surface = fit(chain_at(0))
    truth, key = expose(surface), Key(START // MINUTE * MINUTE)
    batch = batch_of(surface, truth, Origin(key, epoch=1)).select(EARLIER[1].names)
    store = MemoryStore()
    if place == "file":
        write(pa.Table.from_batches([batch]), tmp_path / "symbol=SPX" / "day=2026-10-16" / "day.parquet")
    else:
        message = batch.serialize()
        packed = pa.compress(message, codec="zstd", asbytes=True)
        data = b"GXH1" + message.size.to_bytes(4, "little") + packed
        lease = Lease(store)
        assert lease.acquire()
        store.append("history:SPX", (key.slot_ms, 0), data, lease.epoch, kept=10)

    moment = History(tmp_path, store).at("SPX", START)
    assert moment is not None
    kept = moment.snapshot
    assert kept.levels.flip == truth.levels.flip
    assert kept.levels.greeks == truth.levels.greeks
    assert len(kept.strikes.dex) == 0
    assert {row.greeks for row in kept.expiries} == {GreekTotals()}
    assert [row.forward for row in kept.expiries] == [row.forward for row in truth.expiries]
