"""Every setting, once: its name, its default and what it means. docs/settings.md is checked against this table."""

from __future__ import annotations

import ipaddress
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.alerts.hosts import AllowList
from app.errors import SettingsError, SymbolError
from app.market.symbols import canonical
from app.redis_address import parse_redis_url

SCHWAB_API = "https://api.schwabapi.com"


class Settings(BaseSettings):
    """Read from the environment, then from `.env` in the working directory."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    host: str = Field("127.0.0.1", description="Address the web server listens on.")
    port: int = Field(8050, ge=1, le=65535, description="Port the web server listens on.")
    public_url: str = Field(
        "",
        description="The address browsers use, e.g. https://gex.example.com; empty on one's own machine.",
    )
    symbols: str = Field("SPX,SPY", description="Underlyings to follow, separated by commas.")
    max_symbols: int = Field(
        20, ge=1, le=200, description="Underlyings at most, those followed while running included."
    )
    access: Literal["", "public", "private"] = Field(
        "",
        description="Who may look: public (anyone who reaches the port) or private (only who signed in). "
        "Unset: public on loopback, private otherwise.",
    )
    trusted_proxies: int = Field(
        0, ge=0, le=8, description="How many reverse proxies stand in front and set X-Forwarded-*."
    )
    trusted_hosts: str = Field(
        "",
        description="Host names that requests may carry besides PUBLIC_URL's and loopback's, separated by commas. "
        "Unset: on loopback no others; beyond it, any while PUBLIC_URL is unset too.",
    )
    owner_allowlist: str = Field(
        "",
        description="Identities (shown by the sign-in page when it refuses one) that may sign in, separated by commas. "
        "Unset: the first account that signs in owns the dashboard.",
    )
    data_dir: Path = Field(
        Path(".data"), description="Folder for what outlives a restart: keys, certificate, tokens."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much to log.")
    log_format: Literal["text", "json"] = Field("text", description="Log lines for people or for machines.")
    workers: int = Field(0, ge=0, le=64, description="Web workers; 0 means one per core, four at most.")
    threads: int = Field(4, ge=1, le=64, description="Request threads in each worker.")
    stream_clients: int = Field(
        100, ge=0, le=5000, description="Open event streams of levels in each worker at most."
    )

    redis_url: str = Field(
        "",
        description="redis://, rediss:// or unix:// address; redis+sentinel://HOST:PORT,HOST:PORT/SERVICE and "
        "redis+cluster://HOST:PORT,HOST:PORT for several servers (rediss+... with TLS). "
        "Unset: a Redis of our own is started. memory:// keeps everything in one process.",
    )

    schwab_app_key: SecretStr = Field(
        SecretStr(""),
        description="App key from the Schwab developer portal. Unset: the simulator is used.",
    )
    schwab_app_secret: SecretStr = Field(SecretStr(""), description="App secret that belongs to the key.")
    schwab_callback_url: str = Field(
        "https://127.0.0.1:8182",
        description="Callback address, exactly as registered with Schwab (every byte counts).",
    )
    schwab_pkce: bool = Field(True, description="Send a PKCE challenge (S256) with the login as well.")
    schwab_api_url: str = Field(SCHWAB_API, description="Where Schwab's API is; the simulator sets its own.")
    token_key: SecretStr = Field(
        SecretStr(""),
        description="Key(s) that encrypt stored tokens, newest first, separated by commas (Fernet). "
        "Unset: a key file is made in DATA_DIR.",
    )

    feed_mode: Literal["thread", "process", "off"] = Field(
        "thread",
        description="Where the feed runs: a thread of one web worker, a process of its own, or off "
        "(somebody else publishes to the same Redis).",
    )
    stream_keys: int = Field(
        3000,
        ge=1,
        le=100_000,
        description="Option contracts to stream at most (Schwab's limit is about 3,000).",
    )
    rest_per_minute: int = Field(
        100,
        ge=1,
        le=120,
        description="REST requests a minute at most (Schwab's limit is about 120).",
    )
    publish_interval_s: float = Field(
        0.25, ge=0.05, le=10, description="Seconds between publications of a chain that changed."
    )
    sweep_interval_s: float = Field(
        60.0,
        ge=5,
        le=3600,
        description="Seconds between full REST refreshes of each chain, at best.",
    )
    rate: float | None = Field(
        None,
        ge=-0.05,
        le=0.5,
        description="Interest rate (fraction a year) where a chain has none; unset: from parity.",
    )

    alert_webhook_hosts: str = Field(
        "",
        description="Hosts that alerts may be POSTed to, separated by commas: hooks.example.com (https), with a port, or "
        "http://127.0.0.1:9000. Unset: no webhooks.",
    )

    history: bool = Field(
        True, description="Record each chain's levels, minute by minute, into DATA_DIR/history."
    )
    history_interval_s: int = Field(
        60,
        ge=5,
        le=3600,
        description="Seconds between recorded rows; crossings of flip and walls come on top.",
    )
    history_days: int = Field(
        400, ge=0, description="Days that recorded rows are kept; 0 keeps them for ever."
    )
    history_max_mb: int = Field(
        10_000,
        ge=0,
        description="Megabytes that the history may take; beyond it the oldest days are deleted. 0 sets no limit.",
    )
    history_min_free_mb: int = Field(
        200, ge=0, description="Megabytes that stay free on the disk: below, recording waits and says so."
    )

    tape: bool = Field(
        False, description="Keep everything that Schwab sends in DATA_DIR/tape, for `python -m app replay`."
    )
    tape_days: int = Field(5, ge=0, description="Days that tapes are kept; 0 keeps them for ever.")

    replay_tape: str = Field(
        "", description="The tape that stands in for Schwab; `python -m app replay` sets it."
    )
    replay_speed: float = Field(1.0, gt=0, description="How fast it plays; likewise.")
    replay_start_ms: int = Field(
        0, ge=0, description="The tape's time that it begins at, ms since 1970; likewise."
    )
    replay_began_ms: int = Field(0, ge=0, description="When it begins, ms since 1970; likewise.")

    force_demo: bool = Field(
        False,
        description="Use the simulator whatever the credentials; `python -m app demo` sets it.",
    )
    demo_chain: str = Field(
        "", description="Chain file that the simulator starts from instead of its own surface."
    )
    demo_seed: int = Field(1, description="Seed of the simulator's market.")

    @field_validator("symbols")
    @classmethod
    def _symbols(cls, value: str) -> str:
        names = [canonical(part) for part in value.split(",") if part.strip()]
        if not names:
            raise ValueError("name at least one symbol")
        return ",".join(dict.fromkeys(names))

    @field_validator("alert_webhook_hosts")
    @classmethod
    def _alert_webhook_hosts(cls, value: str) -> str:
        AllowList(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str) -> str:
        address = value.strip().rstrip("/")
        parts = urlsplit(address)
        if address and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("not an address such as https://gex.example.com")
        return address

    @model_validator(mode="after")
    def _few_enough(self) -> Settings:
        if len(self.symbol_list) > self.max_symbols:
            raise ValueError(
                f"SYMBOLS names {len(self.symbol_list)} underlyings, and MAX_SYMBOLS is {self.max_symbols}"
            )
        return self

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: str) -> str:
        address = value.strip()
        if address:
            parse_redis_url(address)
        return address

    @property
    def symbol_list(self) -> list[str]:
        """The followed underlyings, canonical, in order."""
        return self.symbols.split(",")

    @property
    def demo(self) -> bool:
        """Whether the simulator stands in: there are no Schwab credentials, or FORCE_DEMO says so."""
        return self.force_demo or not (
            self.schwab_app_key.get_secret_value() and self.schwab_app_secret.get_secret_value()
        )

    @property
    def simulated(self) -> bool:
        """Whether the feed that runs here reads a made-up market: the demo, or another API address than Schwab's."""
        return (self.demo and self.feed_mode != "off") or self.schwab_api_url.rstrip("/") != SCHWAB_API

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def home(self) -> str:
        """The address that a browser opens: PUBLIC_URL, else this machine's own. No slash at the end."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host  # noqa: S104
        return self.public_url or f"http://{bracketed(host)}:{self.port}"

    @property
    def is_public(self) -> bool:
        """Whether pages need no sign-in."""
        if self.access:
            return self.access == "public"
        published = self.public_url and not is_loopback(urlsplit(self.public_url).hostname or "")
        return self.on_loopback and not self.trusted_proxies and not published

    def secrets(self) -> list[str]:
        """Every secret value, for the log's redactor."""
        values = (self.schwab_app_key, self.schwab_app_secret, self.token_key)
        known = [value.get_secret_value() for value in values]
        redis = parse_redis_url(self.redis_url).passwords if self.redis_url else ()
        return [value for value in [*known, *redis] if value]


def bracketed(host: str) -> str:
    """A host as it stands before `:PORT`, an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def get_settings() -> Settings:
    """The process's settings. Raises SettingsError, one line, naming the variable."""
    return load_settings()


def load_settings(**overrides: object) -> Settings:
    """Settings read afresh, with some given by name. Raises SettingsError."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except SymbolError as error:
        raise SettingsError(f"SYMBOLS: {error}", cure=error.cure) from error
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from error
    except (OSError, UnicodeError) as error:
        raise SettingsError(
            ".env can't be read as text", cure="Write it in UTF-8, one NAME=value a line, readable for you."
        ) from error


def misspelt(path: str = ".env") -> dict[str, str]:
    """Names in the file that are no setting but look like one, with the setting that they look like."""
    known = [name.upper() for name in Settings.model_fields]
    given = {name.upper() for name in dotenv_values(path, encoding="utf-8")}
    likely = {name: get_close_matches(name, known, 1, 0.85) for name in sorted(given.difference(known))}
    return {name: found[0] for name, found in likely.items() if found}


def _one_line(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in problem["loc"]).upper() or "settings"
        parts.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(parts)
