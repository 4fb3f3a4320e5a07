"""A short recorded past, and a tab that looks back at it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from app.history.reader import History
from app.market.calendar import to_ms
from app.market.chain import Chain
from callbacks.request import LiveRequest, read_request
from callbacks.time import Past
from components.state import PageState
from tests.chains import AS_OF, SPOT, Listed, rounded, synthetic
from tests.recorded import MINUTE

START = to_ms(AS_OF)  # 13:00 in New York
DAY_BEFORE = START - 86_400_000
SERIES = (Listed("SPXW", AS_OF.date()), Listed("SPX", date(2026, 11, 20), "A", 10.0))


def chain_at(minute: int, start_ms: int = START) -> Chain:
    """SPX so many minutes after the start: spot is a dollar higher each minute."""
    as_of = datetime.fromtimestamp((start_ms + minute * MINUTE) / 1000, UTC)
    return rounded(synthetic(as_of=as_of, spot=SPOT + minute, series=SERIES)[0])


class Tab:
    """Asks as a browser's tab does, at an instant of our choosing."""

    def __init__(self, folder: Path, now_ms: int = START + 8 * MINUTE) -> None:
        self.past = Past(History(folder / "history"), lambda: now_ms / 1000)
        self.have = ""

    def ask(self, search: str) -> dict[str, Any] | None:
        state = PageState.from_query(search)
        assert not state.ignored
        request = read_request({"seq": 1, "symbol": "SPX", "search": search, "have": self.have})
        assert isinstance(request, LiveRequest)
        asked = self.past.day if state.view == "time" else self.past.view
        picture = asked("SPX", state, request)
        if picture:
            self.have = picture["etag"]
        return picture

    def sees(self, search: str) -> dict[str, Any]:
        picture = self.ask(search)
        assert picture is not None
        return picture
