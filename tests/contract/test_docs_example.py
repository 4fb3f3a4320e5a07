"""docs/api.md: its client runs against the server, and it names every resource and error."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server as make_http_server

from app.api.context import context
from tests.chains import synthetic
from tests.contract.test_openapi import PATHS, STREAMS
from tests.support import ROOT
from tests.webserver import make_server

GUIDE = (ROOT / "docs" / "api.md").read_text("utf-8")


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server with SPX, on a port, and its store."""
    server = make_server(tmp_path_factory.mktemp("data"), symbols="SPX")
    with server.app_context():
        store = context().store
    store.publish(synthetic()[0], 1)
    http = make_http_server("127.0.0.1", 0, server)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", store
    http.shutdown()
    thread.join(5)
    http.server_close()


def _client() -> Any:
    code = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert code
    namespace: dict[str, Any] = {"__name__": "guide"}
    exec(compile(code.group(1), "docs/api.md", "exec"), namespace)  # noqa: S102 - our own documentation
    return namespace["levels"]


def test_the_client_of_the_guide_sees_each_version_once(base: tuple[str, Any]) -> None:
    url, store = base
    seen = _client()(url, "SPX", every_s=0.01)
    first = next(seen)
    threading.Timer(0.2, lambda: store.publish(synthetic(spot=5001.0)[0], 1)).start()
    second = next(seen)

    assert first["spot"] == 5000.0
    assert second["spot"] == 5001.0


def test_an_error_reaches_the_guides_client(base: tuple[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="ZZZZ is not followed"):
        next(_client()(base[0], "ZZZZ"))


def test_the_guide_names_every_resource() -> None:
    for path in PATHS | STREAMS:
        assert f"`{path.removeprefix('/api/v1')}`" in GUIDE
