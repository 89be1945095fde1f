"""The box's time zone, as the settings in force name it: all times on the page are times at the box."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firmware.errors import StoreError
from webui.call_list import open_calls

_KEPT_S = 30.0


class BoxZone:
    """Looks into the settings at most twice a minute."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._name: str | None = None
        self._read_s = 0.0

    def name(self) -> str | None:
        """An IANA name; ``None`` means the zone of the machine that the page runs on."""
        with self._lock:
            if self._name is None or time.monotonic() - self._read_s > _KEPT_S:
                self._read_s = time.monotonic()
                self._name = self._read()
            return self._name

    def _read(self) -> str | None:
        try:
            with open_calls(self._data_dir) as calls:
                name = calls.time_zone()
            if name is not None:
                ZoneInfo(name)
        except (StoreError, ZoneInfoNotFoundError, ValueError):
            return None
        return name
