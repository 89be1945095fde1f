"""The uploading child as the sync process sees it: a job at a time, what it says, and how it is stopped."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys

from firmware.worker import Worker
from sync.s3.job import Event, Job

_STOP_S = 3.0


class Uploads:
    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._reader: Worker | None = None
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.urgent = False
        """Whether the running job may go whatever the schedule says."""
        self.used: dict[str, float] = {}
        """Memory and time of the last child that came to its end."""

    @property
    def busy(self) -> bool:
        return self._child is not None

    def start(self, job: Job, *, urgent: bool) -> None:
        """Returns at once."""
        self.urgent = urgent
        child = subprocess.Popen(
            [sys.executable, "-m", "sync.s3.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._child = child
        with contextlib.suppress(BrokenPipeError):  # a child that died at once says so by its end
            assert child.stdin
            # Its input stays open for as long as we live: its end tells the child that nobody listens any more.
            child.stdin.write(json.dumps(job.as_json()) + "\n")
            child.stdin.flush()
        self._reader = Worker("s3-child", lambda _stop: self._read(child))
        self._reader.start()

    def events(self) -> list[Event]:
        """What came since the last time; sees the child's end."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._events.get_nowait())
        for event in found:
            if event.what == "used":
                self.used = event.facts
        ended = self._child is not None and self._child.poll() is not None and self._reader and not self._reader.alive
        if ended and not found and self._events.empty():
            self._forget()
        return [event for event in found if event.what != "used"]

    def stop(self) -> None:
        """Ends the child where it is; what it has sent of a large file is gone on with."""
        if self._child is None:
            return
        self._child.kill()
        self._child.wait(_STOP_S)
        if self._reader:
            self._reader.join(_STOP_S)
        self._forget()

    def _forget(self) -> None:
        if self._child and self._child.stdin:
            with contextlib.suppress(OSError):
                self._child.stdin.close()
        self._child, self._reader = None, None

    def _read(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout
        with child.stdout:
            for line in child.stdout:
                with contextlib.suppress(ValueError, TypeError):  # a word of a library on our own channel
                    self._events.put(Event(**json.loads(line)))
