"""Watches for devices that could be lines: tells which are there, which come, and which go."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Final

import pyudev

from firmware.ports import FoundDevice
from firmware.worker import Worker, WorkerStuckError

log = logging.getLogger("offhook.hotplug")

FINDERS: Final[dict[str, str]] = {
    "at-modem": "firmware.modem.usb_scan:find_sim_modules",
    "fxo-gpio": "firmware.analog.found:found_lines",
    "voice-modem": "firmware.modem.voice_scan:find_voice_modems",
    "audio-tap": "firmware.analog.usb_found:find_sound_cards",
    "line-monitor": "firmware.analog.usb_found:find_monitors",
}
"""Who looks for which driver's devices: functions without arguments that return `FoundDevice`s."""

SUBSYSTEMS: Final = ("tty", "sound", "gpio")
SETTLE_S: Final = 0.5
STOP_S: Final = 5.0
"""A module's ports come one after another: the scan waits until this long nothing changed."""
RESCAN_S: Final = 30.0
"""Looks again without being told: netlink messages can be lost."""

_ID_PREFIX: Final = {"at-modem": "sim", "fxo-gpio": "fxo"}


def scan() -> tuple[FoundDevice, ...]:
    """Every device that could be a line now, in a fixed order. A finder that cannot look is logged and left out."""
    found: list[FoundDevice] = []
    for driver, finder in FINDERS.items():
        module, _, function = finder.partition(":")
        try:
            find: Callable[[], Iterable[FoundDevice]] = getattr(import_module(module), function)
        except ImportError as error:
            log.info("devices of %s are not looked for: %s", driver, error)
            continue
        found += find()
    return tuple(found)


def line_ids(found: Sequence[FoundDevice], taken: Iterable[str] = ()) -> dict[str, FoundDevice]:
    """A line id for each device (``sim-1``, ``sim-2``, ``fxo-1``), in the order of ``found``, none of those taken."""
    used = set(taken)
    ids: dict[str, FoundDevice] = {}
    for device in found:
        prefix = _ID_PREFIX.get(device.driver, device.driver)
        number = next(n for n in range(1, len(used) + 2) if f"{prefix}-{n}" not in used)
        used.add(f"{prefix}-{number}")
        ids[f"{prefix}-{number}"] = device
    return ids


class Hotplug:
    """Calls ``on_found`` and ``on_gone`` on its own thread: first for all that is there, then for each change.

    Two devices are the same when their driver, path and options are: a module that comes back with other port names is
    told as gone and found.
    """

    def __init__(
        self,
        on_found: Callable[[FoundDevice], None],
        on_gone: Callable[[FoundDevice], None],
        settle_s: float = SETTLE_S,
    ) -> None:
        self._on_found = on_found
        self._on_gone = on_gone
        self._settle_s = settle_s
        self._here: list[FoundDevice] = []
        self._worker = Worker("hotplug", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        """Nothing is told any more. A scan that a starved machine or a sick bus holds up is left behind: what else has
        to be stopped, open recordings above all, must not wait for it, nor be skipped."""
        try:
            self._worker.stop(STOP_S)
        except WorkerStuckError as error:
            log.warning("%s; it is left behind", error)

    def _run(self, stop: threading.Event) -> None:
        monitor = pyudev.Monitor.from_netlink(pyudev.Context())
        for subsystem in SUBSYSTEMS:
            monitor.filter_by(subsystem)
        monitor.start()  # before the first scan: what comes in between is seen twice rather than never
        self._compare(scan(), stop)
        next_scan_s = time.monotonic() + RESCAN_S
        while not stop.is_set():
            left_s = next_scan_s - time.monotonic()
            if monitor.poll(timeout=min(max(left_s, 0.0), 0.5)) is not None:
                next_scan_s = time.monotonic() + self._settle_s
            elif left_s <= 0:
                self._compare(scan(), stop)
                next_scan_s = time.monotonic() + RESCAN_S

    def _compare(self, now: Sequence[FoundDevice], stop: threading.Event) -> None:
        if stop.is_set():
            return
        for device in [device for device in self._here if device not in now]:
            self._here.remove(device)
            self._on_gone(device)
        for device in now:
            if device not in self._here:
                self._here.append(device)
                self._on_found(device)
