"""Where net GEX's change between two recorded moments comes from: what each row has recorded of the step to it, added up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from app.gex.attribution import Attribution

PARTS = ("expired", "spot", "volatility", "weight", "coverage")


def change_between(table: pa.Table, from_ms: int, to_ms: int) -> Attribution | None:
    """The change from the row of one minute to that of a later one; None where a step between them isn't known.

    Along the path: each part is what its cause did minute by minute, so the order within a minute hardly matters.

    Args:
        table: rows of bucket "all" with minute, as_of, net_gex and the change_ columns, ascending.
    """
    minutes = table["minute"].cast(pa.int64()).to_numpy()
    first, last = (int(np.searchsorted(minutes, at, side="right")) - 1 for at in (from_ms, to_ms))
    if first < 0 or last <= first:
        return None
    first, last = (int(np.searchsorted(minutes, minutes[at])) for at in (first, last))
    before, after = table["net_gex"][first].as_py(), table["net_gex"][last].as_py()
    steps = table.slice(first + 1, last - first)
    if before is None or after is None or not _connected(table, first, last):
        return None
    sums = {part: float(np.sum(steps[f"change_{part}"].to_numpy())) for part in PARTS}
    return Attribution(before=before, after=after, **sums)


def _connected(table: pa.Table, first: int, last: int) -> bool:
    """Whether every row's step begins at the row before."""
    since: list[int | None] = table["change_since"].cast(pa.int64()).to_pylist()
    as_of: list[int | None] = table["as_of"].cast(pa.int64()).to_pylist()
    return since[first + 1 : last + 1] == as_of[first:last]
