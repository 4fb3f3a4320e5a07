"""Several Redis servers on loopback: a primary under Sentinels, or a cluster. Ended by their own process ids."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import redis

from app.cache.embedded import server_binary
from app.processes import end, spawn
from tests.support import eventually, free_port


@dataclass
class Servers:
    """Redis processes by port."""

    folder: Path
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, port: int, *options: str) -> None:
        """One server that keeps nothing on disk."""
        common = f"--port {port} --bind 127.0.0.1 --dir {self.folder} --save --appendonly no".split()
        common.insert(common.index("--save") + 1, "")
        self._spawn(port, *common, *options)

    def start_sentinel(self, port: int, lines: list[str]) -> None:
        """One Sentinel with these lines in its file."""
        file = self.folder / f"sentinel-{port}.conf"
        head = [f"port {port}", "bind 127.0.0.1", f"dir {self.folder}"]
        file.write_text("\n".join([*head, *lines, ""]))
        self._spawn(port, str(file), "--sentinel")

    def _spawn(self, port: int, *arguments: str) -> None:
        self.processes[port] = spawn([server_binary(), *arguments], output=subprocess.DEVNULL)

    def raw(self, port: int) -> redis.Redis:
        return redis.Redis(port=port, socket_timeout=2, decode_responses=True)

    def signal(self, port: int, signum: int) -> None:
        os.kill(self.processes[port].pid, signum)

    def kill(self, port: int) -> None:
        self.signal(port, signal.SIGKILL)
        self.processes[port].wait()

    def await_all(self) -> None:
        for port in self.processes:
            eventually(lambda port=port: self.raw(port).ping(), 20, f"the server at {port} answers")


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Nothing started yet."""
    made = Servers(folder)
    try:
        yield made
    finally:
        for process in made.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            end(process)


def _ports(n: int) -> list[int]:
    """Free ports whose cluster buses, 10,000 above, are below the kernel's limit."""
    found: list[int] = []
    while len(found) < n:
        port = free_port()
        found += [port] if port < 55_000 and port not in found else []
    return found


@dataclass
class Watched:
    """Two servers and the three Sentinels that watch them."""

    servers: Servers
    primary: int
    replica: int
    sentinels: list[int]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://{hosts}/gex?db=0"


def start_watched(made: Servers) -> Watched:
    """A primary, its replica and three Sentinels that know each other from the start."""
    primary, replica, *sentinels = _ports(5)
    made.start(primary, "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
    made.start(replica, "--replicaof", "127.0.0.1", str(primary), "--repl-diskless-sync", "yes")
    names = {port: f"{port:040x}" for port in sentinels}
    for port in sentinels:
        others = [
            f"sentinel known-sentinel gex 127.0.0.1 {peer} {names[peer]}"
            for peer in sentinels
            if peer != port
        ]
        made.start_sentinel(
            port,
            [
                f"sentinel myid {names[port]}",
                f"sentinel monitor gex 127.0.0.1 {primary} 2",
                "sentinel down-after-milliseconds gex 700",
                "sentinel failover-timeout gex 4000",
                f"sentinel known-replica gex 127.0.0.1 {replica}",
                *others,
            ],
        )
    made.await_all()
    eventually(
        lambda: made.raw(replica).info("replication")["master_link_status"] == "up", 20, "it replicates"
    )
    return Watched(made, primary, replica, sentinels)


@dataclass
class Cluster:
    """Three primaries, and a replica of the first."""

    servers: Servers
    primaries: list[int]
    replica: int

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.primaries)


def start_cluster(made: Servers, key: str) -> Cluster:
    """A cluster whose first primary holds the slot of `key`."""
    ports = _ports(4)
    for port in ports:
        made.start(
            port, "--cluster-enabled", "yes", "--cluster-config-file", f"nodes-{port}.conf",
            "--cluster-node-timeout", "700", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0",
        )  # fmt: skip
    made.await_all()
    primaries, replica = ports[:3], ports[3]
    slot = int(made.raw(ports[0]).execute_command("CLUSTER KEYSLOT", key))
    bounds = sorted((slot // 5461 + n) % 3 for n in range(3))
    for n, port in enumerate(primaries):
        part = (slot // 5461 + n) % 3
        slots = range(part * 5461, 16_384 if part == bounds[-1] else (part + 1) * 5461)
        made.raw(port).execute_command("CLUSTER ADDSLOTS", *slots)
        made.raw(port).execute_command("CLUSTER SET-CONFIG-EPOCH", n + 1)
    for port in ports[1:]:
        made.raw(ports[0]).execute_command("CLUSTER MEET", "127.0.0.1", port)
    first = made.raw(ports[0]).execute_command("CLUSTER MYID")
    eventually(lambda: f"{first}" in str(made.raw(replica).execute_command("CLUSTER NODES")), 20, "they met")
    eventually(
        lambda: made.raw(replica).execute_command("CLUSTER REPLICATE", first), 20, "it becomes a replica"
    )
    for port in ports:
        eventually(lambda port=port: "cluster_state:ok" in _state(made, port), 20, "the cluster is whole")
    eventually(
        lambda: made.raw(replica).info("replication")["master_link_status"] == "up", 20, "it replicates"
    )
    return Cluster(made, primaries, replica)


def _state(made: Servers, port: int) -> str:
    answer = made.raw(port).execute_command("CLUSTER INFO")
    return answer if isinstance(answer, str) else "\n".join(f"{k}:{v}" for k, v in answer.items())
