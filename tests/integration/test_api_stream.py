"""Event streams under gunicorn: many open ones leave every request thread free, and end with the server."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
import requests

from tests.product import started
from tests.support import eventually

pytestmark = pytest.mark.redis


def test_more_streams_than_threads_hold_up_nobody_and_end_with_the_server(tmp_path: Path) -> None:
    settings = {"SYMBOLS": "AAPL", "WORKERS": "1", "THREADS": "2", "STREAM_CLIENTS": "12"}
    with contextlib.ExitStack() as stack, started(tmp_path, **settings) as running:
        eventually(lambda: running.serves("/api/v1/gex/AAPL/levels"), 90, "the product is up")

        def stream() -> requests.Response:
            url = running.url + "/api/v1/gex/AAPL/stream"
            return stack.enter_context(requests.get(url, stream=True, timeout=30))

        opened = [stream() for _ in range(12)]
        lines = [answer.iter_lines(chunk_size=1, decode_unicode=True) for answer in opened]
        for heard in lines:
            assert sum(next(heard).startswith("data:") for _ in range(20)) >= 2, "a market that moves"
        assert all(running.serves() for _ in range(20))
        assert stream().status_code == 503
        assert "gex_streams_open 12.0" in running.get("/metrics").text

        opened[0].close()
        eventually(lambda: "gex_streams_open 11.0" in running.get("/metrics").text, 20, "its place is free")

        began = time.monotonic()
        running.process.terminate()
        for heard in lines[1:]:
            assert any("shutdown" in line for line in heard), "each is told why it ends"
        running.process.wait(10)
        assert time.monotonic() - began < 10
