"""Row 13: frames that are almost right."""

from __future__ import annotations

from collections import Counter

from benchmarks.chain import book
from benchmarks.chaos.rows import Outcome, row
from tests.mutations import checked, mutated

COUNT, QUICK = 1_000_000, 20_000


@row(
    13,
    "1,000,000 mutated frames",
    "0 uncaught; accepted + rejected = sent, each rejection with a reason label",
)
def mutated_frames(quick: bool) -> Outcome:
    """Decode every one and write it onto a chain of 20,000 contracts."""
    sent, accepted, rejected, uncaught = QUICK if quick else COUNT, 0, 0, 0
    target, reasons = book(), Counter[str]()
    for text in mutated(sent, seed=13):
        try:
            frame = checked(text)
            target.apply(frame.options, 1)
        except Exception:  # noqa: BLE001 - that is what is counted
            uncaught += 1
            continue
        accepted += not frame.rejected
        rejected += bool(frame.rejected)
        reasons.update(frame.rejected.keys())
    named = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    return Outcome(
        f"{uncaught} uncaught; {accepted:,} accepted + {rejected:,} rejected = {accepted + rejected:,} of {sent:,}",
        uncaught == 0 and accepted + rejected == sent,
        f"own seeded mutator (bytes and JSON values); frames by reason: {named}",
    )
