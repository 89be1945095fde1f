"""Tells systemd how the service is: ready, alive, stopping, and one line for ``systemctl status``."""

from __future__ import annotations

import os
import time


def _say(message: str) -> None:
    from systemd.daemon import notify  # noqa: PLC0415 - a library of Linux; loaded where there is something to say

    notify(message)  # does nothing where $NOTIFY_SOCKET is not set


def ready(status: str = "") -> None:
    """The service does its work from now on."""
    _say(f"READY=1\nSTATUS={_one_line(status)}")


def status(text: str) -> None:
    """One line for people, in ``systemctl status``."""
    _say(f"STATUS={_one_line(text)}")


def stopping(text: str = "") -> None:
    """The service ends on purpose."""
    _say(f"STOPPING=1\nSTATUS={_one_line(text)}")


class Watchdog:
    """Pets systemd's watchdog, at most as often as needed; call `pet` from the loop that must not hang."""

    def __init__(self) -> None:
        timeout_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
        ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._every_s = timeout_s / 4 if ours else 0.0
        self._next_s = 0.0

    def pet(self) -> None:
        """Returns at once; sends nothing when no watchdog is set or the last word is fresh."""
        now_s = time.monotonic()
        if self._every_s and now_s >= self._next_s:
            self._next_s = now_s + self._every_s
            _say("WATCHDOG=1")


def _one_line(text: str) -> str:
    return " ".join(text.split())
