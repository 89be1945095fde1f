"""Takes prepared copies of recordings away with the recordings: what was deleted must not live on in a cache."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from firmware.errors import StoreError
from firmware.worker import Worker
from webui.call_list import open_calls
from webui.media import MediaFiles

log = logging.getLogger("offhook.web.media")

SWEEP_EVERY_S = 300.0


class MediaSweep:
    """A worker that compares the cache with the database, at the start and every five minutes."""

    def __init__(self, *, data_dir: Path, media: MediaFiles, every_s: float = SWEEP_EVERY_S) -> None:
        self._data_dir = data_dir
        self._media = media
        self._every_s = every_s
        self._worker = Worker("media-sweep", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self, deadline_s: float = 10.0) -> None:
        self._worker.stop(deadline_s)

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with open_calls(self._data_dir) as calls:
                    kept = calls.kept_recordings()
                removed = self._media.keep_only(kept)
            except (StoreError, OSError) as error:
                log.warning("the cache of prepared sound was not swept: %s", error)
            else:
                if removed:
                    log.info("removed prepared copies of deleted recordings", extra={"offhook": {"files": removed}})
            stop.wait(self._every_s)
