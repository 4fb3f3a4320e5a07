"""A TCP proxy that can cut, stall and drop: for what a server itself can't be told to do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator


class Proxy:
    """Passes everything on to `connect()`'s peer until told otherwise.

    Attributes:
        drop_after: end a connection once so many pieces came from the server; 0 drops it as soon as it is accepted.
        flowing: cleared, nothing passes in either direction, and no connection ends: half open.
        accepted: connections so far.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.drop_after: int | None = None
        self.flowing = threading.Event()
        self.flowing.set()
        self.accepted = 0
        self._open: set[socket.socket] = set()

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        """Listen while the block runs."""
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            yield self
        finally:
            self._listener.close()
            self.flowing.set()
            self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for end in list(self._open):
            reset(end)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # closed: the end
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                if self.drop_after == 0:
                    reset(client)
                    continue
                with contextlib.suppress(OSError):
                    self._join(client, self._connect())

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        self._open |= {client, server}
        for source, sink, counted in ((client, server, False), (server, client, True)):
            threading.Thread(target=self._pump, args=(source, sink, counted), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        pieces = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self.flowing.wait()
                pieces += counted
                if counted and self.drop_after is not None and pieces > self.drop_after:
                    break
                sink.sendall(data)
        for end in (source, sink):
            self._open.discard(end)
            reset(end)


def reset(end: socket.socket) -> None:
    """End a connection at once, with a reset."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
        end.close()
