"""An alert that fired, as it is kept, shown and sent."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.models import Model

DeliveryState = Literal["waiting", "delivered", "failed"]


class Delivery(Model):
    """How the sending to one webhook went."""

    hook: str = Field(description="The webhook's id")
    state: DeliveryState = "waiting"
    attempts: int = 0
    at: datetime | None = Field(None, description="When it was tried last")
    detail: str = Field("", description="The answer, or why there was none")


class Alert(Model):
    """One firing of one rule."""

    id: str = Field(description="The same however often it is sent")
    at: datetime
    rule: str = Field(description="The rule's id")
    kind: Literal["crossing", "regime", "move", "feed", "login"]
    answer: str = Field(description="above, below, long, short, moved, trouble, well or ending")
    symbol: str | None = None
    level: str | None = Field(None, description="spot, flip, call_wall, put_wall or max_pain")
    text: str = Field(description="The whole of it in a sentence or two")
    simulated: bool = Field(False, description="The numbers are the simulator's, no market's")
    delayed: bool = Field(False, description="The vendor marks its quotes as delayed")
    before: float | None = Field(None, description="The level before, $")
    after: float | None = Field(None, description="The level now, $; of a regime change net GEX")
    spot: float | None = None
    deliveries: list[Delivery] = Field(default_factory=list)
