"""How much was sent today and this month, and whether that is all that may be."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sync.outbox import Mark, Outbox, volume_sent

MB = 1_000_000
PACKET_BYTES = 60
"""Added per publish for MQTT, TLS and TCP: about what was measured (docs/measurements.md)."""


class Volume:
    """Counts whatever leaves; limits only what can wait."""

    def __init__(self, outbox: Outbox, zone: ZoneInfo, *, day_mb: int, month_mb: int) -> None:
        self._outbox = outbox
        self._zone = zone
        self._day_bytes = day_mb * MB
        self._month_bytes = month_mb * MB
        self._unsaved = 0
        self._day = ""
        self._today = self._month = 0

    def sent(self, size: int) -> None:
        self._unsaved += size

    def used_up(self, utc_ms: int) -> bool:
        """Whether the day's or the month's volume is spent."""
        self._look(utc_ms)
        today, month = self._today + self._unsaved, self._month + self._unsaved
        return bool(
            (self._day_bytes and today >= self._day_bytes) or (self._month_bytes and month >= self._month_bytes)
        )

    def marks(self, utc_ms: int) -> list[Mark]:
        """What to write now and then."""
        self._look(utc_ms)
        size, self._unsaved = self._unsaved, 0
        self._today += size
        self._month += size
        return [volume_sent(self._day, size)] if size else []

    def shown(self, utc_ms: int) -> dict[str, int]:
        self._look(utc_ms)
        return {"today_bytes": self._today + self._unsaved, "month_bytes": self._month + self._unsaved}

    def _look(self, utc_ms: int) -> None:
        day = f"{datetime.fromtimestamp(utc_ms / 1000, self._zone):%Y-%m-%d}"
        if day != self._day:
            self._day = day
            self._today, self._month = self._outbox.volume(day)
