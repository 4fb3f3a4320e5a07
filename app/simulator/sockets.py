"""Faults of the network itself, done to the TCP connection below aiohttp."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

from aiohttp import web


def reset(request: web.Request) -> None:
    """End the connection with a reset: no close frame, no orderly end."""
    transport = request.transport
    if transport is None:
        return
    raw: Any = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def drop(request: web.Request) -> None:
    """End the connection at once, without a close frame, whatever was still to be sent."""
    if request.transport is not None:
        request.transport.abort()


def freeze(request: web.Request) -> None:
    """Read nothing any more: the connection stays open and nobody is there."""
    transport: Any = request.transport
    if transport is not None and not transport.is_closing():
        transport.pause_reading()


def thaw(request: web.Request) -> None:
    """Read again."""
    transport: Any = request.transport
    if transport is not None and not transport.is_closing():
        transport.resume_reading()
