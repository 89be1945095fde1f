"""The cloud as a source of time for a box without NTP and without a clock battery."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from firmware.errors import OffhookError
from firmware.ipc.client import RecorderClient
from firmware.model import Instant

log = logging.getLogger("offhook.sync")

AGREES_MS = 2000
"""A clock this near to the cloud's is right: the answer's own way takes part of it."""
SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches it once it has set the clock."""
CLOCK_AGREES_MS = 120_000
"""So near, the clock will do for hours of the day and for the trust that a record claims."""
_DEADLINE_S = 2.0


class ClockWatch:
    """Says once per process that the clock agrees with the cloud, or wishes once that it is set."""

    def __init__(self, wish: Path, socket: Path, *, trusted: bool) -> None:
        """``trusted``: what comes is what the cloud said (TLS); only then is the clock set by it."""
        self._wish = wish
        self._socket = socket
        self._trusted = trusted
        self._agreed = self._wished = False

    def told(self, cloud_ms: int, now: Instant, *, synchronized: bool) -> None:
        """The cloud's time, as it has just arrived. With NTP (``synchronized``) there is nothing to learn from it."""
        if synchronized or self._agreed:
            return
        ahead_ms = cloud_ms - now.utc_ms
        if abs(ahead_ms) < AGREES_MS:
            self._agreed = self._tell()
        elif self._trusted and not self._wished:
            self._wished = True
            log.warning("the clock is wrong by %.0f s, says the cloud", abs(ahead_ms) / 1000)
            self._leave(cloud_ms)

    def _tell(self) -> bool:
        try:
            with RecorderClient(self._socket, _DEADLINE_S) as client:
                client.request("clock.told", source="cloud")
        except (OffhookError, OSError) as error:
            log.info("the recorder is not told of the clock yet: %s", error)
            return False
        return True

    def _leave(self, cloud_ms: int) -> None:
        try:
            self._wish.parent.mkdir(parents=True, exist_ok=True)
            draft = self._wish.with_suffix(".part")
            draft.write_text(f"{cloud_ms // 1000} cloud\n")
            draft.replace(self._wish)
        except OSError as error:
            log.warning("cannot leave a wish to set the clock: %s", error)


class CloudTime:
    """How the box's clock stands to the cloud's, and what may be done by it."""

    def __init__(self, wish: Path, socket: Path, *, zone: ZoneInfo, trusted: bool) -> None:
        """As `ClockWatch`; ``zone`` is the box's."""
        self._watch = ClockWatch(wish, socket, trusted=trusted)
        self._zone = zone
        self._ahead_ms: int | None = None
        """The cloud's clock minus ours; None before its first word."""

    def told(self, cloud_ms: int, now: Instant) -> None:
        self._ahead_ms = cloud_ms - now.utc_ms
        self._watch.told(cloud_ms, now, synchronized=SYNCHRONIZED.exists())

    def of(self, utc_ms: int) -> int:
        """What the cloud's clock shows when ours shows ``utc_ms``."""
        return utc_ms + (self._ahead_ms or 0)

    @property
    def clock_is_right(self) -> bool:
        agrees = self._ahead_ms is not None and abs(self._ahead_ms) < CLOCK_AGREES_MS
        return agrees or SYNCHRONIZED.exists()

    def minute(self, utc_ms: int) -> int | None:
        """Of the local day; None while the clock cannot be trusted."""
        if not self.clock_is_right:
            return None
        local = datetime.fromtimestamp(utc_ms / 1000, self._zone)
        return local.hour * 60 + local.minute
