"""The thread that waits for the card: what it does for a line's files must not keep the line's sound in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from firmware.worker import Worker


class Flusher:
    """Runs jobs in the order given, each to its end. One per line: a line's next file waits for its last one only.

    A forced write (fdatasync) takes as long as the card is busy, seconds on a bad one. The file thread goes on writing
    into the kernel's memory meanwhile, so that the end of this process costs none of that sound.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._worker = Worker(name, self._run)

    def start(self) -> None:
        self._worker.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Returns at once. What ``job`` raises is a bug and ends the process."""
        self._jobs.put(job)

    def finish(self) -> None:
        """Ends the thread after the jobs submitted so far; returns at once."""
        self._jobs.put(None)

    def join(self, deadline_s: float) -> None:
        """Raises `WorkerStuckError` when the disk hangs."""
        self._worker.join(deadline_s)

    def _run(self, _stop: threading.Event) -> None:
        while (job := self._jobs.get()) is not None:
            job()
