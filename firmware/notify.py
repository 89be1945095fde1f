"""Tells systemd how the service is: ready, alive, stopping, and one line for ``systemctl status``."""

from __future__ import annotations

import os
import time


class Notifier:
    """Speaks sd_notify(3). Every call returns at once, and does nothing where systemd did not start the process."""

    def __init__(self) -> None:
        timeout_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
        ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._pet_every_s = timeout_s / 4 if ours else 0.0
        self._pet_next_s = 0.0
        self._status = ""

    def ready(self, status: str = "") -> None:
        """The service does its work from now on."""
        self._status = _one_line(status)
        _say(f"READY=1\nSTATUS={self._status}")

    def status(self, text: str) -> None:
        """One line for people, in ``systemctl status``; the same again is not sent again."""
        line = _one_line(text)
        if line != self._status:
            self._status = line
            _say(f"STATUS={line}")

    def watchdog(self) -> None:
        """Call it from the loop that must not hang, as often as it turns: systemd hears it four times per
        ``WatchdogSec``."""
        now_s = time.monotonic()
        if self._pet_every_s and now_s >= self._pet_next_s:
            self._pet_next_s = now_s + self._pet_every_s
            _say("WATCHDOG=1")

    def stopping(self, text: str = "") -> None:
        """The service ends on purpose."""
        _say(f"STOPPING=1\nSTATUS={_one_line(text)}")


def _say(message: str) -> None:
    if "NOTIFY_SOCKET" in os.environ:
        from systemd.daemon import notify  # noqa: PLC0415 - a library of Linux; loaded where there is something to say

        notify(message)


def _one_line(text: str) -> str:
    return " ".join(text.split())
