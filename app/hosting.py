"""How gunicorn runs the product: what gunicorn.conf.py asks for, and what happens in its hooks.

The master starts one keeper (app.keeper) for everything beside the web workers. Each worker starts its own thread of
the feed in `post_worker_init`, never at import; the lease in the cache decides which of them feeds.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from gunicorn.glogging import Logger

from app.access.callback import listener_address
from app.cache import MEMORY_URL, open_store
from app.cache.embedded import SOCKET_NAME, EmbeddedRedis, private_path
from app.errors import CacheError, ChainFileError, ForeignServer, GexError, SettingsError
from app.keeper import READY, Plan
from app.log import configure
from app.processes import app_command, die_with_parent, end, spawn
from app.services import Services, build_services
from app.settings import Settings, bracketed, get_settings, is_loopback
from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL

log = logging.getLogger(__name__)

# All three ends come one after the other, and together take less than ten seconds.
_FEED_STOP_S = 2.5
GRACE_S = 4
_KEEPER_STOP_S = 3.0
_KEEPER_START_S = 20.0
_MOST_WORKERS = 4
_PATIENCE_S = 4.0
_PATIENCE = "Still starting: the first start compiles the engine, which takes a minute or two."
# The feed computes in a thread beside the requests. Each of their calls to Redis gives the interpreter away, and would wait
# five milliseconds, Python's default, to have it back.
_SWITCH_S = 0.0005
_COUNTERS = "PROMETHEUS_MULTIPROC_DIR"


class Hosting:
    """One gunicorn server: its settings, the plan for its keeper, and the hooks."""

    def __init__(self, settings: Settings, plan: Plan) -> None:
        self.settings = settings
        self.plan = plan
        self._keeper: subprocess.Popen[bytes] | None = None
        self._feed: Any = None
        self._streams: Any = None

    @property
    def bind(self) -> str:
        """gunicorn's `bind`."""
        return address(self.settings)

    @property
    def workers(self) -> int:
        """gunicorn's `workers`: one per core, four at most; one alone where the cache is in the process's memory."""
        if self.settings.redis_url == MEMORY_URL:
            return 1
        return self.settings.workers or min(os.cpu_count() or 1, _MOST_WORKERS)

    # --- in the master ----------------------------------------------------------------------------

    def on_starting(self, server: Any) -> None:
        """Start the keeper, and compile and import what the first requests need: the workers inherit it."""
        try:
            with breakable():
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked by app.commands.run
                refuse_open_door(self.settings, [str(bound) for bound in server.cfg.bind])
                if self.plan:
                    self._keeper = _start_keeper(self.plan)
                _warm_up()
                gc.collect()
                gc.freeze()  # what was loaded stays shared: no collection in a worker touches, and so copies, its pages
        except GexError as error:
            sys.exit(f"error: {error.line}")
        except KeyboardInterrupt:  # before gunicorn's own loop, which would take it without a traceback
            sys.exit(130)

    def when_ready(self, server: Any) -> None:
        """Say where the dashboard is, and from now on end with the keeper."""
        _say(f"Dashboard: {self.settings.home}/ ({_what(self.settings)}). Ctrl-C ends it.")
        if self._keeper is None:
            return
        master = os.getpid()

        def child_ended(signum: int, frame: Any) -> None:
            server.signal_chld(signum, frame)
            if os.getpid() == master and self._keeper is not None and self._keeper.poll() is not None:
                _say("The process that keeps Redis and the simulator has died; ending.")
                server.SIG_QUEUE.put_nowait(signal.SIGTERM)

        signal.signal(signal.SIGCHLD, child_ended)

    def on_exit(self, server: Any) -> None:
        """End the keeper and, with it, all it keeps."""
        del server
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            end(keeper, _KEEPER_STOP_S)
        if self.plan.redis_folder:  # a keeper that was killed has left it behind
            EmbeddedRedis(Path(self.plan.redis_folder)).stop()
        gc.freeze()  # the interpreter's last collection would take a second, for memory that is freed anyway

    def child_exit(self, server: Any, worker: Any) -> None:
        """What a worker had open isn't open any more; what it counted stays."""
        del server
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

    # --- in a worker ------------------------------------------------------------------------------

    def post_fork(self, server: Any, worker: Any) -> None:
        """A worker doesn't outlive its master, even a killed one."""
        del worker
        die_with_parent(server.pid, signal.SIGTERM)

    def post_worker_init(self, worker: Any) -> None:
        """Start this worker's feed, which contends for the lease."""
        del worker
        sys.setswitchinterval(_SWITCH_S)
        from app.api.stream import streams_of
        from app.wsgi import server, services

        self._streams = streams_of(server)
        if self.settings.feed_mode != "thread":
            return
        from app.listeners import make_feed

        self._feed = make_feed(services)
        self._feed.start()

    def worker_exit(self, server: Any, worker: Any) -> None:
        """End the open streams, and stop the feed, so that its lease is free at once."""
        del server, worker
        if self._streams is not None:
            self._streams.close()
        if self._feed is not None:
            self._feed.stop(timeout_s=_FEED_STOP_S)
        gc.freeze()  # as in on_exit


class Log(Logger):  # type: ignore[misc]
    """gunicorn's own messages in the style of all others."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        settings = get_settings()
        configure(settings.log_level, settings.log_format, settings.secrets())
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        # its start and end are of no interest to who reads the log for the feed
        self.error_log.setLevel(logging.DEBUG if settings.log_level == "DEBUG" else logging.WARNING)


@cache
def prepare() -> Hosting:
    """Decide what runs, and tell it to every process of this server through the environment.

    Once per process: a reload of gunicorn's configuration changes nothing. Raises SettingsError or CacheError.
    """
    settings = get_settings()
    if settings.redis_url == MEMORY_URL and settings.feed_mode == "process":
        raise SettingsError(
            "FEED_MODE=process needs a Redis", cure="Unset REDIS_URL=memory://, or set FEED_MODE=thread."
        )
    _refuse_half_credentials(settings)
    _refuse_foreign_server(settings)
    demo_port = _free_port() if settings.demo and settings.feed_mode != "off" else 0
    if demo_port and settings.demo_chain:
        _refuse_no_chain(settings.demo_chain)
    if demo_port and settings.redis_url:
        _refuse_real_cache(build_services(settings))
    folder = "" if settings.redis_url else str(private_path())
    os.environ.update(_environment(settings, folder, demo_port))
    os.environ.setdefault(_COUNTERS, _private_folder())
    get_settings.cache_clear()
    settings = get_settings()
    build_services(settings)  # so that a wrong address or key is told now, in one line
    return Hosting(settings, Plan(folder, _commands(settings, demo_port)))


def _private_folder() -> str:
    """Where the workers keep their counters for GET /metrics: in memory where that is possible; gone with this process."""
    in_memory = "/dev/shm"  # noqa: S108 - a new folder, for its maker alone
    place = in_memory if os.access(in_memory, os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="gex-metrics-", dir=place)
    maker = os.getpid()

    def remove() -> None:
        if os.getpid() == maker:  # the workers inherit this
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def address(settings: Settings) -> str:
    """HOST:PORT, with brackets around an IPv6 address."""
    return f"{bracketed(settings.host)}:{settings.port}"


def refuse_open_door(settings: Settings, bound: list[str]) -> None:
    """Raises SettingsError when gunicorn was told to listen where others reach it, and HOST knows nothing of that.

    Who may look follows from HOST: with `--bind 0.0.0.0` alone the dashboard would be open to everyone.
    """
    if not settings.is_public or settings.access:
        return
    for place in bound:
        if not is_loopback(place.rpartition(":")[0].strip("[]")):
            raise SettingsError(
                f"gunicorn listens on {place}, but HOST is {settings.host}",
                cure="Set HOST and PORT instead of --bind, or set ACCESS to private or public.",
            )


def _environment(settings: Settings, redis_folder: str, demo_port: int) -> dict[str, str]:
    """What the other processes must know that the user's settings don't say."""
    added = {"REDIS_URL": f"unix://{redis_folder}/{SOCKET_NAME}"} if redis_folder else {}
    if demo_port:
        added |= {
            "FORCE_DEMO": "true",
            "SCHWAB_APP_KEY": APP_KEY,
            "SCHWAB_APP_SECRET": APP_SECRET,
            "SCHWAB_API_URL": f"http://127.0.0.1:{demo_port}",
            # back to this server itself, over plain http
            "SCHWAB_CALLBACK_URL": f"{settings.home}/login/callback",
            # the simulator's login must never take the place of the one with Schwab
            "DATA_DIR": str(settings.data_dir / "demo"),
        }
    return added


def _commands(settings: Settings, demo_port: int) -> dict[str, list[str]]:
    """The command lines to keep, by the name that the log gives them."""
    commands = {}
    if demo_port:
        commands["simulator"] = _simulator_command(settings, demo_port)
    elif listener_address(settings) and not settings.demo:
        commands["callback listener"] = app_command("listen")
    if settings.feed_mode == "process":
        commands["feed"] = app_command("feed")
    return commands


def _simulator_command(settings: Settings, port: int) -> list[str]:
    callbacks = ",".join(dict.fromkeys([settings.schwab_callback_url, CALLBACK_URL]))
    if settings.replay_tape:
        command = app_command(
            "replay", settings.replay_tape, "--serve", str(port), "--callback-url", callbacks
        )
        return [*command, "--speed", str(settings.replay_speed)]
    command = app_command("simulate", "--port", str(port), "--symbols", settings.symbols)
    command += ["--seed", str(settings.demo_seed), "--callback-url", callbacks]
    return [*command, "--chain", settings.demo_chain] if settings.demo_chain else command


def _refuse_half_credentials(settings: Settings) -> None:
    """Raises SettingsError: who has set one of the two wants Schwab's market, not the simulator's."""
    names = {"SCHWAB_APP_KEY": settings.schwab_app_key, "SCHWAB_APP_SECRET": settings.schwab_app_secret}
    missing = [name for name, value in names.items() if not value.get_secret_value()]
    if len(missing) == 1 and not settings.force_demo:
        raise SettingsError(
            f"{missing[0]} is not set, but the other credential is",
            cure="Set both for live data, or neither for the simulator.",
        )


def _refuse_foreign_server(settings: Settings) -> None:
    """Raises SettingsError when REDIS_URL names something that answers, but not as Redis. An absent Redis may come yet."""
    store = open_store(settings.redis_url or MEMORY_URL)
    try:
        store.status()
    except ForeignServer as error:
        raise SettingsError(f"REDIS_URL: {error}", cure=error.cure) from error
    except CacheError:
        return
    finally:
        store.close()  # the workers open connections of their own


def _refuse_no_chain(path: str) -> None:
    """Raises SettingsError: else the simulator would fail to start again and again, beside a dashboard without data."""
    from app.chainfile import read_chain  # NumPy is needed for nothing else here

    try:
        read_chain(Path(path))
    except ChainFileError as error:
        raise SettingsError(f"DEMO_CHAIN: {error}", cure=error.cure) from error


def _refuse_real_cache(services: Services) -> None:
    """Raises SettingsError rather than let a demo write over the real market in a shared Redis."""
    if services.store.backend != "redis":
        return
    try:
        status = services.store.status()
        source = orjson.loads(status).get("source") if status else None
    except (CacheError, ValueError):
        return
    if source == "schwab":
        raise SettingsError(
            "REDIS_URL holds Schwab's market data, and there are no credentials here: a demo would overwrite it",
            cure="Set SCHWAB_APP_KEY and SCHWAB_APP_SECRET, or FEED_MODE=off to show it only, or another REDIS_URL.",
        )


def _start_keeper(plan: Plan) -> subprocess.Popen[bytes]:
    """The keeper, once Redis answers. Raises CacheError when it can't be started; it has said why."""
    command = [sys.executable, "-m", "app.keeper", plan.to_argument()]
    keeper = spawn(command, parent_signal=signal.SIGTERM, output=subprocess.PIPE)
    assert keeper.stdout is not None  # noqa: S101 - that is what PIPE means
    ready, _, _ = select.select([keeper.stdout], [], [], _KEEPER_START_S)
    if not ready or keeper.stdout.readline() != READY:
        end(keeper)
        raise CacheError(
            "what the dashboard needs beside it could not be started", cure="The reason is above."
        )
    return keeper


@contextlib.contextmanager
def breakable() -> Iterator[None]:
    """Have a Ctrl-C break off what is done within, also one that falls into a finaliser, whose errors Python passes over."""
    pressed: list[int] = []

    def press(signum: int, _frame: object) -> None:
        pressed.append(signum)
        raise KeyboardInterrupt

    def passed_over(what: sys.UnraisableHookArgs) -> None:
        if what.exc_type is not KeyboardInterrupt:
            sys.__unraisablehook__(what)

    handler, hook = signal.signal(signal.SIGINT, press), sys.unraisablehook
    sys.unraisablehook = passed_over
    try:
        yield
        if pressed:
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, handler)
        sys.unraisablehook = hook


def _warm_up() -> None:
    """Before the fork and without a thread: what a first request would otherwise wait for."""
    import plotly.graph_objects  # noqa: F401

    from app.gex import warm_up

    before = signal.signal(signal.SIGALRM, lambda *_: _say(_PATIENCE))
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S)
    try:
        warm_up()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _what(settings: Settings) -> str:
    if settings.feed_mode == "off":
        return "no feed of its own"
    return "simulated data" if settings.simulated else "data from Schwab"


def _say(text: str) -> None:
    """For the person at the terminal; the log goes to stderr."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
