"""The machine's two clocks."""

from __future__ import annotations

import time
from pathlib import Path

from firmware.model import Instant


class SystemClock:
    """CLOCK_BOOTTIME for deadlines and CLOCK_REALTIME for people."""

    def now(self) -> Instant:
        return Instant(boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME), utc_ns=time.time_ns())


def boot_id() -> str:
    """The kernel's id of this boot: moments with equal ids compare by ``boot_ns``."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
