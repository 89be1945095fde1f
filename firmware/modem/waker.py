"""Wakes a thread that waits in select(): a pipe that any thread may ring, also after it is gone."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Waker:
    """Wait for `fileno` to be readable, then `clear`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a number of a closed pipe may be another file's by now
        self._ends: tuple[int, int] | None = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        assert self._ends is not None
        return self._ends[0]

    def ring(self) -> None:
        """Returns at once; does nothing after `close`."""
        with self._lock, suppress(BlockingIOError):  # the pipe is full: the thread is awake anyway
            if self._ends is not None:
                os.write(self._ends[1], b"\0")

    def clear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.fileno(), 4096)

    def close(self) -> None:
        with self._lock:
            ends, self._ends = self._ends, None
        for end in ends or ():
            os.close(end)
