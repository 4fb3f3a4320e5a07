"""`python -m app feed`: the feed alone, in a process of its own, publishing to REDIS_URL."""

from __future__ import annotations

import argparse
import signal
import threading

from app.cache import MEMORY_URL
from app.errors import SettingsError
from app.listeners import make_feed
from app.log import configure
from app.services import build_services
from app.settings import get_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: everything comes from the settings."""
    del parser


def main(args: argparse.Namespace) -> int:
    """Feed until SIGTERM or Ctrl-C; another feed on the same Redis is waited for. Raises SettingsError."""
    del args
    settings = get_settings()
    configure(settings.log_level, settings.log_format, settings.secrets())
    if settings.redis_url in ("", MEMORY_URL):
        raise SettingsError(
            "REDIS_URL: the feed on its own needs the Redis that the web server reads",
            cure="Set REDIS_URL, or use `python -m app run`, which starts everything.",
        )
    services = build_services(settings)
    ended = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: ended.set())
    feed = make_feed(services)
    feed.start()
    ended.wait()
    feed.stop()
    services.store.close()
    return 0
