"""Watches what is plugged in and keeps the settings up with it: with none at all, a plugged device records."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from firmware.effects import RaiseAlarm
from firmware.hotplug import Hotplug
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
        self._hotplug = Hotplug(on_change=self._changed)

    def devices(self) -> list[FoundDevice]:
        """What is plugged in right now."""
        return self._hotplug.found()

    def adopt(self) -> bool:
        """Makes lines of what is there. True when the settings changed."""
        with self._lock:
            before = self._settings.get()
            after = self._settings.add_found(self._hotplug.found())
        known = {line.id for line in before.settings.lines}
        for line in after.settings.lines:
            if line.id not in known:
                log.info("a new line was found: %s", line.id, extra={"offhook": {"line": line.id}})
                self._store.submit([RaiseAlarm(key="line_found", subject=line.id, at=self._clock.now())])
        return after.version != before.version

    def start(self) -> None:
        self._hotplug.start()

    def stop(self) -> None:
        self._hotplug.stop()

    def _changed(self) -> None:
        if self.adopt():
            self._reconfigured()
