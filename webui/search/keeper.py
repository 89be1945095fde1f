"""Keeps the search index up to date in the background: making it at first may take a minute."""

from __future__ import annotations

import logging
import threading

from firmware.errors import StoreError
from firmware.worker import Worker
from webui.search.index import SearchIndex

log = logging.getLogger("offhook.web.search")

_EVERY_S = 20.0
_AT_ONCE_S = 1.0


class SearchKeeper:
    """A worker; each question catches up by itself too, so this only spares it the work."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        self._worker = Worker("search-keeper", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self, deadline_s: float = 10.0) -> None:
        self._worker.stop(deadline_s)
        self._index.close()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                done = self._index.catch_up(_AT_ONCE_S)
            except StoreError as error:
                log.info("the search index was not kept up: %s", error)
                done = True
            stop.wait(_EVERY_S if done else 0.01)
