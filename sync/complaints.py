"""What goes wrong on the way to the cloud: the last of it in words, for people, and alarms for what one must see."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sync.alarms import Alarms

log = logging.getLogger("offhook.sync")


class Complaints:
    def __init__(self, alarms: Alarms, dev: str, *, now_s: Callable[[], float]) -> None:
        self._alarms = alarms
        self._dev = dev
        self._now_s = now_s
        self.last = ""
        self.last_key = ""
        """The sort of trouble, for words in the reader's language."""

    def failed(self, why: str, key: str = "other") -> None:
        if why != self.last:
            log.warning("%s", why)
        self.last, self.last_key = why, key

    def trouble(self, key: str, detail: str) -> None:
        """``key`` as in `moves.Trouble`."""
        self.failed(detail, key)
        if key in ("not_allowed", "cloud_full"):
            self.alarm(f"sync_{key}", self._dev, detail)

    def alarm(self, key: str, subject: str, detail: str) -> None:
        self._alarms.raise_alarm(key, subject, detail, now_s=self._now_s())

    def over(self, *keys: str) -> None:
        """What these alarms told of the whole box is over."""
        for key in keys:
            self._alarms.resolve(key, self._dev)

    def forget(self) -> None:
        self.last = self.last_key = ""
