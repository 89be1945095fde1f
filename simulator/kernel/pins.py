"""The street's side of GPIO lines of a real kernel: a gpio-sim chip that looks like the one behind a Pi's header."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from firmware.worker import Worker
from simulator.pins import boot_ns

log = logging.getLogger("offhook.street.pins")

PI_HEADER_LABEL = "pinctrl-bcm2711"
LINES = 54
_CONFIG = Path("/sys/kernel/config/gpio-sim")
_DEVICES = Path("/sys/devices/platform")
_LOOK_EVERY_S = 0.025
_MEND_EVERY_LOOKS = 8


class SimulatedChip:
    """What `simulator.pins.PinBank` is on a host without GPIO. `drive` may be called from any thread.

    gpio-sim knows one pull per line and the box's own bias overwrites it, so the street looks now and then whether what
    it drives is still so; more often, what the box drives.
    """

    def __init__(self, name: str = "street", label: str = PI_HEADER_LABEL) -> None:
        self._config = _CONFIG / name
        self._label = label
        self._lines: Path | None = None
        self._levels: dict[int, bool] = {}
        self._outputs: dict[int, bool] = {}
        self._listeners: dict[int, list[Callable[[bool, int], None]]] = {}
        self._lock = threading.Lock()
        self._files: dict[str, int] = {}
        self._worker: Worker | None = None

    def start(self) -> None:
        """The chip is there from now on. Raises OSError when the kernel has no gpio-sim."""
        bank = self._config / "bank0"
        bank.mkdir(parents=True, exist_ok=True)
        (bank / "num_lines").write_text(str(LINES))
        (bank / "label").write_text(self._label)
        (self._config / "live").write_text("1")
        device = (self._config / "dev_name").read_text().strip()
        with self._lock:
            self._lines = _DEVICES / device / (bank / "chip_name").read_text().strip()
            for pin, level in self._levels.items():
                self._pull(pin, level)
        self._worker = Worker("street-pins", self._watch)
        self._worker.start()

    def stop(self) -> None:
        """Takes the chip away, whoever has its lines open."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()
        with self._lock:
            self._lines = None
            self._outputs = dict.fromkeys(self._outputs, False)
            for fd in self._files.values():
                os.close(fd)
            self._files.clear()
        if self._config.exists():
            (self._config / "live").write_text("0")
            (self._config / "bank0").rmdir()
            self._config.rmdir()

    def take_away(self) -> None:
        """The hat is pulled off: every box loses its pins until `start` puts the hat back."""
        self.stop()

    def drive(self, pin: int, level: bool | None) -> int:
        """Puts ``pin`` at ``level`` (None: lets go of it, which here is low). Returns the moment, boot time in ns."""
        with self._lock:
            self._levels[pin] = bool(level)
            self._pull(pin, bool(level))
            return boot_ns()

    def output(self, pin: int) -> bool | None:
        """What the box drives ``pin`` at, or what it is pulled to."""
        with self._lock:
            return self._value(pin)

    def on_output(self, pin: int, listener: Callable[[bool, int], None]) -> None:
        """Calls ``listener(level, boot ns)`` when the box writes ``pin``; on the pins' thread, so return at once."""
        with self._lock:
            self._listeners.setdefault(pin, []).append(listener)
            self._outputs.setdefault(pin, False)

    def _pull(self, pin: int, level: bool) -> None:
        if self._lines is not None:
            os.pwrite(self._file(pin, "pull", os.O_WRONLY), b"pull-up" if level else b"pull-down", 0)

    def _value(self, pin: int) -> bool | None:
        if self._lines is None:
            return None
        with contextlib.suppress(OSError):
            return os.pread(self._file(pin, "value", os.O_RDONLY), 2, 0)[:1] == b"1"
        return None

    def _file(self, pin: int, attribute: str, flags: int) -> int:
        """Kept open: at 25 Hz of ring edges opening costs more than everything else."""
        assert self._lines is not None
        path = str(self._lines / f"sim_gpio{pin}" / attribute)
        if path not in self._files:
            self._files[path] = os.open(path, flags | os.O_CLOEXEC)
        return self._files[path]

    def _watch(self, stop: threading.Event) -> None:
        look = 0
        while not stop.wait(_LOOK_EVERY_S):
            look += 1
            told: list[tuple[Callable[[bool, int], None], bool]] = []
            with self._lock:
                if look % _MEND_EVERY_LOOKS == 0:
                    for pin, level in self._levels.items():
                        if self._value(pin) != level:
                            self._pull(pin, level)
                for pin, listeners in self._listeners.items():
                    now = bool(self._value(pin))
                    if now != self._outputs.get(pin, False):
                        self._outputs[pin] = now
                        told += [(listener, now) for listener in listeners]
            for listener, level in told:
                listener(level, boot_ns())
