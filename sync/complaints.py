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
        self._of_bucket = False

    def failed(self, why: str, key: str = "other", *, of_bucket: bool = False) -> None:
        """``of_bucket``: on the recordings' own way, which is another than the records'."""
        if why != self.last:
            log.warning("%s", why)
        self.last, self.last_key, self._of_bucket = why, key, of_bucket

    def trouble(self, key: str, detail: str, *, of_bucket: bool = False) -> None:
        """``key`` as in `moves.Trouble`."""
        self.failed(detail, key, of_bucket=of_bucket)
        if key in ("not_allowed", "cloud_full"):
            self.alarm(f"sync_{key}", self._dev, detail)

    def alarm(self, key: str, subject: str, detail: str) -> None:
        self._alarms.raise_alarm(key, subject, detail, now_s=self._now_s())

    def over(self, *keys: str) -> None:
        """What these alarms told of the whole box is over."""
        for key in keys:
            self._alarms.resolve(key, self._dev)

    def forget(self, *, of_bucket: bool = False) -> None:
        """That way works; what was wrong with the other one still is."""
        if self._of_bucket is of_bucket:
            self.last = self.last_key = ""
