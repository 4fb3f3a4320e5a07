"""Which addresses a webhook may have: only hosts that ALERT_WEBHOOK_HOSTS names, and no private network by surprise."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from app.alerts.rules import RulesRefused

LONGEST_URL = 500
_PORTS = {"https": 443, "http": 80}
_PRIVATE_NAMES = (".local", ".lan", ".internal", ".home.arpa", ".localhost")

Resolve = Callable[[str, int], list[str]]


class HostRefused(RulesRefused):
    """A webhook's address that isn't allowed."""


@dataclass(frozen=True, slots=True)
class Target:
    """An allowed address, taken apart.

    Attributes:
        private: whether it may lie in a private network: a literal address, or a name that only exists in one.
    """

    scheme: Literal["https", "http"]
    host: str
    port: int
    path: str
    private: bool

    @property
    def origin(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the setting: `hooks.example.com`, `hooks.example.com:8443`, or `http://127.0.0.1:9000`."""

    scheme: str
    host: str
    port: int


class AllowList:
    """The hosts of ALERT_WEBHOOK_HOSTS. Raises ValueError where the setting can't be read."""

    def __init__(self, setting: str) -> None:
        self.places = [_place(part.strip()) for part in setting.split(",") if part.strip()]

    def target(self, url: str) -> Target:
        """Take an address apart. Raises HostRefused when it isn't an allowed one."""
        parts, port = _split(url)
        host = (parts.hostname or "").rstrip(".").lower()
        if Place(parts.scheme, host, port) not in self.places:
            raise HostRefused(
                f"Webhooks to {_shown(parts)} are not allowed.",
                cure=f"Add it to ALERT_WEBHOOK_HOSTS. Allowed now: {self.words()}.",
            )
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return Target(
            "https" if parts.scheme == "https" else "http", host, port, path, _is_private_name(host)
        )

    def words(self) -> str:
        """The allowed hosts in words."""
        return ", ".join(_named(place) for place in self.places) or "none"


def resolved(target: Target, resolve: Resolve | None = None) -> str:
    """The IP address to connect to. Raises HostRefused for a public name that leads into a private network.

    The connection is made to this very address, so that a name can't lead elsewhere a moment later. Raises OSError when the
    name can't be resolved.
    """
    found = (resolve or _resolve)(target.host, target.port)
    if not found:
        raise OSError("the name has no address")
    if not target.private and not all(ipaddress.ip_address(address).is_global for address in found):
        raise HostRefused(
            f"{target.host} leads into a private network.",
            cure="Name its address itself in ALERT_WEBHOOK_HOSTS, if that is meant.",
        )
    return found[0]


def _resolve(host: str, port: int) -> list[str]:
    known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]).partition("%")[0] for *_, address in known]


def _split(url: str) -> tuple[SplitResult, int]:
    cure = "Give one as https://hooks.example.com/path."
    if len(url) > LONGEST_URL or not url.isprintable() or any(c in url for c in ' \\"<>'):
        raise HostRefused("This is not a webhook's address.", cure=cure)
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise HostRefused("This is not a webhook's address.", cure=cure) from error
    if not port or not parts.hostname:
        raise HostRefused("This is not a webhook's address.", cure=cure)
    if parts.username is not None or parts.fragment:
        raise HostRefused("A webhook's address has neither a user name nor a fragment.", cure=cure)
    return parts, port


def _place(text: str) -> Place:
    address = text if "://" in text else f"https://{text}"
    parts = urlsplit(address)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{text[:60]!r} is no host such as hooks.example.com or http://127.0.0.1:9000")
    return Place(parts.scheme, parts.hostname.rstrip(".").lower(), parts.port or _PORTS[parts.scheme])


def _is_private_name(host: str) -> bool:
    """Whether naming this host means a private network already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_NAMES)
    return True


def _named(place: Place) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    text = host if place.port == _PORTS[place.scheme] else f"{host}:{place.port}"
    return text if place.scheme == "https" else f"http://{text}"


def _shown(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}"[:80]
