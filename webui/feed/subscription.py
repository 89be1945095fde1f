"""Keeps one subscription to the recorder's socket alive and feeds the hub with it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from firmware.ipc.client import RecorderClient, RecorderUnreachableError, RefusedError
from firmware.worker import Worker
from webui.feed.hub import Hub

log = logging.getLogger("offhook.web.feed")

STALLED_AFTER_S = 3.0
"""The recorder touches its ``alive`` file twice a second; this long without means that it does not watch the lines."""

_LOOK_EVERY_S = 1.0
_FIRST_RETRY_S = 0.2
_LONGEST_RETRY_S = 2.0


class Subscription:
    """A worker that connects, listens, notices when the recorder stalls or goes, and connects again."""

    def __init__(self, run_dir: Path, hub: Hub, *, utc_s: Callable[[], float] = time.time) -> None:
        self._socket_path = run_dir / "recorder.sock"
        self._alive_path = run_dir / "alive"
        self._hub = hub
        self._utc_s = utc_s
        self._worker = Worker("recorder-feed", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self, deadline_s: float = 10.0) -> None:
        self._worker.stop(deadline_s)

    def _run(self, stop: threading.Event) -> None:
        retry_s = _FIRST_RETRY_S
        while not stop.is_set():
            try:
                self._listen(stop)
                retry_s = _FIRST_RETRY_S
            except (RecorderUnreachableError, RefusedError) as error:
                if retry_s == _FIRST_RETRY_S:
                    log.warning("the page has no live data: %s", error)
            self._hub.link_is("down")
            stop.wait(retry_s)
            retry_s = min(_LONGEST_RETRY_S, retry_s * 2)

    def _listen(self, stop: threading.Event) -> None:
        with RecorderClient(self._socket_path).subscribe(levels=True) as events:
            looked_s = time.monotonic()
            while not stop.is_set():
                event = events.next(_LOOK_EVERY_S)
                if event is not None:
                    self._hub.recorder_said(event)
                if time.monotonic() - looked_s >= _LOOK_EVERY_S:
                    looked_s = time.monotonic()
                    self._hub.link_is("stalled" if self._stalled() else "up")

    def _stalled(self) -> bool:
        try:
            touched_s = self._alive_path.stat().st_mtime
        except OSError:
            return False  # a recorder that has only just made its socket
        # The moment of a touch may lie ahead when the clock was set back; only the past counts.
        return self._utc_s() - touched_s > STALLED_AFTER_S
