"""One thread that waits for the edges of all watched GPIO lines."""

from __future__ import annotations

import logging
import os
import selectors
import threading
from typing import Protocol

from firmware.worker import Worker

log = logging.getLogger("offhook.gpio")

_IDLE_S = 5.0


class Watched(Protocol):
    """A line with a file descriptor that gets readable when an edge has come."""

    @property
    def fd(self) -> int: ...

    def read_edges(self) -> None:
        """Raises OSError when the line's chip is gone."""
        ...


class EdgeReader:
    """`watch` and `forget` may be called from any thread. The thread runs while something is watched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[int, Watched] = {}
        self._worker: Worker | None = None
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def watch(self, line: Watched) -> None:
        """Tells ``line`` of its edges until `forget`. Raises OSError when it is not open."""
        with self._lock:
            self._watched[line.fd] = line
            if self._worker is None:
                self._worker = Worker("gpio-edges", self._run)
                self._worker.start()
        self._wake()

    def forget(self, line: Watched) -> None:
        """No edge is told from now on, but for one that is being told."""
        with self._lock:
            self._watched = {fd: other for fd, other in self._watched.items() if other is not line}
        self._wake()

    def close(self) -> None:
        """Ends the thread."""
        with self._lock:
            worker, self._worker = self._worker, None
            self._watched.clear()
        if worker is not None:
            worker.request_stop()
            self._wake()
            worker.join(5.0)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:  # full: it will wake anyway
            return

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            with self._lock:
                watched = dict(self._watched)
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake_read, selectors.EVENT_READ)
                for fd in list(watched):
                    try:
                        selector.register(fd, selectors.EVENT_READ)
                    except OSError:  # closed in this moment: `forget` is on its way
                        del watched[fd]
                self._read_until_woken(selector, watched, stop)

    def _read_until_woken(
        self, selector: selectors.BaseSelector, watched: dict[int, Watched], stop: threading.Event
    ) -> None:
        while not stop.is_set():
            for key, _ in selector.select(_IDLE_S):
                if key.fd == self._wake_read:
                    os.read(self._wake_read, 4096)
                    return
                try:
                    watched[key.fd].read_edges()
                except OSError as error:
                    # Whoever owns the line finds out by reading it; here it would only spin.
                    log.warning("a GPIO line is lost: %s", error)
                    selector.unregister(key.fd)
