"""REDIS_URL taken apart: one server, the primary that Sentinels name, or a Cluster. Knows no Redis client.

    redis://[USER:PASSWORD@]HOST:PORT/0           one server; rediss:// with TLS, unix:///PATH for a socket
    redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT,HOST:PORT/SERVICE[?db=0]
    redis+cluster://[USER:PASSWORD@]HOST:PORT,HOST:PORT,HOST:PORT
    memory://                                     no Redis

rediss+sentinel:// and rediss+cluster:// speak TLS. Sentinels that want a login of their own get it from the options
`sentinel_username` and `sentinel_password`. All other options are redis-py's (`ssl_ca_certs=/PATH`, `ssl_cert_reqs=none`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

Kind = Literal["memory", "server", "sentinel", "cluster"]

_SERVERS = ("redis", "rediss", "unix")
_KINDS: dict[str, Kind] = {
    "memory": "memory",
    **dict.fromkeys(_SERVERS, "server"),
    **dict.fromkeys(("redis+sentinel", "rediss+sentinel"), "sentinel"),
    **dict.fromkeys(("redis+cluster", "rediss+cluster"), "cluster"),
}
_PORTS = {"sentinel": 26379, "cluster": 6379}
_PASSWORD_OPTIONS = ("password", "sentinel_password", "ssl_password")


@dataclass(frozen=True, repr=False)
class RedisAddress:
    """Where Redis is.

    Attributes:
        kind: how its servers are found.
        url: for one server and for a cluster's first node, the address as redis-py takes it; for Sentinels, what a
            connection to the primary needs, in the same form, with the first Sentinel's host in place of the primary's.
        nodes: host and port of every Sentinel or of every cluster node that was named; empty for one server.
        service: the name that the Sentinels give the primary.
        sentinel_login: user and password for the Sentinels; empty where they want none.
        passwords: everything in it that must not be logged, as written and as sent.
    """

    kind: Kind
    url: str
    nodes: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_login: tuple[str, str] = ("", "")
    passwords: tuple[str, ...] = ()


def parse_redis_url(url: str) -> RedisAddress:
    """Raises ValueError, which never quotes the address: it may hold a password."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        kind = _KINDS.get(parts.scheme)
        if kind is None:
            raise ValueError(
                "not an address of a Redis; use redis://HOST:PORT/0, rediss://, unix:///PATH, "
                "redis+sentinel://HOST:PORT,HOST:PORT/SERVICE, redis+cluster://HOST:PORT,HOST:PORT or memory://"
            )
        passwords = _passwords(parts, options)
    except UnicodeError:
        raise ValueError("not an address of a Redis") from None
    if kind in ("memory", "server"):
        return RedisAddress(kind, url, passwords=passwords)
    nodes = _nodes(parts, _PORTS[kind])
    if kind == "cluster":
        _no_database(parts, options)
        return RedisAddress(kind, _plain_url(parts, nodes[0], options), nodes, passwords=passwords)
    login = options.pop("sentinel_username", ""), options.pop("sentinel_password", "")
    return RedisAddress(
        kind,
        _plain_url(parts, nodes[0], options),
        nodes,
        _service(parts, options),
        login,
        passwords,
    )


def _passwords(parts: SplitResult, options: dict[str, str]) -> tuple[str, ...]:
    written = parts.password or ""
    found = [written, unquote(written), *(options.get(name, "") for name in _PASSWORD_OPTIONS)]
    return tuple(dict.fromkeys(password for password in found if password))


def _nodes(parts: SplitResult, default_port: int) -> tuple[tuple[str, int], ...]:
    hosts = parts.netloc.rpartition("@")[2].split(",")
    return tuple(_node(host.strip(), default_port) for host in hosts)


def _node(text: str, default_port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise ValueError("wants HOST:PORT,HOST:PORT,..., ports from 1 to 65535")
    return host, port or default_port


def _plain_url(parts: SplitResult, node: tuple[str, int], options: dict[str, str]) -> str:
    """The address of one server as redis-py takes it, with this one's login and options."""
    scheme = parts.scheme.partition("+")[0]
    login, at, _ = parts.netloc.rpartition("@")
    host = f"[{node[0]}]" if ":" in node[0] else node[0]
    query = f"?{urlencode(options)}" if options else ""
    return f"{scheme}://{login}{at}{host}:{node[1]}{query}"


def _service(parts: SplitResult, options: dict[str, str]) -> str:
    service = unquote(parts.path.strip("/"))
    if not service or "/" in service:
        raise ValueError(
            "wants the name of the primary that the Sentinels watch: redis+sentinel://HOST:PORT/SERVICE"
        )
    if not options.get("db", "0").isdigit():
        raise ValueError("db must be a number")
    return service


def _no_database(parts: SplitResult, options: dict[str, str]) -> None:
    if parts.path.strip("/") not in ("", "0") or options.get("db", "0") != "0":
        raise ValueError("a Redis Cluster has database 0 only")
