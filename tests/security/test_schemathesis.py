"""Schemathesis reads the OpenAPI document and asks every operation for what it promises, with all of its checks.

500 cases for each operation and caller in a full run (`make security`); what `make test` keeps of it is test_api_fuzz.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from werkzeug.serving import WSGIRequestHandler
from werkzeug.serving import make_server as make_http_server

from app.api.context import context
from app.gex import warm_up
from app.models import SchwabConnection
from tests.chains import synthetic
from tests.security.conftest import FULL, Record
from tests.security.people import make_key, owner
from tests.support import ROOT
from tests.webserver import StandInBroker, make_server

pytestmark = pytest.mark.skipif(not FULL, reason="minutes long: make security")

CASES = int(os.environ.get("GEX_SCHEMATHESIS_CASES", "500"))
# 503 is promised: there is no data yet. Every other 5xx is a failure.
CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]
"""
# A stream ends only when it is asked to.
HOOKS = """
import schemathesis

@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path.endswith("/stream"):
        limit = (case.query or {}).get("limit")
        if limit is None or (str(limit).isdigit() and 1 <= int(limit) <= 100_000):
            case.query = {**(case.query or {}), "limit": 1}
"""


class _Handler(WSGIRequestHandler):
    """Keeps connections open, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A private server's address, and what each caller sends as Authorization."""
    warm_up()
    server = make_server(
        tmp_path_factory.mktemp("data"),
        StandInBroker(),
        access="private",
        symbols="SPX,SPY",
        stream_clients=50,
    )
    with server.app_context():
        store = context().store
    now = datetime.now(UTC)
    alive = SchwabConnection(
        state="live", since=now, source="simulator", heartbeat_at=now + timedelta(hours=9)
    )
    store.publish(synthetic()[0], 1)
    store.put_status(alive.json_bytes(), 1)
    signed_in = owner(server)
    keys = {scope: f"Bearer {make_key(signed_in, scope)}" for scope in ("manage", "read")}
    http = make_http_server("127.0.0.1", 0, server, threaded=True, request_handler=_Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", {**keys, "nobody": "Bearer gex_wrong"}
    server.extensions["gex-streams"].close()
    http.shutdown()
    thread.join(5)
    http.server_close()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("caller", ["manage", "read", "nobody"])
def test_every_operation_keeps_what_the_document_promises(
    site: tuple[str, dict[str, str]], caller: str, tmp_path: Path, figure: Record
) -> None:
    base, authorization = site
    server_document = tmp_path / "openapi.json"
    server_document.write_bytes(_document(base, authorization["read"]))
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    (tmp_path / "hooks.py").write_text(HOOKS)
    modern = (
        ROOT / ".venv-dev" / "production-urllib3"
    )  # event streams can't be read with dash[testing]'s urllib3
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(server_document), "--url", base),
            *("-H", f"Authorization: {authorization[caller]}", "--checks", "all"),
            *("--max-examples", str(CASES), "--phases", "examples,coverage,fuzzing"),
            *("--request-timeout", "30", "--no-color"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{modern}{os.pathsep}{tmp_path}", "SCHEMATHESIS_HOOKS": "hooks"},
        capture_output=True,
        text=True,
        timeout=1700,
    )
    found = len(re.findall(r"^\d+\. Test Case ID", ran.stdout, re.MULTILINE))
    errors = len(re.findall(r"^(?:Network|Runtime) Error", ran.stdout, re.MULTILINE))
    said = f"{found} failures, {errors} errors"
    if ran.returncode:
        sys.stdout.write(ran.stdout[-20_000:] + ran.stderr[-2_000:])
    name = f"schemathesis as {caller}, all checks, {CASES} cases an operation"
    figure(1, name, "0 failures", said, ran.returncode == 0)


def _document(base: str, authorization: str) -> bytes:
    answer = requests.get(f"{base}/api/openapi.json", headers={"Authorization": authorization}, timeout=30)
    assert answer.status_code == 200
    return answer.content
