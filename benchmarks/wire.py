"""A streamer that only sends: frames over a WebSocket at a given rate, from a process of its own.

    python -m benchmarks.wire CONTENTS FIELDS RATE SECONDS

Prints its port; serves one connection; RATE 0 sends as fast as the other side reads. Every frame's `timestamp` is the
machine's monotonic clock in microseconds, as it was just before it went out.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import orjson

from app.processes import end, spawn
from app.schwab.rest import StreamerInfo
from benchmarks.chain import STREAMED_KEYS, contents

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEAD = b'{"data":[{"service":"LEVELONE_OPTIONS","timestamp":'
_POOL = 100


@contextlib.contextmanager
def sending(count: int, fields: int, rate: int, seconds: float) -> Iterator[StreamerInfo]:
    """Where a sender of this kind listens."""
    command = [sys.executable, "-m", "benchmarks.wire", *map(str, (count, fields, rate, seconds))]
    child = spawn(command, output=subprocess.PIPE)
    try:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        yield StreamerInfo(f"ws://127.0.0.1:{port}/ws", "", "", "", "")
    finally:
        end(child)


def monotonic_us() -> int:
    """The clock that all processes of the machine share."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def main() -> None:
    count, fields, rate, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    dice = random.Random(2)
    pool = [
        b',"command":"SUBS","content":'
        + orjson.dumps(contents(dice.sample(STREAMED_KEYS, count), fields, dice))
        + b"}]}"
        for _ in range(_POOL)
    ]
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        peer, _ = server.accept()
        with peer, contextlib.suppress(OSError):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            shake_hands(peer)
            _send(peer, pool, count / rate if rate else 0.0, seconds)


def _send(peer: socket.socket, pool: list[bytes], pause_s: float, seconds: float) -> None:
    began = due = time.monotonic()
    sent = 0
    while time.monotonic() - began < seconds:
        due += pause_s
        time.sleep(max(0.0, due - time.monotonic()))
        peer.sendall(text_frame(_HEAD + str(monotonic_us()).encode() + pool[sent % len(pool)]))
        sent += 1


def text_frame(body: bytes) -> bytes:
    """A text frame of a server."""
    if len(body) < 126:
        return bytes((0x81, len(body))) + body
    length = len(body).to_bytes(2, "big") if len(body) < 65_536 else len(body).to_bytes(8, "big")
    return b"\x81" + (b"\x7e" if len(length) == 2 else b"\x7f") + length + body


def shake_hands(peer: socket.socket) -> None:
    """Accept a WebSocket client that has connected."""
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += peer.recv(4096)
    lines = dict(line.split(": ", 1) for line in asked.decode().split("\r\n") if ": " in line)
    accept = base64.b64encode(hashlib.sha1((lines["Sec-WebSocket-Key"] + _GUID).encode()).digest())  # noqa: S324
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )


if __name__ == "__main__":
    main()
