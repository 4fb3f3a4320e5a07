"""gunicorn's configuration, found by itself in the working directory. Everything comes from app/settings.py."""

import os
import sys

from app.errors import GexError
from app.hosting import GRACE_S, Log, prepare

try:
    hosting = prepare()
except GexError as error:
    sys.exit(f"error: {error.line}")

bind = hosting.bind
workers = hosting.workers
threads = hosting.settings.threads
worker_class = "app.worker.Worker"
limit_request_line = 8190  # a page's address carries its whole choice; gunicorn takes no more
preload_app = True
control_socket_disable = True
# Which proxies to believe TRUSTED_PROXIES says (app/server.py). gunicorn itself would take the scheme, and the path that the
# application lies under, from any client on this machine.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
timeout = 30
graceful_timeout = GRACE_S
logger_class = Log
# a worker's heartbeat file on a disk can stall the worker
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

on_starting = hosting.on_starting
when_ready = hosting.when_ready
on_exit = hosting.on_exit
child_exit = hosting.child_exit
post_fork = hosting.post_fork
post_worker_init = hosting.post_worker_init
worker_exit = hosting.worker_exit
