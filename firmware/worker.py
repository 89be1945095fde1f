"""A named thread with an owner, a stop flag and a deadline to end by."""

from __future__ import annotations

import threading
from collections.abc import Callable

from firmware.errors import OffhookError


class WorkerStuckError(OffhookError):
    """A thread did not end by its deadline."""


class Worker:
    """Runs ``target(stop)`` on a thread of its own until it returns or ``stop`` is set.

    An exception that leaves ``target`` is a bug: it reaches ``threading.excepthook``, where the service ends the
    process so that systemd starts a clean one. A lost device is an event, never an exception out of here.
    """

    def __init__(self, name: str, target: Callable[[threading.Event], None]) -> None:
        self.name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=target, args=(self._stop,), name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request_stop(self) -> None:
        """Sets the stop flag and returns at once."""
        self._stop.set()

    def join(self, deadline_s: float) -> None:
        """Waits for the end. Raises `WorkerStuckError` when it has not come after ``deadline_s`` seconds."""
        if self._thread.ident is None or self._thread is threading.current_thread():
            return
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            raise WorkerStuckError(f"thread {self.name} did not end within {deadline_s} s")

    def stop(self, deadline_s: float = 5.0) -> None:
        """`request_stop`, then `join`."""
        self.request_stop()
        self.join(deadline_s)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()
