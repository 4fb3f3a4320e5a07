"""A feed in a process of its own, as `python -m app feed`, with a lease as short as a test wants it.

python -m benchmarks.chaos.feeder LEASE_S
"""

from __future__ import annotations

import signal
import sys
import threading

from app.feed.service import Feed
from app.log import configure
from app.services import build_services
from app.settings import get_settings


def main(lease_s: float) -> None:
    """Feed until SIGTERM."""
    settings = get_settings()
    configure(settings.log_level, settings.log_format, settings.secrets())
    services = build_services(settings)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    feed = Feed(settings, services.store, services.oauth, lease_s=lease_s)
    feed.start()
    ended.wait()
    feed.stop()


if __name__ == "__main__":
    main(float(sys.argv[1]))
