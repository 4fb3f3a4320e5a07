"""The price axis: which range is shown by default, and which strikes travel to the browser."""

from __future__ import annotations

from collections.abc import Iterable

from app.gex.snapshot import ExpirySummary, Levels, Snapshot

_MOVES = 3.0
_LEAST, _MOST = 0.01, 0.12  # of spot: a chain in its last minutes, and one with a wild straddle
_REACH = 3.0  # levels within this many half-ranges widen the range so that they are seen


def expected_move(expiries: Iterable[ExpirySummary]) -> tuple[float, ExpirySummary] | None:
    """The nearest expiry's expected move in $: its straddle, else one standard deviation; None where unknown."""
    for row in sorted(expiries, key=lambda row: row.settle_ms):
        move = row.straddle if row.straddle else row.sigma_move
        if move and move > 0:
            return move, row
    return None


def default_range(spot: float, move: float | None, levels: Levels) -> tuple[float, float]:
    """Spot +- 3 expected moves, widened to take in the flip and the walls where they stand near.

    Where no expected move is known, 3 % of spot stands for the three. All in $.
    """
    half = _MOVES * move if move else 0.03 * spot
    half = min(max(half, _LEAST * spot), _MOST * spot)
    near = [abs(at - spot) for at in (levels.flip, levels.call_wall, levels.put_wall) if at is not None]
    seen = [away for away in near if away <= min(_REACH * half, _MOST * spot)]
    # spot stays in the middle: the eye learns where it is
    reach = max([half, *(away + 0.1 * half for away in seen)])
    return max(spot - reach, 0.0), spot + reach


def suggested_range(snapshot: Snapshot) -> tuple[float, float] | None:
    """The default range of a snapshot in $; without a spot the strikes' own; None where there is neither."""
    if snapshot.spot:
        found = expected_move(snapshot.expiries)
        return default_range(snapshot.spot, found[0] if found else None, snapshot.levels)
    strikes = snapshot.strikes.strike
    return (float(strikes[0]), float(strikes[-1])) if len(strikes) > 1 else None


def padded(shown: tuple[float, float], share: float = 0.3) -> tuple[float, float]:
    """A range with a margin on both sides, so that a small zoom out needs no question to the server."""
    pad = share * (shown[1] - shown[0])
    return max(shown[0] - pad, 0.0), shown[1] + pad
