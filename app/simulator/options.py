"""Everything that can be chosen when the simulator starts, the open questions about Schwab's wire included."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from app.errors import SettingsError
from app.market.chain import Chain
from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL

Hours = Literal["always", "market"]
Displaced = Literal["1000", "1001", "1006", "notify"]

MAX_CALLBACK = 255


@dataclass(frozen=True, slots=True)
class OpenQuestions:
    """Where nothing public says what Schwab does: what this simulator does, unless told otherwise.

    Attributes:
        heartbeat_s: seconds without a frame after which a heartbeat is sent.
        retry_after_s: the Retry-After header of a 429; 0 sends none.
        readd_image: whether ADD of a key that is subscribed already sends its whole image again.
        add_fields: whether the fields of an ADD hold for all keys of the service from then on, as VIEW's do, or for the
            keys of that ADD alone.
        frame_items: contents in one data frame at most, so that a large first image is split; 0 never splits.
        equities_limit: keys of LEVELONE_EQUITIES at most.
        stream_outlives_token: whether a stream goes on when the access token it logged in with expires.
        pkce: whether a code_challenge is ignored, or checked at the token endpoint.
        displaced: how a second login ends the first connection: a close code, 1006 for an abrupt end without a close
            frame, or "notify" for code 12 and then 1000.
        overnight: whether index options quote between the sessions of a simulated market day.
    """

    heartbeat_s: float = 10.0
    retry_after_s: int = 0
    readd_image: bool = False
    add_fields: Literal["service", "key"] = "service"
    frame_items: int = 500
    equities_limit: int = 3000
    stream_outlives_token: bool = True
    pkce: Literal["ignore", "check"] = "ignore"
    displaced: Displaced = "1006"
    overnight: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What `python -m app simulate` was asked for. Times in seconds.

    Raises SettingsError when the credentials or callback addresses are none that Schwab would register.
    """

    port: int = 0
    host: str = "127.0.0.1"
    symbols: tuple[str, ...] = ("SPX", "SPY")
    chain: Chain | None = None
    seed: int = 1
    app_key: str = APP_KEY
    app_secret: str = APP_SECRET
    callback_urls: tuple[str, ...] = (CALLBACK_URL,)
    tick_s: float = 1.0
    greeks_s: float = 15.0
    hours: Hours = "always"
    start: datetime | None = None
    rate_limit: int = 120
    body_limit: int = 10_000_000
    symbol_limit: int = 3000
    frame_limit: int = 65_535
    idle_s: float = 27.0
    code_life_s: float = 30.0
    access_life_s: int = 1800
    refresh_life_s: int = 7 * 86_400
    open: OpenQuestions = field(default_factory=OpenQuestions)

    def __post_init__(self) -> None:
        for url in self.callback_urls:
            check_callback(url)
        if not self.app_key or not self.app_secret or ":" in self.app_key:
            raise SettingsError("the simulator needs an app key (without a colon) and an app secret")
        if not 0 <= self.port <= 65_535:
            raise SettingsError(f"--port: {self.port} is no port")
        self._check_numbers()

    def _check_numbers(self) -> None:
        above_0 = (
            "tick_s",
            "greeks_s",
            "body_limit",
            "symbol_limit",
            "idle_s",
            "code_life_s",
            "access_life_s",
        )
        for name in (*above_0, "refresh_life_s", "rate_limit"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0 or (value == 0 and name != "rate_limit"):
                raise SettingsError(f"--{name.removesuffix('_s').replace('_', '-')}: {value} is out of range")
        for name in ("heartbeat_s", "retry_after_s", "frame_items", "equities_limit"):
            if not 0 <= getattr(self.open, name) < math.inf:
                raise SettingsError(f"--{name.removesuffix('_s').replace('_', '-')}: out of range")


def check_callback(url: str) -> None:
    """Raise SettingsError unless this callback address could be registered.

    Schwab takes https only, not the name localhost, 255 characters at most. The simulator also takes http on loopback.
    """
    parts = urlsplit(url)
    if len(url) > MAX_CALLBACK:
        raise SettingsError(f"callback address longer than {MAX_CALLBACK} characters")
    if parts.hostname == "localhost":
        raise SettingsError(
            f"callback address {url!r}: Schwab refuses the name localhost", cure="Write 127.0.0.1."
        )
    secure = parts.scheme == "https" and bool(parts.hostname)
    if not secure and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise SettingsError(
            f"callback address {url!r} is not https", cure="The simulator takes http only on 127.0.0.1."
        )


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
