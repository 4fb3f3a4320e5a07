"""The table of figures that `make security` prints, and keeps in benchmarks/results/security.json."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "security.json"
FULL = os.environ.get("GEX_SECURITY") == "full"


@dataclass(frozen=True)
class Figure:
    """One row: what was wanted, what was measured."""

    number: int
    name: str
    wanted: str
    measured: str
    ok: bool


class Record(Protocol):
    """How a test hands in its row; it fails where the row isn't met."""

    def __call__(self, number: int, name: str, wanted: str, measured: str, ok: bool) -> None: ...


_figures: list[Figure] = []


@pytest.fixture
def figure() -> Record:
    """Keeps a row of the table, and fails the test when its aim is missed."""

    def record(number: int, name: str, wanted: str, measured: str, ok: bool) -> None:
        _figures.append(Figure(number, name, wanted, measured, ok))
        assert ok, f"{name}: wanted {wanted}, measured {measured}"

    return record


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the rows of a full run, and write them down."""
    if not FULL or not _figures:
        return
    rows = sorted(_figures, key=lambda row: row.number)
    terminalreporter.section("security figures")
    for row in rows:
        mark = "ok  " if row.ok else "MISS"
        terminalreporter.write_line(
            f"{mark} {row.number:>2} {row.name}: {row.measured} (wanted {row.wanted})"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    made = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "python": platform.python_version()}
    RESULTS.write_text(json.dumps({**made, "figures": [asdict(row) for row in rows]}, indent=1) + "\n")
