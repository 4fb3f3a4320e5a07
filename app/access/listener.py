"""Answers SCHWAB_CALLBACK_URL over TLS on this machine, and passes the browser on to the sign-in page.

Schwab takes https callbacks only, and the dashboard on one's own machine speaks http: so this small server takes the
browser that comes back from Schwab, and redirects it, code and state included, to where its login began. It keeps
nothing, and logs no address.
"""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from urllib.parse import parse_qs, urlencode, urlsplit

from app.access.callback import callback_path, listener_address
from app.access.certificate import ensure_certificate
from app.access.origin import is_ours
from app.access.pending import PendingLogins
from app.cache import MEMORY_URL, open_store
from app.errors import CacheError, SettingsError
from app.settings import Settings

log = logging.getLogger(__name__)

_TIMEOUT_S = 10.0
_FIELDS = ("code", "state", "session", "error", "error_description")
HELP = (
    "This address only takes the browser back from Schwab's sign-in.\n\n"
    "Start at the dashboard's own page: {home}/login\n"
)

Origin = Callable[[str], str]


class _Handler(BaseHTTPRequestHandler):
    """One request: a redirect for what Schwab sends, words for everything else."""

    server_version = "gex"
    sys_version = ""
    timeout = _TIMEOUT_S
    path_wanted = "/"
    origin: Origin

    def setup(self) -> None:
        # here, in the connection's own thread: a client that never speaks TLS holds up nobody else
        self.request.settimeout(_TIMEOUT_S)
        self.request.do_handshake()
        super().setup()

    def do_GET(self) -> None:
        """Pass Schwab's answer on."""
        parts = urlsplit(self.path)
        given = parse_qs(parts.query)
        fields = {name: given[name][0] for name in _FIELDS if name in given}
        origin = type(self).origin(fields.get("state", ""))
        if (parts.path or "/") != self.path_wanted or not ({"code", "error"} & fields.keys()):
            self._say(HELP.format(home=origin))
            return
        self.send_response(302)
        self.send_header("Location", f"{origin}/login/callback?{urlencode(fields)}")
        self._end(b"")

    def _say(self, text: str) -> None:
        self.send_response(404)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self._end(text.encode())

    def _end(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the request line holds the code."""


class CallbackListener(ThreadingHTTPServer):
    """The listening socket with its certificate. Raises SettingsError when the port is taken.

    Args:
        origin: finds where the login of a state began, as `https://host:port`.
    """

    daemon_threads = True

    def __init__(self, settings: Settings, address: tuple[str, int], origin: Origin) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(ensure_certificate(settings.data_dir, address[0]))
        handler = type(
            "Handler", (_Handler,), {"origin": staticmethod(origin), "path_wanted": callback_path(settings)}
        )
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            super().__init__(address, handler)
        except OSError as error:
            raise SettingsError(
                f"SCHWAB_CALLBACK_URL: port {address[1]} of {address[0]} can't be answered: {error.strerror}",
                cure="End the program that uses it, or paste the address that the browser ends on at /login.",
            ) from error
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that doesn't trust the certificate breaks off: no news."""
        del request, client_address
        log.debug("a connection to the callback broke off", exc_info=True)


def origin_finder(settings: Settings, pending: PendingLogins) -> Origin:
    """Finds where a login began; where that isn't known, the server's own address, whose page says what is wrong."""

    def origin(state: str) -> str:
        try:
            login = pending.peek(state) if state else None
        except CacheError:
            login = None
        return login.origin if login and is_ours(login.origin, settings) else settings.home

    return origin


def serve(settings: Settings) -> None:
    """Answer the callback until SIGTERM or SIGINT. Returns at once where nothing needs it. Raises SettingsError."""
    address = listener_address(settings)
    if address is None:
        log.info("the callback needs no listener here", extra={"callback": settings.schwab_callback_url})
        return
    store = open_store(settings.redis_url or MEMORY_URL)
    with CallbackListener(settings, address, origin_finder(settings, PendingLogins(store))) as listener:
        _stop_on_signals(listener)
        log.info("answering Schwab's callback", extra={"callback": settings.schwab_callback_url})
        listener.serve_forever(poll_interval=0.2)
    store.close()


def _stop_on_signals(listener: CallbackListener) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        # shutdown() waits for serve_forever, which runs in this very thread
        threading.Thread(target=listener.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
