"""`python -m app run`, as a user starts and ends it: everything is up, and nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.keeper import Plan
from tests.product import END_S, Running, descendants, ended, names, started
from tests.support import ROOT, clean_environment, eventually, free_port

pytestmark = [pytest.mark.redis, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("demo")) as running:
        eventually(running.serves, 60, "the server answers")
        yield running


def test_without_credentials_the_demo_signs_itself_in_and_shows_a_chain(demo: Running) -> None:
    document = eventually(lambda: (found := demo.get("/api/v1/gex/SPX")).ok and found.json(), 60)
    assert document["symbol"] == "SPX"
    assert document["spot"] > 0
    status = eventually(
        lambda: (found := demo.get("/api/v1/connection/status").json())["state"] == "live" and found, 30
    )
    assert status["source"] == "simulator"
    assert demo.get("/api/v1/cache/stats").json()["backend"] == "embedded"


def test_the_chain_keeps_moving(demo: Running) -> None:
    def version() -> int:
        return int(demo.get("/api/v1/cache/stats").json()["versions"].get("SPX", 0))

    first = eventually(version, 60)
    eventually(lambda: version() > first, 20, "a newer version")


def test_a_second_server_on_the_same_port_says_so_in_one_line(demo: Running, tmp_path: Path) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "app", "run"],
        cwd=ROOT,
        env=clean_environment(PORT=str(demo.port), DATA_DIR=str(tmp_path)),
        capture_output=True,
        timeout=60,
    )
    assert second.returncode == 1
    assert second.stderr.decode().startswith(f"error: PORT: port {demo.port} of 127.0.0.1 is in use.")
    assert second.stderr.count(b"\n") == 1


def test_a_dead_redis_is_started_again_and_filled(demo: Running) -> None:
    before = eventually(lambda: demo.get("/api/v1/cache/stats").json()["versions"].get("SPX"), 60)
    redis = next(
        pid for pid in descendants(demo.process.pid) if any("redis-server" in n for n in names([pid]))
    )
    os.kill(redis, signal.SIGKILL)

    def filled() -> bool:
        stats = demo.get("/api/v1/cache/stats").json()
        return bool(stats["healthy"] and stats["versions"].get("SPX", 0) > before)

    eventually(filled, 60, "the chain is in a new Redis, under a higher version")
    eventually(lambda: demo.get("/api/v1/gex/SPX").ok, 10, "each worker has found the new Redis")


def test_a_dead_simulator_is_started_again_and_the_chain_returns(demo: Running) -> None:
    eventually(lambda: demo.get("/api/v1/gex/SPX").ok, 60)
    simulator = next(
        pid for pid in descendants(demo.process.pid) if any("simulate" in n for n in names([pid]))
    )
    os.kill(simulator, signal.SIGKILL)

    def live_again() -> bool:
        status = demo.get("/api/v1/connection/status").json()
        return bool(status["state"] == "live" and status["reconnects"] > 0)

    eventually(live_again, 90, "the feed is live again")


def test_the_pages_of_the_demo_are_there(demo: Running) -> None:
    assert demo.get("/gex/SPX").ok
    assert "text/html" in demo.get("/login").headers["Content-Type"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Ssl", "on"),
        ("SCRIPT_NAME", "/login"),
        ("SCRIPT_NAME", "/elsewhere"),
        ("PATH_INFO", "/gex/SPX"),
    ],
)
def test_without_a_named_proxy_nobody_speaks_for_one(demo: Running, name: str, value: str) -> None:
    answer = requests.get(f"{demo.url}/login", headers={name: value}, timeout=5)

    assert answer.status_code == 200
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_its_end_is_the_end_of_every_process(tmp_path: Path, signum: signal.Signals) -> None:
    with started(tmp_path) as running:
        eventually(running.serves, 60)
        pids = eventually(lambda: len(found := descendants(running.process.pid)) >= 5 and found, 30)
        began = time.monotonic()
        running.process.send_signal(signum)
        running.process.wait(END_S)
        ended(pids)
        assert time.monotonic() - began < END_S
        with pytest.raises(requests.ConnectionError):
            running.get("/api/v1/health/live")


@pytest.mark.parametrize("words", ["Starting", "simulator ready"])
def test_a_start_that_is_broken_off_leaves_nothing_and_shows_no_traceback(tmp_path: Path, words: str) -> None:
    with started(tmp_path) as running:
        eventually(lambda: words in running.log.read_text(), 60)
        below = descendants(running.process.pid)
        running.process.send_signal(signal.SIGINT)
        running.process.wait(END_S)
        ended(below)
        assert "Traceback" not in running.log.read_text()


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    shell = ["sh", "-c", f"'{sys.executable}' -m app run --with-parent; true"]
    with started(tmp_path, command=shell) as running:
        eventually(running.serves, 60)
        pids = eventually(lambda: len(found := descendants(running.process.pid)) >= 6 and found, 30)
        running.process.kill()
        running.process.wait()
        ended(pids)


def test_the_death_of_the_keeper_ends_the_server_with_a_word(tmp_path: Path) -> None:
    with started(tmp_path, FEED_MODE="off") as running:
        eventually(running.serves, 60)
        keeper = next(
            pid for pid in descendants(running.process.pid) if any("keeper" in n for n in names([pid]))
        )
        plan = Plan.from_argument(Path(f"/proc/{keeper}/cmdline").read_text().split("\0")[-2])
        assert Path(plan.redis_folder).is_dir()
        os.kill(keeper, signal.SIGKILL)
        running.process.wait(30)
        assert "has died" in running.log.read_text()
        assert not Path(plan.redis_folder).exists(), "the folder of the embedded Redis is left behind"


def test_with_credentials_there_is_no_simulator_and_the_callback_is_answered_over_tls(tmp_path: Path) -> None:
    callback = f"https://127.0.0.1:{free_port()}"
    broker = {
        "SCHWAB_APP_KEY": "k" * 32,
        "SCHWAB_APP_SECRET": "s" * 16,
        "SCHWAB_API_URL": "http://127.0.0.1:9",
    }
    with started(tmp_path, SCHWAB_CALLBACK_URL=callback, **broker) as running:
        eventually(running.serves, 60)

        def sent_on() -> str:
            back = f"{callback}/?code=c&state=s"
            return requests.get(back, verify=False, allow_redirects=False, timeout=5).headers["Location"]  # noqa: S501

        assert eventually(sent_on, 30) == f"{running.url}/login/callback?code=c&state=s"
        assert eventually(
            lambda: running.get("/api/v1/connection/status").json()["state"] == "signed_out", 30
        )
        assert not any("simulate" in name for name in names(descendants(running.process.pid)))
        assert "k" * 32 not in running.log.read_text()


def test_memory_needs_no_redis_and_runs_one_worker(tmp_path: Path) -> None:
    with started(tmp_path, REDIS_URL="memory://", SYMBOLS="SPY") as running:
        eventually(lambda: running.serves("/api/v1/gex/SPY"), 90)
        assert running.get("/api/v1/cache/stats").json()["backend"] == "memory"
        assert not any("redis-server" in name for name in names(descendants(running.process.pid)))


def test_a_feed_of_its_own_publishes_to_the_web(tmp_path: Path) -> None:
    with started(tmp_path, FEED_MODE="process", SYMBOLS="AAPL") as running:
        eventually(lambda: running.serves("/api/v1/gex/AAPL"), 90)
        assert any("-m app feed" in name for name in names(descendants(running.process.pid)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL"),
        ({"SYMBOLS": "S&P"}, "SYMBOLS"),
        ({"TOKEN_KEY": "short"}, "TOKEN_KEY"),
        ({"SCHWAB_APP_KEY": "k" * 32}, "SCHWAB_APP_SECRET"),
        ({"REDIS_URL": "memory://", "FEED_MODE": "process"}, "FEED_MODE"),
        ({"DEMO_CHAIN": "/nosuch/chain.json"}, "DEMO_CHAIN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_setting_ends_the_start_with_one_line(
    tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    refused(tmp_path, words, **settings)


def refused(folder: Path, words: str, **settings: str) -> str:
    """The one line that a start with these settings ends with."""
    environment = clean_environment(DATA_DIR=str(folder), **{"PORT": str(free_port()), **settings})
    failed = subprocess.run(
        [sys.executable, "-m", "app", "run"], cwd=ROOT, env=environment, capture_output=True, timeout=60
    )
    assert failed.returncode == 1
    lines = failed.stderr.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert words in lines[0]
    return lines[0]


def test_an_address_where_something_else_than_redis_answers_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        threading.Thread(target=greet, daemon=True).start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        assert "no Redis" in refused(tmp_path, "REDIS_URL", REDIS_URL=url)


def test_a_demo_on_a_file_that_is_no_chain_says_so_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "no.csv").write_text("nothing\n")
    failed = subprocess.run(
        [sys.executable, "-m", "app", "demo", "--chain", str(tmp_path / "no.csv")],
        cwd=ROOT,
        env=clean_environment(DATA_DIR=str(tmp_path)),
        capture_output=True,
        timeout=60,
    )
    assert failed.returncode == 1
    assert failed.stderr.decode().startswith("error: ")
    assert failed.stderr.count(b"\n") == 1
    assert b"Starting" not in failed.stdout
