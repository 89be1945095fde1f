"""Calls something once, a while later, unless it is cancelled or started anew before: a worker that mostly sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from firmware.worker import Worker


class Alarm(Protocol):
    """What a driver asks of a timer."""

    def start(self, seconds: float) -> None: ...

    def cancel(self) -> None: ...

    def stop(self) -> None: ...


class Timer:
    """``action`` is called on the timer's own thread and must return at once; never after `stop` returned."""

    def __init__(self, name: str, action: Callable[[], None]) -> None:
        self._name = name
        self._action = action
        self._changed = threading.Condition()
        self._due_s: float | None = None
        self._ended = False
        self._worker: Worker | None = None

    def start(self, seconds: float) -> None:
        """Due in ``seconds`` from now, whatever was due before."""
        with self._changed:
            if self._ended:
                return
            self._due_s = time.monotonic() + seconds
            if self._worker is None:
                self._worker = Worker(self._name, self._run)
                self._worker.start()
            self._changed.notify_all()

    def cancel(self) -> None:
        with self._changed:
            self._due_s = None
            self._changed.notify_all()

    def stop(self) -> None:
        """Ends the thread; the timer cannot be started again."""
        with self._changed:
            self._ended = True
            self._due_s = None
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.stop(5.0)

    def _run(self, stop: threading.Event) -> None:
        with self._changed:
            while not stop.is_set() and not self._ended:
                if self._due_s is None:
                    self._changed.wait(1.0)
                elif (left_s := self._due_s - time.monotonic()) > 0:
                    self._changed.wait(left_s)
                else:
                    self._due_s = None
                    self._action()
