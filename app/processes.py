"""Child processes that never outlive their parent, whatever kills it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

_PR_SET_PDEATHSIG = 1
# Loaded here and not after a fork, where loading a library may deadlock.
_libc = ctypes.CDLL(None, use_errno=True)
_prctl: Callable[..., int] | None = getattr(_libc, "prctl", None)


def die_with_parent(parent_pid: int, signum: int = signal.SIGKILL) -> None:
    """Have the kernel send this process `signum` when its parent dies, `parent_pid` being the parent it expects.

    Where the parent has died already, the process ends now. Only Linux can do this; elsewhere nothing happens.
    """
    if _prctl is None:
        return
    _prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    parent_signal: int = signal.SIGKILL,
    output: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that gets `parent_signal` when this process dies.

    Call it from a thread that lives as long as the process: the kernel watches the thread that forked. The child has a
    session of its own, so that Ctrl-C reaches the parent alone, which then ends its children in order.
    """
    parent = os.getpid()
    return subprocess.Popen(  # noqa: S603 - our own commands, never a shell
        list(command),
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(parent, parent_signal),
    )


def end(child: subprocess.Popen[bytes], within_s: float = 3.0) -> None:
    """End a child: SIGTERM, and SIGKILL when it has not ended in time."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(within_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def app_command(*arguments: str) -> list[str]:
    """The command line of `python -m app ARGUMENTS` with this interpreter."""
    return [sys.executable, "-m", "app", *arguments]
