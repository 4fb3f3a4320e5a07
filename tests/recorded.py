"""Rows as the recorder writes them, of chains that a test makes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from app.gex import expose, fit
from app.gex.attribution import attribute
from app.gex.surface import Surface
from app.history.files import Folder
from app.history.row import Key, Origin, batch_of, day_of
from app.market.chain import Chain

MINUTE = 60_000


def record(data_dir: Path, chains: Iterable[Chain], *, epoch: int = 1) -> None:
    """Write a row for each chain's minute, with the change since the one before where that is the minute before."""
    before: Surface | None = None
    for chain in chains:
        surface = fit(chain)
        key = Key(chain.as_of_ms // MINUTE * MINUTE)
        if before and key.slot_ms - before.chain.as_of_ms > 2 * MINUTE:
            before = None
        change = attribute(before, surface) if before else None
        since = before.chain.as_of_ms if before else None
        batch = batch_of(surface, expose(surface), Origin(key, epoch, (), change, since))
        day = Folder(data_dir / "history").day(chain.symbol, day_of(key))
        day.write(key, batch)
        if len(day.loose()) >= 30:
            day.merge()
        before = surface
