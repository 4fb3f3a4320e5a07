"""The streamer's connection against a peer of ours, byte by byte where the simulator sends whole frames."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import orjson
import pytest

from app.errors import StreamClosed
from app.schwab.rest import StreamerInfo
from app.schwab.stream import MAX_REQUEST_BYTES, Stream, chunks
from benchmarks.wire import shake_hands, text_frame
from tests.support import eventually

HEARTBEAT = text_frame(b'{"notify":[{"heartbeat":"1790625599000"}]}')


@contextlib.contextmanager
def connected(behave: Callable[[socket.socket], None], *, receive_buffer: int = 0) -> Iterator[Stream]:
    """A stream to a peer that does `behave` once the handshake is over."""
    over = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                shake_hands(peer)
                behave(peer)
                over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        if receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        stream = Stream(StreamerInfo(f"ws://127.0.0.1:{listener.getsockname()[1]}/ws", "", "", "", ""))
        try:
            yield stream
        finally:
            over.set()
            stream.abort()
            thread.join(5)


def trickle(data: bytes, every_s: float) -> Callable[[socket.socket], None]:
    """Send it a byte at a time."""

    def send(peer: socket.socket) -> None:
        for at in range(len(data)):
            peer.sendall(data[at : at + 1])
            time.sleep(every_s)

    return send


def test_a_frame_that_trickles_in_holds_nobody_up_and_arrives_in_the_end() -> None:
    with connected(trickle(HEARTBEAT, 0.02)) as stream:
        opened = stream.last_frame_at
        began = time.monotonic()
        assert stream.poll(0.1) is None
        assert time.monotonic() - began < 0.5
        assert stream.last_frame_at > opened, "a part of a frame is a sign of life"
        frame = eventually(lambda: stream.poll(0.1), 10, "the frame is whole")
        assert frame is not None
        assert frame.heartbeats == 1


def test_frames_that_come_together_are_told_one_by_one() -> None:
    together = HEARTBEAT + text_frame(b'{"notify":[{"heartbeat":"1790625599001"}]}') + b"\x8a\x00" + HEARTBEAT
    with connected(lambda peer: peer.sendall(together)) as stream:
        stamps = [frame.server_ms if (frame := stream.poll(2)) else None for _ in range(4)]
    assert stamps == [1790625599000, 1790625599001, None, 1790625599000]


def test_a_frame_may_be_larger_than_what_is_read_at_once_and_come_in_fragments() -> None:
    contents = [{"key": f"SPXW  261016C{strike:05d}000", "2": 10.5} for strike in range(5000)]
    body = orjson.dumps({"data": [{"service": "LEVELONE_OPTIONS", "timestamp": 1, "content": contents}]})
    first, second = body[:70_000], body[70_000:]
    fragments = (
        b"\x01\x7f" + len(first).to_bytes(8, "big") + first
        + b"\x89\x02hi"  # a ping in between is answered
        + b"\x80\x7f" + len(second).to_bytes(8, "big") + second
    )  # fmt: skip
    with connected(lambda peer: peer.sendall(fragments)) as stream:
        frames = [frame for _ in range(2) if (frame := stream.poll(5)) is not None]
    assert [len(frame.options) for frame in frames] == [5000]


def test_a_large_command_reaches_a_peer_that_reads_slowly() -> None:
    received = bytearray()

    def read_late(peer: socket.socket) -> None:
        time.sleep(0.8)
        peer.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while data := peer.recv(65_536):
                received.extend(data)

    keys = next(chunks([f"SPXW  261016C{strike:05d}000" for strike in range(3000)]))
    with connected(read_late, receive_buffer=4096) as stream:
        assert stream.poll(0.05) is None  # what is read is waited for shortly; what is sent isn't
        for _ in range(100):  # more than the kernel takes on its own
            stream.send("LEVELONE_OPTIONS", "ADD", {"keys": ",".join(keys), "fields": "0,2"})
        eventually(lambda: len(received) > 100 * 40_000, 10)


def test_no_request_is_larger_than_what_the_gateway_takes() -> None:
    received = bytearray()

    def read(peer: socket.socket) -> None:
        peer.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while data := peer.recv(65_536):
                received.extend(data)

    with connected(read) as stream:
        for keys in chunks([f"SPXW  261016C{strike:05d}000" for strike in range(3000)]):
            before = len(received)
            stream.send("LEVELONE_OPTIONS", "ADD", {"keys": ",".join(keys), "fields": "0,2"})
            eventually(lambda before=before: len(received) > before, 5)
            time.sleep(0.05)
            assert len(received) - before < MAX_REQUEST_BYTES


def test_a_frame_that_no_server_may_send_ends_the_connection() -> None:
    with connected(lambda peer: peer.sendall(b"\xf1\x02{}")) as stream:  # reserved bits
        with pytest.raises(StreamClosed) as caught:
            stream.poll(2)
        assert caught.value.reason == "protocol"
