"""What can be watched: one model for each kind of rule, and the set of them that a dashboard has."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from app.errors import GexError, SymbolError
from app.market.symbols import canonical
from app.models import Model

MOST_RULES = 50
MOST_HOOKS = 3
EVERY = "*"

CrossedLevel = Literal["flip", "call_wall", "put_wall"]
MovedLevel = Literal["spot", "flip", "call_wall", "put_wall", "max_pain"]


class RulesRefused(GexError):  # noqa: N818
    """A change of the rules that can't be made as asked."""


class HookUnknown(RulesRefused):
    """There is no webhook of that id."""


class RulesChanged(RulesRefused):
    """Somebody else has changed the rules meanwhile."""

    cure = "Load them again, and make the change again."


def _symbol(text: str) -> str:
    try:
        return text if text == EVERY else canonical(text)
    except SymbolError as error:
        raise ValueError(f"{error} * means every followed one.") from error


_PATTERN = r"^(\*|\$?[A-Za-z][A-Za-z0-9]{0,5}([./][A-Za-z]{1,2})?)$"
Symbol = Annotated[
    str,
    AfterValidator(_symbol),
    Field(description="Underlying, * for every followed one", json_schema_extra={"pattern": _PATTERN}),
]


def _kind_required(schema: dict[str, Any]) -> None:
    """Written by hand a rule has to say its kind, though its class knows it."""
    schema["required"] = ["kind", *schema.get("required", [])]


def _move_schema(schema: dict[str, Any]) -> None:
    _kind_required(schema)
    in_points = {"properties": {"unit": {"const": "points"}}, "required": ["unit"]}
    schema["anyOf"] = [{"properties": {"by": {"maximum": 100}}}, in_points]


class RuleBase(Model):
    """What every rule has."""

    model_config = ConfigDict(json_schema_extra=_kind_required)

    id: str = Field("", pattern=r"^[a-z0-9]{0,16}$", description="Given by the server where it is empty")
    enabled: bool = True
    webhook: bool = Field(True, description="Whether its alerts go to the webhooks as well")
    cooldown_s: int = Field(300, ge=0, le=86_400, description="Least seconds between two alerts of this rule")

    @property
    def watched(self) -> str:
        """The symbol that it watches, EVERY for all; "" for a rule on the feed."""
        return ""


class SymbolRule(RuleBase):
    """A rule on the levels of one underlying, or of each."""

    symbol: Symbol = EVERY

    @property
    def watched(self) -> str:
        return self.symbol


class Crossing(SymbolRule):
    """Spot comes to stand on the other side of a level.

    It counts once spot is `margin_percent` of itself beyond the level, so that noise around it is no crossing.
    """

    kind: Literal["crossing"] = "crossing"
    level: CrossedLevel
    direction: Literal["either", "up", "down"] = "either"
    margin_percent: float = Field(0.05, ge=0, le=5, description="How far beyond the level, percent of spot")


class RegimeChange(SymbolRule):
    """Dealers' gamma changes sign; counted once net exposure is `margin_percent` of gross beyond zero."""

    kind: Literal["regime"] = "regime"
    margin_percent: float = Field(1.0, ge=0, le=50, description="How far beyond zero, percent of gross GEX")


class Move(SymbolRule):
    """A level moves by more than `by` within `minutes`."""

    model_config = ConfigDict(json_schema_extra=_move_schema)

    kind: Literal["move"] = "move"
    level: MovedLevel
    by: float = Field(gt=0, le=100_000)
    unit: Literal["points", "percent"] = "percent"
    minutes: int = Field(15, ge=1, le=60)

    @model_validator(mode="after")
    def _possible(self) -> Move:
        if self.unit == "percent" and self.by > 100:
            raise ValueError("by: more than 100 percent never comes about")
        return self


class FeedTrouble(RuleBase):
    """The feed is not live for `seconds`; and, once told, that it is live again."""

    kind: Literal["feed"] = "feed"
    seconds: int = Field(30, ge=5, le=3600)


class LoginEnding(RuleBase):
    """The Schwab login, which lasts seven days, ends within `hours`."""

    kind: Literal["login"] = "login"
    hours: int = Field(24, ge=1, le=144)


LevelRule = Crossing | RegimeChange | Move
FeedRule = FeedTrouble | LoginEnding
Rule = Annotated[Crossing | RegimeChange | Move | FeedTrouble | LoginEnding, Field(discriminator="kind")]


class Hook(Model):
    """Where alerts are POSTed. `sealed` is the encrypted signing secret; it is never shown."""

    id: str = Field(pattern=r"^[a-z0-9]{1,16}$")
    url: str = Field(max_length=500)
    enabled: bool = True
    sealed: str = Field(repr=False)


class RuleSet(Model):
    """All rules and webhooks. `revision` grows with every change."""

    revision: int = 0
    rules: list[Rule] = Field(default_factory=list, max_length=MOST_RULES)
    hooks: list[Hook] = Field(default_factory=list, max_length=MOST_HOOKS)

    @model_validator(mode="after")
    def _distinct(self) -> RuleSet:
        ids = [rule.id for rule in self.rules if rule.id]
        if len(set(ids)) != len(ids):
            raise ValueError("two rules have the same id")
        return self

    def named(self) -> RuleSet:
        """The same, every rule with an id."""
        rules = [rule if rule.id else rule.model_copy(update={"id": new_id()}) for rule in self.rules]
        return self.model_copy(update={"rules": rules})


def new_id() -> str:
    """An id for a rule or a webhook."""
    return secrets.token_hex(4)
