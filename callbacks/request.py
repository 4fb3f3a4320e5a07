"""What the browser's gate asks: read strictly, since anyone can send it."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator


class LiveRequest(BaseModel):
    """One question.

    Attributes:
        seq: counts up in each tab; the answer carries it back.
        symbol: what the address names, as typed.
        search: the address's query string.
        have: the etag of what the tab has drawn; the answer is short when it still holds.
        feed, cache, alerts: ids of the feed's and the cache's account and of the last alerts that the tab has; only another
            one is sent.
        table: whether the tab shows the table; None leaves it to the view.
        crop: the price range whose strikes are wanted, $.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    seq: int = Field(ge=0, le=2**53)
    symbol: str = Field(max_length=64)
    search: str = Field("", max_length=4096)
    have: str = Field("", max_length=128)
    feed: str = Field("", max_length=32)
    cache: str = Field("", max_length=32)
    alerts: str = Field("", max_length=64)
    table: bool | None = None
    crop: tuple[float, float] | None = None

    @field_validator("crop")
    @classmethod
    def _crop(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not (all(map(math.isfinite, value)) and 0 <= value[0] < value[1]):
            raise ValueError("a crop is two prices, the lower first")
        return value


def read_request(raw: object) -> LiveRequest | None:
    """The question, None when it isn't one."""
    try:
        return LiveRequest.model_validate(raw)
    except ValidationError:
        return None
