"""An alert in words: what happened, with the numbers, in a sentence that needs no page beside it."""

from __future__ import annotations

from app.alerts.evaluate import Firing, Levels
from app.alerts.rules import Crossing, LevelRule, LoginEnding, Move, RegimeChange
from app.models import FeedProblem, FeedState

LEVEL_WORDS = {
    "spot": "spot",
    "flip": "gamma flip",
    "call_wall": "call wall",
    "put_wall": "put wall",
    "max_pain": "max pain",
}
_STATES: dict[FeedState, str] = {
    "starting": "it is starting",
    "signed_out": "it is signed out of Schwab",
    "connecting": "it is connecting",
    "live": "it is live",
    "reconnecting": "it is reconnecting",
    "stopped": "it has stopped",
}
_REGIMES = {
    "long": "long gamma: dealers usually damp moves",
    "short": "short gamma: dealers usually amplify moves",
}
_SCALES = ((1e12, "Tn"), (1e9, "Bn"), (1e6, "M"), (1e3, "K"))


def of_levels(rule: LevelRule, firing: Firing, seen: Levels) -> str:
    """What a level rule has to say."""
    if isinstance(rule, Crossing):
        return _crossing(rule, firing, seen)
    if isinstance(rule, RegimeChange):
        return f"{seen.symbol} turned to {_REGIMES[firing.answer]}. Net GEX {dollars(seen.net_gex)} per 1 % move."
    return _move(rule, firing, seen)


def of_feed(firing: Firing, state: FeedState, problem: FeedProblem | None) -> str:
    """What a rule on the feed's state has to say."""
    if firing.answer == "well":
        return f"The feed is live again, after {span(firing.span_ms)}."
    reason = f"{problem.message} {problem.cure}".strip() if problem else f"Now {_STATES[state]}."
    return f"The feed has not been live for {span(firing.span_ms)}. {reason}"


def of_login(rule: LoginEnding, firing: Firing) -> str:
    """What a rule on the login's life has to say."""
    del rule
    if firing.span_ms <= 0:
        return "The Schwab login has ended. Sign in again at /login."
    return f"The Schwab login ends in {span(firing.span_ms)}. Sign in again at /login before it does, without a gap."


def _crossing(rule: Crossing, firing: Firing, seen: Levels) -> str:
    level = f"{LEVEL_WORDS[rule.level]} {price(firing.after)}"
    if firing.level_crossed:
        moved = f"{LEVEL_WORDS[rule.level]} moved from {price(firing.before)} to {price(firing.after)}"
        return f"{seen.symbol}: the {moved}, so spot {price(seen.spot)} is now {firing.answer} it."
    verb = "rose above" if firing.answer == "above" else "fell below"
    return f"{seen.symbol} {verb} the {level}: spot {price(seen.spot)}."


def _move(rule: Move, firing: Firing, seen: Levels) -> str:
    before, after = firing.before or 0.0, firing.after or 0.0
    percent = 100 * (after - before) / before if before else 0.0
    share = f", {signed(percent)} %" if abs(percent) >= 0.005 else ""
    name = LEVEL_WORDS[rule.level]
    return (
        f"{seen.symbol} {name} moved by {signed(after - before)} points{share} in {span(firing.span_ms)}: "
        f"{price(before)} to {price(after)}."
    )


def price(value: float | None) -> str:
    """4,697.24; a whole number without decimals."""
    if value is None:
        return "–"
    return f"{value:,.2f}".removesuffix(".00")


def signed(value: float) -> str:
    """+24.10, −3.00."""
    return f"{value:+,.2f}".replace("-", "−")


def dollars(value: float | None) -> str:
    """−10.4 Bn, with an explicit sign."""
    if value is None:
        return "–"
    for scale, word in _SCALES:
        if abs(value) >= scale:
            return f"{value / scale:+,.1f} {word}".replace("-", "−")
    return f"{value:+,.0f}".replace("-", "−")


def span(ms: int) -> str:
    """45 s, 12 min, 23 h, 2 d 4 h."""
    s = max(0, ms) / 1000
    if s < 90:
        return f"{s:.0f} s"
    if s < 5400:
        return f"{s / 60:.0f} min"
    hours = int(s / 3600 + 0.5)
    if hours < 48:
        return f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"
