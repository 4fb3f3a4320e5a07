"""redis-py's clients for one server, for the primary that Sentinels name and for a Cluster, with one set of time limits.

No call is ever repeated by a client: a repeated script would apply twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import Connection, ConnectionPool, PythonRespSerializer
from redis.connection import parse_url as _parse_url
from redis.exceptions import ConnectionError as Unreachable
from redis.retry import Retry
from redis.sentinel import Sentinel

from app.redis_address import RedisAddress, parse_redis_url

TIMEOUT_S = 0.25
parse_url: Callable[[str], dict[str, Any]] = _parse_url
_PACKER_CUTOFF = 6000  # redis-py's own: longer values go out without being joined


class Deployment(Protocol):
    """Where the store's commands go. Connects with the first command."""

    @property
    def client(self) -> Any:
        """redis-py's client. Raises redis-py's errors."""

    def measured(self) -> list[dict[str, Any]]:
        """INFO of every server that takes writes. Raises redis-py's errors."""

    def keys(self) -> int:
        """How many keys there are. Raises redis-py's errors."""

    def forget(self) -> None:
        """Look anew for the server that takes writes: the one that was connected refuses them."""

    def close(self) -> None:
        """Close every connection; a later command opens new ones."""


def deployment(url: str) -> Deployment:
    """What REDIS_URL describes. Raises ValueError or TypeError when redis-py can't take it."""
    address = parse_redis_url(url)
    options = parse_url(address.url)
    options.pop("connection_class", Connection)(**options)  # which tells an option that doesn't exist
    return _Cluster(address) if address.kind == "cluster" else _Single(_single(address))


class _Single:
    """One server at a time: a fixed one, or the one that the Sentinels call primary."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def measured(self) -> list[dict[str, Any]]:
        return [self.client.info()]

    def keys(self) -> int:
        return int(self.client.dbsize())

    def forget(self) -> None:
        self.client.connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        self.client.close()
        sentinels = getattr(self.client.connection_pool, "sentinel_manager", None)
        if sentinels is not None:
            sentinels.close()


class _Cluster:
    """redis-py's cluster client, made with the first command: it asks the nodes for their slots when it is made."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._made: Any = None
        self._lock = threading.Lock()

    @property
    def client(self) -> Any:
        made = self._made
        return made if made is not None else self._make()

    def _make(self) -> Any:
        if not self._lock.acquire(timeout=TIMEOUT_S):  # another thread waits for nodes that don't answer
            raise Unreachable("no node of the cluster answers")
        try:
            if self._made is None:
                self._made = RedisCluster(
                    url=self._address.url,
                    startup_nodes=[ClusterNode(*node) for node in self._address.nodes[1:]],  # type: ignore[no-untyped-call]
                    connection_pool_class=_Pool,
                    retry=_no_retry(),
                    **_limits(),
                )
            return self._made
        finally:
            self._lock.release()

    def measured(self) -> list[dict[str, Any]]:
        found = self.client.info(target_nodes=RedisCluster.PRIMARIES)
        return [found] if "redis_version" in found else list(found.values())

    def keys(self) -> int:
        found = self.client.dbsize(target_nodes=RedisCluster.PRIMARIES)
        return sum(found.values()) if isinstance(found, dict) else int(found)

    def forget(self) -> None:
        """Nothing to do: a node that isn't a slot's primary any more names the one that is."""

    def close(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            made.close()


class _Pool(ConnectionPool):
    """Of a cluster's node: the cluster client passes no `command_packer` on."""

    def __init__(self, **options: Any) -> None:
        super().__init__(command_packer=_packer(), **options)


def _single(address: RedisAddress) -> Any:
    shared = {**_limits(), "retry": _no_retry(), "command_packer": _packer()}
    if address.kind != "sentinel":
        return redis.Redis.from_url(address.url, **shared)
    options = parse_url(address.url)
    tls = "connection_class" in options
    user, password = address.sentinel_login
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        address.nodes,
        sentinel_kwargs={
            **{name: value for name, value in options.items() if name.startswith(("ssl", "socket"))},
            **_limits(),
            "retry": _no_retry(),
            "username": user or None,
            "password": password or None,
            "ssl": tls,
        },
    )
    kept = {
        name: value for name, value in options.items() if name not in ("host", "port", "connection_class")
    }
    return sentinels.master_for(address.service, ssl=tls, **{**kept, **shared})  # type: ignore[no-untyped-call]


def _limits() -> dict[str, Any]:
    return {
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "client_name": "gex",
        "protocol": 2,
    }


def _no_retry() -> Retry:
    return Retry(NoBackoff(), 0)


def _packer() -> PythonRespSerializer:
    """hiredis's packer page-faults on values over 1 MB: 5.4 ms for a chain, against 1.0 in Python."""
    return PythonRespSerializer(_PACKER_CUTOFF, _encoded)


def _encoded(value: bytes | str | int | float) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
