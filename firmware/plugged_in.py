"""Watches what is plugged in and keeps the settings up with it: with none at all, a plugged device records."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from firmware.effects import RaiseAlarm
from firmware.hotplug import Hotplug, scan
from firmware.ports import Clock, FoundDevice
from firmware.settings import SettingsService
from firmware.store.writer import StoreWriter

log = logging.getLogger("offhook.lines")


class PluggedIn:
    """Adds a line for each found device that no line uses yet; a device whose ports were renamed keeps its line."""

    def __init__(
        self, *, settings: SettingsService, store: StoreWriter, clock: Clock, reconfigured: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._reconfigured = reconfigured
        self._lock = threading.Lock()
        self._here: list[FoundDevice] = []
        self._hotplug = Hotplug(on_found=self._found, on_gone=self._gone)

    def devices(self) -> list[FoundDevice]:
        """What is plugged in right now."""
        with self._lock:
            return list(self._here)

    def look(self) -> None:
        """Makes lines of what is there at the start, before any line runs."""
        self._here = list(scan())
        self._adopt()

    def start(self) -> None:
        self._hotplug.start()

    def stop(self) -> None:
        self._hotplug.stop()

    def _found(self, device: FoundDevice) -> None:
        with self._lock:
            if device not in self._here:
                self._here.append(device)
        if self._adopt():
            self._reconfigured()

    def _gone(self, device: FoundDevice) -> None:
        # The driver notices by itself that its device is gone; the line stays a line.
        with self._lock:
            if device in self._here:
                self._here.remove(device)

    def _adopt(self) -> bool:
        """True when the settings changed."""
        before = self._settings.get()
        after = self._settings.add_found(self.devices())
        known = {line.id for line in before.settings.lines}
        for line in after.settings.lines:
            if line.id not in known:
                log.info("a new line was found: %s", line.id, extra={"offhook": {"line": line.id}})
                self._store.submit([RaiseAlarm(key="line_found", subject=line.id, at=self._clock.now())])
        return after.version != before.version
