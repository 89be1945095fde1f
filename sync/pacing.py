"""When audio may go, and how fast: the schedule, the rate limit and pauses."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")

NEVER = math.inf


def minutes_of(window: str) -> tuple[int, int]:
    """``"22:00-06:00"`` as minutes of the day. Raises ValueError."""
    found = _WINDOW.fullmatch(window)
    if not found:
        raise ValueError(f'must be like "22:00-06:00", not {window!r:.40}')
    start_h, start_m, end_h, end_m = map(int, found.groups())
    return start_h * 60 + start_m, end_h * 60 + end_m


@dataclass(frozen=True, slots=True)
class Schedule:
    """Minutes of the local day in which audio may go; none: always."""

    windows: tuple[tuple[int, int], ...] = ()

    def open_at(self, minute: int | None) -> bool:
        """``minute`` of the local day; None while the clock cannot be trusted: then only the rate limit holds."""
        if not self.windows or minute is None:
            return True
        return any(
            start <= minute < end if start < end else minute >= start or minute < end for start, end in self.windows
        )


class Bucket:
    """Lets ``bytes_per_s`` through on average; None: everything."""

    def __init__(self, bytes_per_s: float | None) -> None:
        self._rate = bytes_per_s
        self._level = 0.0
        self._at_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next chunk may go; it may be of any size, the debt is paid afterwards."""
        if self._rate is None:
            return 0.0
        if self._at_s is not None:
            self._level = min(0.0, self._level + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        return -self._level / self._rate

    def take(self, size: int) -> None:
        if self._rate is not None:
            self._level -= size


class Pacing:
    """Holds for audio of ordinary priority; records, commands and what a person asked for always go."""

    def __init__(self, schedule: Schedule = Schedule(), *, bytes_per_s: float | None = None) -> None:
        self.schedule = schedule
        self.bucket = Bucket(bytes_per_s)
        self.paused_until_s = 0.0
        self.hurry = False
        """Somebody asked to send everything now: schedule, volume and metered networks wait until the backlog is
        empty."""
        self.volume_used_up = False
        """The day's or the month's volume is spent."""
        self.metered = False
        """The way to the cloud costs by volume."""

    def closed_because(self, now_s: float, minute: int | None) -> str | None:
        """Why no audio may go now: ``paused``, ``schedule``, ``metered`` or ``volume``; None when it may."""
        if now_s < self.paused_until_s:
            return "paused"
        if self.hurry:
            return None
        if not self.schedule.open_at(minute):
            return "schedule"
        if self.metered:
            return "metered"
        return "volume" if self.volume_used_up else None
