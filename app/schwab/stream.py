"""One connection to Schwab's streamer, from the handshake to the close: commands out, frames in.

It knows nothing of what is subscribed or of reconnecting: that is app.feed's. One thread reads and writes; `abort` may be
called from another.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import orjson
import websocket

from app.errors import BrokerError, LoginDenied, StreamClosed
from app.schwab.cures import named, trouble
from app.schwab.fields import OPTIONS
from app.schwab.frames import Answer, Frame, decode_frame
from app.schwab.rest import StreamerInfo

CONNECT_TIMEOUT_S = 8.0
LOGIN_TIMEOUT_S = 8.0
# A frame of many keys takes a slow line some round trips.
SEND_TIMEOUT_S = 5.0
# The gateway closes the connection on request frames above 65,535 bytes.
MAX_REQUEST_BYTES = 48_000
_CONTROL = (websocket.ABNF.OPCODE_PING, websocket.ABNF.OPCODE_PONG)
_READ_BYTES = 65_536


class Stream:
    """An open connection. Every method raises StreamClosed, with the reason, once it has ended.

    Attributes:
        last_frame_at: monotonic time of the last sign of life: a frame, a pong, a part of either.
    """

    def __init__(self, info: StreamerInfo, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._info = info
        self._clock = clock
        self._next_id = 0
        self._socket = _Socket(enable_multithread=True, skip_utf8_validation=True)
        with _translated():
            self._socket.connect(info.url, timeout=CONNECT_TIMEOUT_S)  # type: ignore[no-untyped-call]
        self._timeout_s = CONNECT_TIMEOUT_S
        self.last_frame_at = clock()

    def login(self, access_token: str) -> list[Frame]:
        """Log in; the frames that came with the answer. Raises LoginDenied (code 3), BrokerError, StreamClosed."""
        request = self.send(
            "ADMIN",
            "LOGIN",
            {
                "Authorization": access_token,
                "SchwabClientChannel": self._info.channel,
                "SchwabClientFunctionId": self._info.function_id,
            },
        )
        deadline = self._clock() + LOGIN_TIMEOUT_S
        frames = []
        while self._clock() < deadline:
            frame = self.poll(0.5)
            if frame is None:
                continue
            frames.append(frame)
            for answer in frame.answers:
                if answer.requestid == request:
                    _judge_login(answer)
                    return frames
        raise StreamClosed("the streamer doesn't answer the login", reason="login_silent")

    def send(self, service: str, command: str, parameters: dict[str, str]) -> str:
        """Send one command; the id that its answer will carry."""
        request = str(self._next_id)
        self._next_id += 1
        body = {
            "service": service,
            "requestid": request,
            "command": command,
            "SchwabClientCustomerId": self._info.customer_id,
            "SchwabClientCorrelId": self._info.correl_id,
            "parameters": parameters,
        }
        with _translated():
            self._wait_at_most(SEND_TIMEOUT_S)
            self._socket.send(orjson.dumps({"requests": [body]}).decode())
        return request

    def ping(self) -> None:
        """Ask for a sign of life."""
        with _translated():
            self._wait_at_most(SEND_TIMEOUT_S)
            self._socket.ping()

    def poll(self, timeout_s: float) -> Frame | None:
        """The next frame; None when none came whole in about that time, or only a ping or pong."""
        with _translated():
            self._wait_at_most(timeout_s)
            read = self._socket.begin_frame(timeout_s)
            try:
                opcode, received = self._socket.recv_data_frame(control_frame=True)
            except websocket.WebSocketTimeoutException:
                if self._socket.bytes_read > read:
                    self.last_frame_at = self._clock()
                return None
        self.last_frame_at = self._clock()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code = int.from_bytes(received.data[:2], "big") if len(received.data) >= 2 else 1005
            raise StreamClosed(f"the streamer closed the connection ({code})", reason=f"closed_{code}")
        if opcode in _CONTROL:
            return None
        frame = decode_frame(received.data)
        frame.text = received.data
        return frame

    def _wait_at_most(self, timeout_s: float) -> None:
        if timeout_s != self._timeout_s:
            self._socket.settimeout(timeout_s)
            self._timeout_s = timeout_s

    def logout(self, timeout_s: float = 2.0) -> None:
        """Say goodbye and close; never raises."""
        with contextlib.suppress(StreamClosed):
            request = self.send("ADMIN", "LOGOUT", {})
            deadline = self._clock() + timeout_s
            while self._clock() < deadline:
                frame = self.poll(0.2)
                if frame is not None and any(answer.requestid == request for answer in frame.answers):
                    break
        self.abort()

    def abort(self) -> None:
        """Close the socket at once; never raises."""
        with contextlib.suppress(Exception):
            self._socket.shutdown()  # type: ignore[no-untyped-call]


class _Socket(websocket.WebSocket):
    """Reads what has come at once, where websocket-client asks thrice for each frame, and gives up on a trickle.

    websocket-client's own time limit begins anew with every byte: a peer that sends a frame a byte at a time would hold
    its reader for ever.
    """

    def __init__(self, **options: bool) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.bytes_read = 0
        self._held, self._at = b"", 0
        self._deadline = float("inf")

    def begin_frame(self, timeout_s: float) -> int:
        """A frame must be whole in this time, or is waited for another time; `bytes_read` so far."""
        self._deadline = time.monotonic() + timeout_s
        return self.bytes_read

    def _recv(self, bufsize: int) -> bytes:
        if self._at == len(self._held):
            if time.monotonic() > self._deadline:
                raise websocket.WebSocketTimeoutException("the frame is not whole yet")
            self._held, self._at = super()._recv(_READ_BYTES), 0  # type: ignore[no-untyped-call]
            self.bytes_read += len(self._held)
        piece = self._held[self._at : self._at + bufsize]
        self._at += len(piece)
        return piece


def chunks(keys: list[str], limit_bytes: int = MAX_REQUEST_BYTES) -> Iterator[list[str]]:
    """The keys in groups, each small enough for one request frame."""
    group: list[str] = []
    size = 0
    for key in keys:
        if group and size + len(key) + 1 > limit_bytes - 1_000:  # what stands around the keys
            yield group
            group, size = [], 0
        group.append(key)
        size += len(key) + 1
    if group:
        yield group


def symbol_limit(answer: Answer) -> int | None:
    """The number of option keys that an answer with code 19 says are allowed."""
    _, found, rest = answer.msg.partition(f"{OPTIONS}=")
    digits = rest.partition(",")[0].strip(" )")
    return int(digits) if found and digits.isdigit() else None


def _judge_login(answer: Answer) -> None:
    if answer.ok:
        return
    if answer.code == 3:
        raise named(LoginDenied(f"The streamer refuses the login: {answer.msg[:120]}"), "login_denied")
    if answer.code == 12:
        raise StreamClosed("another connection of the same user is open", reason="code_12")
    raise trouble(BrokerError, "outage", f"streamer login: code {answer.code} {answer.msg[:120]}")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Errors of websocket-client and of the socket become StreamClosed: they go no further than this package."""
    try:
        yield
    except websocket.WebSocketTimeoutException as error:
        raise StreamClosed("the streamer doesn't answer", reason="timeout") from error
    except websocket.WebSocketBadStatusException as error:
        raise StreamClosed(
            f"the streamer refuses the connection: {error.status_code}", reason="refused"
        ) from error
    except websocket.WebSocketConnectionClosedException as error:
        raise StreamClosed("the connection broke", reason="closed_1006") from error
    except websocket.WebSocketException as error:
        raise StreamClosed(f"the connection broke: {type(error).__name__}", reason="protocol") from error
    except OSError as error:
        raise StreamClosed(f"the connection broke: {type(error).__name__}", reason="reset") from error
    except (AttributeError, ValueError) as error:  # the socket was closed under the reader
        raise StreamClosed("the connection was closed", reason="aborted") from error
