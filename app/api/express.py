"""Repeats an answer without Flask: to the very same request, by somebody of whom nothing is asked.

On a public server who shows no credentials is a stranger, whom the door lets in; from this machine nobody is counted. So
what such a request is answered follows from its headers and the chain's version alone, and the answer that Flask gave once,
behind every check, is right as long as the version stands. Every other request goes to Flask.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from app.access.limits import client_of
from app.api.respond import bodies
from app.api.unchanged import MARK, Answered, Unchanged

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_REQUESTS_KEPT = 1_000
_CREDENTIALS = ("HTTP_COOKIE", "HTTP_AUTHORIZATION")

Headers = list[tuple[str, str]]
Question = tuple[str, str, str, frozenset[tuple[str, str]]]
Count = Callable[[str, str, int, float], None]


class Given(NamedTuple):
    """An answer as it went out. Its body, where it has one, is among the kept bodies."""

    answered: Answered
    status: str
    headers: Headers


class Express:
    """WSGI middleware. Put it around a public server, inside of what tells it who the client is (ProxyFix).

    Args:
        app: the server.
        unchanged: knows which version an answer was made of, and whether it stands.
        count: told route, method, status and seconds of every answer that is given here.
    """

    def __init__(self, app: WSGIApplication, unchanged: Unchanged, count: Count) -> None:
        self._app = app
        self._unchanged = unchanged
        self._count = count
        self._given: OrderedDict[Question, Given] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        if not _is_free(environ):
            return self._app(environ, start_response)
        question = _question(environ)
        given = self._given.get(question)
        body = None if given is None else self._body(given)
        if given is None or body is None:
            return self._ask(question, environ, start_response)
        start_response(given.status, list(given.headers))
        self._count(given.answered.route, "GET", int(given.status[:3]), time.perf_counter() - began)
        return [body] if body else []

    def _body(self, given: Given) -> bytes | None:
        """The bytes to send, where they are kept and right."""
        if not self._unchanged.holds(given.answered):
            return None
        if given.status.startswith("304"):
            return b""
        body = bodies.find(given.answered.tag)
        if body is None:
            return None
        return body.packed if ("Content-Encoding", "gzip") in given.headers else body.plain

    def _ask(
        self, question: Question, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        heard: list[tuple[str, Headers]] = []

        def start(status: str, headers: Headers, *error: Any) -> Any:
            heard.append((status, list(headers)))
            return start_response(status, headers, *error)

        answer = self._app(environ, start)
        answered = environ.get(MARK)
        if answered is not None and len(heard) == 1:
            self._note(question, Given(answered, *heard[0]))
        return answer

    def _note(self, question: Question, given: Given) -> None:
        said = {name.lower(): value for name, value in given.headers}
        if given.status[:3] not in ("200", "304") or said.get("content-encoding", "gzip") != "gzip":
            return
        if "set-cookie" in said:  # meant for one browser
            return
        with self._lock:
            self._given[question] = given
            self._given.move_to_end(question)
            if len(self._given) > _REQUESTS_KEPT:
                self._given.popitem(last=False)


def _is_free(environ: WSGIEnvironment) -> bool:
    """Whether nothing is asked of this client: it shows nothing, is not counted, and sends nothing but the question."""
    return (
        environ["REQUEST_METHOD"] == "GET"
        and not any(name in environ for name in _CREDENTIALS)
        and not environ.get("CONTENT_LENGTH")
        and not client_of(environ.get("REMOTE_ADDR"))
    )


def _question(environ: WSGIEnvironment) -> Question:
    """All that an answer can depend on: address, scheme and every header."""
    headers = frozenset(pair for pair in environ.items() if pair[0].startswith("HTTP_"))
    return environ["wsgi.url_scheme"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""), headers
