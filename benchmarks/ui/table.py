"""Rows of measured figures: printed, and kept as JSON."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

RESULTS = Path(__file__).resolve().parents[1] / "results" / "ui.json"


@dataclass
class Row:
    """One line of the table.

    Attributes:
        number: of the figure.
        what: was measured.
        aim: in words.
        measured: in words.
        ok: whether the aim was reached.
        details: the numbers behind it.
    """

    number: int
    what: str
    aim: str
    measured: str
    ok: bool
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.number:>3}  {'ok    ' if self.ok else 'MISSED'}  {self.what}: {self.measured}  (aim: {self.aim})"


def write(rows: list[Row]) -> None:
    """Add these rows to the results, in place of earlier ones of the same number."""
    RESULTS.parent.mkdir(exist_ok=True)
    kept = orjson.loads(RESULTS.read_bytes())["rows"] if RESULTS.exists() else []
    new = {row.number for row in rows}
    merged = [row for row in kept if row["number"] not in new] + [asdict(row) for row in rows]
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "rows": sorted(merged, key=lambda row: row["number"]),
    }
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    RESULTS.write_bytes(orjson.dumps(document, option=options))


def percentiles(values: list[float], *wanted: float) -> list[float]:
    """Percentiles of measured values."""
    return [float(value) for value in np.percentile(values, wanted)]
