"""Keeps one subscription to the recorder's socket alive and feeds the hub with it."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path

from firmware.ipc.client import RecorderClient, RecorderUnreachableError, RefusedError
from firmware.worker import Worker
from webui.feed.hub import Hub

log = logging.getLogger("offhook.web.feed")

STALLED_AFTER_S = 3.0
"""The recorder touches its ``alive`` file twice a second; this long without means that it does not watch the lines."""

_LOOK_EVERY_S = 1.0
_COUNT_EVERY_S = 60.0
_SETTLE_S = 1.0
_FIRST_RETRY_S = 0.2
_LONGEST_RETRY_S = 2.0


class Subscription:
    """A worker that connects, listens, notices when the recorder stalls or goes, and connects again."""

    def __init__(self, run_dir: Path, hub: Hub) -> None:
        self._socket_path = run_dir / "recorder.sock"
        self._alive_path = run_dir / "alive"
        self._hub = hub
        self._asked = threading.Event()
        self._listener = Worker("recorder-feed", self._run)
        self._counter = Worker("recorder-counts", self._count)

    def start(self) -> None:
        self._listener.start()
        self._counter.start()

    def stop(self, deadline_s: float = 10.0) -> None:
        for worker in (self._listener, self._counter):
            worker.request_stop()
        self._asked.set()
        for worker in (self._listener, self._counter):
            worker.join(deadline_s)

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
                    if event.get("event") == "call":
                        self._asked.set()
                if time.monotonic() - looked_s >= _LOOK_EVERY_S:
                    looked_s = time.monotonic()
                    ago_s = self._watched_ago_s()
                    self._hub.link_is("up" if ago_s < STALLED_AFTER_S else "stalled", watched_ago_s=ago_s)

    def _count(self, stop: threading.Event) -> None:
        """Today's counts come with the full state only: asks for it when calls have changed, or the day may have."""
        while not stop.is_set():
            self._asked.wait(_COUNT_EVERY_S)
            if stop.wait(_SETTLE_S):
                return
            self._asked.clear()
            try:
                with RecorderClient(self._socket_path, deadline_s=2.0) as recorder:
                    self._hub.today_is(recorder.request("state").get("today", {}))
            except (RecorderUnreachableError, RefusedError):
                log.debug("today's counts are not to be had: the recorder does not answer")

    def _watched_ago_s(self) -> float:
        """Judged by the clock that never jumps; a recorder that has left no mark yet has only just come."""
        try:
            watched_ns = int(json.loads(self._alive_path.read_text())["boot_ns"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - watched_ns) / 1e9
