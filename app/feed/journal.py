"""What the feed hears, told in the order in which it takes effect, to whoever keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from typing import Any

from app.market.chain import Chain


class Journal:
    """Keeps nothing; a tape overrides it. Never raises.

    Whatever changes the books happens within `turn`, right after it was told: so who replays it has the same books at
    the same marks. Times are the wall clock's, ms since the epoch.
    """

    def turn(self) -> AbstractContextManager[object]:
        """Nobody else tells or changes anything meanwhile."""
        return nullcontext()

    def frame(self, text: bytes, at_ms: int) -> None:
        """A frame of the stream that holds data, as it came."""

    def chain(self, symbol: str, first: date, last: date, document: dict[str, Any], at_ms: int) -> None:
        """The answer of /chains to one window."""

    def listed(self, symbol: str, expiries: Iterable[date], at_ms: int) -> None:
        """The dates that /expirationchain lists: contracts of others have left."""

    def unstreamed(self, keys: Iterable[str] | None, at_ms: int) -> None:
        """The stream keeps these contracts no longer; None is all of them."""

    def mark(self, chain: Chain) -> None:
        """The chain that a snapshot has just given."""

    def close(self) -> None:
        """Nothing more comes."""
