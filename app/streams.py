"""Server-sent events to many clients from one thread of a worker: no request thread waits for a client.

gunicorn's gthread holds one of its few threads for as long as an answer lasts. So the connection itself is taken over
(`take_over`), and the request is over as soon as its headers are out; one thread writes to all of them.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import orjson

log = logging.getLogger(__name__)

TICK_S = 0.2
HEARTBEAT_S = 10.0
CHECK_S = 3.0
STALLED_S = 20.0
_GOODBYE_S = 1.0
RETRY_MS = 3000
HEARTBEAT = b": heartbeat\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """One message, ready to send. The same key means the same news: it is sent once."""

    key: str
    data: bytes


class Source(Protocol):
    """Where the events come from. Called by the streams' thread only; must not raise."""

    def mark(self, topic: Hashable) -> Hashable:
        """Something that changes when the topic has news, cheap to find out."""

    def event(self, topic: Hashable) -> Event:
        """The newest event of a topic."""


@dataclass(eq=False)
class Client:
    """One open stream.

    Attributes:
        topic: what it is about.
        ended: why it must end now ("revoked", ...), "" while it may go on.
        key: of the event that it has.
        left: events until it ends by itself; None for no end.
    """

    socket: socket.socket
    topic: Hashable
    ended: Callable[[], str]
    key: str = ""
    left: int | None = None
    head: bytes = b""
    out: bytearray = field(default_factory=bytearray)
    wrote_at: float = 0.0
    checked_at: float = 0.0


class Streams:
    """All open streams of one process. The thread starts with the first of them."""

    def __init__(self, source: Source, capacity: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._coming: list[Client] = []
        self._clients: set[Client] = set()
        self._news: dict[Hashable, tuple[Hashable, Event]] = {}
        self._selector: selectors.BaseSelector | None = None
        self._wake: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self.observe: Callable[[int], None] = _ignore

    @property
    def full(self) -> bool:
        """Whether there is no room for another one."""
        return self._closing.is_set() or len(self) >= self._capacity

    def __len__(self) -> int:
        with self._lock:
            return len(self._clients) + len(self._coming)

    def add(self, client: Client) -> None:
        """Serve this client from now on; its socket belongs to the streams."""
        client.socket.setblocking(False)
        client.wrote_at = client.checked_at = self._clock()
        client.out += client.head + f"retry: {RETRY_MS}\n\n".encode()
        with self._lock:
            self._coming.append(client)
            if self._thread is None:
                self._begin()
            wake = self._wake
        if wake is not None:
            with suppress(OSError):
                wake.send(b"!")

    def close(self) -> None:
        """Tell every client that this is the end, and end; within a second."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_GOODBYE_S)
        if self._wake is not None:
            self._wake.close()

    # --- the thread -------------------------------------------------------------------------------

    def _begin(self) -> None:
        ours, self._wake = socket.socketpair()
        ours.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(ours, selectors.EVENT_READ)
        self._thread = threading.Thread(
            target=self._run, args=(self._selector, ours), name="streams", daemon=True
        )
        self._thread.start()

    def _run(self, selector: selectors.BaseSelector, woken: socket.socket) -> None:
        looked_at = float("-inf")
        while not self._closing.is_set():
            for key, mask in selector.select(TICK_S):
                if key.fileobj is woken:
                    with suppress(OSError):
                        woken.recv(4096)
                else:
                    self._ready(key.data, mask)
            self._welcome(selector)
            if self._clock() - looked_at >= TICK_S:
                looked_at = self._clock()
                self._look()
        for client in list(self._clients):
            self._end(client, "shutdown")
        selector.close()
        woken.close()

    def _welcome(self, selector: selectors.BaseSelector) -> None:
        with self._lock:
            coming, self._coming = self._coming, []
            self._clients.update(coming)
        for client in coming:
            selector.register(client.socket, selectors.EVENT_READ, client)
            self._send(client)
            self._tell(client)
        if coming:
            self.observe(len(self))

    def _ready(self, client: Client, mask: int) -> None:
        if mask & selectors.EVENT_READ:
            try:
                said = client.socket.recv(4096)  # what a client still says means nothing; its end does
            except BlockingIOError:
                said = b"?"
            except OSError:
                said = b""
            if not said:
                self._drop(client)
                return
        if mask & selectors.EVENT_WRITE:
            self._send(client)

    def _look(self) -> None:
        """News to all who have not had them; what is silent, stalled or not welcome any more."""
        self._news = {topic: self._newest(topic) for topic in {client.topic for client in self._clients}}
        now = self._clock()
        for client in list(self._clients):
            if now - client.checked_at >= CHECK_S:
                client.checked_at = now
                reason = client.ended()
                if reason:
                    self._end(client, reason)
                    continue
            if client.out:
                if now - client.wrote_at > STALLED_S:
                    self._drop(client)
                continue
            self._tell(client)
            if now - client.wrote_at >= HEARTBEAT_S:
                client.out += HEARTBEAT
                self._send(client)

    def _newest(self, topic: Hashable) -> tuple[Hashable, Event]:
        mark, held = self._source.mark(topic), self._news.get(topic)
        return held if held is not None and held[0] == mark else (mark, self._source.event(topic))

    def _tell(self, client: Client) -> None:
        """The newest event, unless the client has it. One that can't keep up gets the next one when it has room."""
        if client.topic not in self._news:
            self._news[client.topic] = self._newest(client.topic)
        event = self._news[client.topic][1]
        if client.out or client.key == event.key:
            return
        client.key = event.key
        client.out += event.data
        if client.left is not None:
            client.left -= 1
        self._send(client)

    def _send(self, client: Client) -> None:
        try:
            while client.out:
                sent = client.socket.send(client.out)
                del client.out[:sent]
                client.wrote_at = self._clock()
        except BlockingIOError:
            self._watch(client, selectors.EVENT_READ | selectors.EVENT_WRITE)
            return
        except OSError:
            self._drop(client)
            return
        if client.left is not None and client.left <= 0:
            self._end(client, "limit")
            return
        self._watch(client, selectors.EVENT_READ)

    def _watch(self, client: Client, mask: int) -> None:
        if self._selector is not None and client in self._clients:
            self._selector.modify(client.socket, mask, client)

    def _end(self, client: Client, reason: str) -> None:
        with suppress(OSError):
            client.out += message("end", orjson.dumps({"reason": reason}))
            client.socket.send(client.out)
        self._drop(client)

    def _drop(self, client: Client) -> None:
        with self._lock:
            if client not in self._clients:
                return
            self._clients.remove(client)
        if self._selector is not None:
            self._selector.unregister(client.socket)
        client.socket.close()
        self.observe(len(self))


def message(kind: str, data: bytes, key: str = "") -> bytes:
    """One event as it goes over the wire; `data` must be one line."""
    head = f"id: {key}\n" if key else ""
    return f"{head}event: {kind}\ndata: ".encode() + data + b"\n\n"


def is_plain(candidate: object) -> bool:
    """Whether this is a socket that can be taken over: none that a TLS library stands behind."""
    return isinstance(candidate, socket.socket) and not isinstance(candidate, ssl.SSLSocket)


def take_over(theirs: socket.socket) -> socket.socket:
    """The connection of a web server's socket. What the server still writes to its own goes nowhere, and it may close it."""
    ours = theirs.dup()
    sink, other = socket.socketpair()
    other.close()
    os.dup2(sink.fileno(), theirs.fileno(), inheritable=False)
    sink.close()
    return ours


def relay() -> tuple[socket.socket, Iterator[bytes]]:
    """A socket to write to, and what arrives there: for servers whose connection can't be taken over."""
    ours, theirs = socket.socketpair()

    def arriving() -> Iterator[bytes]:
        with theirs:
            while chunk := theirs.recv(65536):
                yield chunk

    return ours, arriving()


def _ignore(_open: int) -> None:
    """What nobody counts."""
