"""What a computation assumes: conventions and expiry filter, with the words that explain them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Side = Literal["naive", "inverted", "long"]
Weight = Literal["oi", "volume", "oi_plus_volume", "flow"]
Unit = Literal["per_1pct", "per_point"]
Walls = Literal["gross", "net"]
Bucket = Literal["all", "0dte", "week", "month", "ex_next"]
# By how far they are, each expiry is in one of these: today, the rest of this week, of 31 days, and what is later.
BucketName = Literal["0dte", "week", "month", "rest"]


@dataclass(frozen=True, slots=True)
class Params:
    """Conventions of gex-math section 3, and which expiries are in. Hashable: it is part of the memo's key.

    Attributes:
        side: sign of the dealers' position; naive is +1 for calls and -1 for puts.
        weight: contracts counted by open interest, today's volume, both added, or signed flow.
        unit: dollars per 1 % move or per point.
        walls: whether walls are the largest gross call and put exposure or the largest net strike.
        bucket: "0dte" expires on the exchange day of as_of (or the nearest expiry where none does),
            "week" up to the coming Friday, "month" up to 31 days, "ex_next" all but the nearest expiry, "all".
        expiries: exactly these dates, when not empty; overrides bucket.
    """

    side: Side = "naive"
    weight: Weight = "oi"
    unit: Unit = "per_1pct"
    walls: Walls = "gross"
    bucket: Bucket = "all"
    expiries: tuple[date, ...] = ()
