"""Where a request comes from: cookies that fit its scheme, trusted host names, and the check against cross-site requests."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Request, Response

from app.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def is_secure(request: Request, settings: Settings) -> bool:
    """Whether the browser's own connection is encrypted, here or at the proxy that PUBLIC_URL names."""
    public = urlsplit(settings.public_url)
    # the header as it came: `request.host` raises for a host that isn't trusted, also while its refusal is sent
    return request.is_secure or (public.scheme == "https" and request.headers.get("Host") == public.netloc)


def own_origin(request: Request, settings: Settings) -> str:
    """Scheme and host under which this browser reaches the server, without a slash at the end."""
    scheme = "https" if is_secure(request, settings) else request.scheme
    return f"{scheme}://{request.host}"


def is_cross_site(request: Request, own: str) -> bool:
    """Whether a state-changing request was made by another site's page.

    Browsers say so in Sec-Fetch-Site (the address bar is "none"); over plain http to another machine they leave it out,
    and Origin decides. Programs send neither, and carry no cookie that another site could abuse.
    """
    if request.method in SAFE_METHODS:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and origin != own


def trusted_hosts(settings: Settings) -> list[str] | None:
    """Host names that requests may carry; None when any may.

    On loopback the names of loopback alone, so that a page elsewhere can't reach the dashboard through a DNS name of its
    own. TRUSTED_HOSTS and PUBLIC_URL add theirs. Beyond loopback, or behind a proxy, without either of them, any.
    """
    named = [part.strip() for part in settings.trusted_hosts.split(",") if part.strip()]
    public = urlsplit(settings.public_url).hostname
    named += [public] if public else []
    if not named and (not settings.on_loopback or settings.trusted_proxies):
        return None
    own = settings.host if ":" not in settings.host else f"[{settings.host}]"
    return [name.lower() for name in (*_LOOPBACK_NAMES, own, *named)]


def is_trusted(host: str, names: list[str] | None) -> bool:
    """Whether a request's host (name:port) is one of these names; a name that begins with a dot stands for all below it.

    Flask's own check takes the first colon for the port's, and so refuses every IPv6 address.
    """
    if names is None:
        return True
    name = re.sub(r":[0-9]*$", "", host.lower())
    return any(name.endswith(known) if known.startswith(".") else name == known for known in names)


def is_ours(origin: str, settings: Settings) -> bool:
    """Whether a browser may be sent to this origin: a trusted name, or where any is, an address of a private network."""
    host = urlsplit(origin).hostname or ""
    names = trusted_hosts(settings)
    if names is not None:
        return host in (name.strip("[]") for name in names)
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


class Cookie:
    """One cookie of ours: HttpOnly, SameSite=Lax, and over https Secure with the __Host- prefix."""

    def __init__(self, name: str, secure: Callable[[], bool]) -> None:
        self._name = name
        self._secure = secure

    @property
    def name(self) -> str:
        return f"__Host-{self._name}" if self._secure() else self._name

    def read(self, request: Request) -> str:
        """Its value, "" when the browser sent none."""
        return request.cookies.get(self.name, "")

    def write(self, response: Response, value: str, max_age_s: int) -> None:
        response.set_cookie(
            self.name,
            value,
            max_age=max_age_s,
            path="/",
            secure=self._secure(),
            httponly=True,
            samesite="Lax",
        )

    def clear(self, response: Response) -> None:
        response.delete_cookie(self.name, path="/", secure=self._secure(), httponly=True, samesite="Lax")
