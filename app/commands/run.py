"""`python -m app run`: everything that the dashboard needs, and the dashboard."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import sys
from pathlib import Path

from app.errors import SettingsError
from app.processes import die_with_parent
from app.settings import Settings, get_settings, misspelt

CONFIGURATION = Path(__file__).resolve().parents[2] / "gunicorn.conf.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with-parent", action="store_true", help="end when the process that started this one ends"
    )


def main(args: argparse.Namespace) -> int:
    """Become gunicorn. Raises SettingsError when a setting is wrong or the port is taken."""
    if args.with_parent:
        die_with_parent(os.getppid(), signal.SIGTERM)
    settings = get_settings()
    check_port(settings)
    announce(settings)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        str(CONFIGURATION),
        "app.wsgi:server",
    ]
    # Imports would answer a Ctrl-C with a traceback. It waits until the server's start can take it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.execv(sys.executable, command)  # noqa: S606 - the same process, so that signals and parent stay


def check_port(settings: Settings) -> None:
    """Raises SettingsError when HOST:PORT can't be listened on."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise _why_not(settings, error) from error


def _why_not(settings: Settings, error: OSError) -> SettingsError:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return SettingsError(
            f"HOST: {settings.host!r} is not an address of this machine",
            cure="Use 127.0.0.1 for this machine alone, 0.0.0.0 for its network.",
        )
    reason = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
    return SettingsError(
        f"PORT: port {settings.port} of {settings.host} {reason}",
        cure="Choose another one, as in: PORT=8051 make run",
    )


def announce(settings: Settings) -> None:
    """Tell the person at the terminal what is being started."""
    simulated = settings.demo and settings.feed_mode != "off"
    parts = [
        "" if settings.redis_url else "an embedded Redis",
        "the simulator (simulated data)" if simulated else "",
        "" if settings.feed_mode == "off" else "the feed",
        "the web server",
    ]
    for wrong, right in misspelt().items():
        sys.stdout.write(f"Note: .env has {wrong}, which is no setting. Is it {right}?\n")
    listed = [part for part in parts if part]
    sys.stdout.write(f"Starting {', '.join(listed[:-1])}{' and ' if listed[:-1] else ''}{listed[-1]}.\n")
    if simulated and not settings.force_demo:
        sys.stdout.write(
            "No SCHWAB_APP_KEY and SCHWAB_APP_SECRET: see docs/connect-schwab.md for live data.\n"
        )
    sys.stdout.flush()
