"""Alarms of the sync process, raised through the recorder: it writes them, and tells the page and the cloud."""

from __future__ import annotations

import logging
from pathlib import Path

from firmware.errors import OffhookError, RequestError
from firmware.ipc.client import RecorderClient

log = logging.getLogger("offhook.sync")

AGAIN_S = 24 * 3600.0
RETRY_S = 30.0
DEADLINE_S = 2.0


class Alarms:
    """The same alarm again within a day is not raised again. The recorder may be away: it is told later."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._raised_s: dict[tuple[str, str], float | None] = {}
        """When it was raised last; None: resolved."""
        self._waiting: list[tuple[str, str, str | None]] = []
        self._next_s = 0.0

    def raise_alarm(self, key: str, subject: str, detail: str, *, now_s: float) -> None:
        """``key`` as in `firmware.store.alarm_texts`."""
        last_s = self._raised_s.get((key, subject))
        if last_s is None or now_s - last_s >= AGAIN_S:
            self._raised_s[key, subject] = now_s
            self._waiting.append((key, subject, detail))
            log.warning("%s: %s", key, detail, extra={"offhook": {"alarm": key, "subject": subject}})

    def resolve(self, key: str, subject: str) -> None:
        """What the alarm told of is over; the first time also without knowing whether an earlier process raised it."""
        if self._raised_s.get((key, subject), 0.0) is not None:
            self._raised_s[key, subject] = None
            self._waiting.append((key, subject, None))

    def deliver(self, now_s: float) -> None:
        """Call it now and then."""
        if not self._waiting or now_s < self._next_s:
            return
        try:
            with RecorderClient(self._socket, DEADLINE_S) as client:
                while self._waiting:
                    key, subject, detail = self._waiting[0]
                    if detail is None:
                        client.request("alarm.resolve", key=key, subject=subject)
                    else:
                        client.request("alarm.raise", key=key, subject=subject, detail=detail)
                    self._waiting.pop(0)
        except RequestError as error:
            self._waiting.pop(0)
            log.error("the recorder does not take an alarm: %s", error)
        except (OffhookError, OSError) as error:
            self._next_s = now_s + RETRY_S
            log.warning("an alarm waits for the recorder: %s", error)
