"""gunicorn's threaded worker, and how it leaves: whoever has been let in is served."""

from __future__ import annotations

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):  # type: ignore[misc]
    """A worker that takes in everybody who waits at the door before it shuts its own.

    gunicorn's leaves the door open while it finishes: connections that the kernel completes meanwhile are reset in the end,
    with their requests in them.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called with False at the end, too, when `alive` is False."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            self._shut()

    def _shut(self) -> None:
        for listener in self.sockets:
            listener.setblocking(False)
            taken = -1
            while taken < self.nr_conns < self.worker_connections:
                taken = self.nr_conns
                self.accept(listener)
            listener.close()
