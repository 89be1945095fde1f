"""Gives gpiozero the street's pins on a host that has no GPIO of its own (``GPIOZERO_PIN_FACTORY=offhook-street``).

The pins live in the street's process (`simulator.pins`); this end mirrors their levels. Times are CLOCK_BOOTTIME,
stamped by the street at the moment the level changed, so a busy box loses no accuracy.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import time
from typing import Any

from gpiozero.exc import GPIOZeroError, PinFixedPull, PinInvalidFunction, PinInvalidPull, PinSetInput
from gpiozero.pins.pi import PiFactory, PiPin

from firmware.worker import Worker

SOCKET_VARIABLE = "OFFHOOK_STREET_PINS"
_CONNECT_DEADLINE_S = 5.0
_PI_3B = 0xA02082  # a board with the 40-pin header; the street plays no particular Pi


class StreetGoneError(GPIOZeroError, OSError):  # type: ignore[misc]
    """The street's process, and so the whole bank of pins, is gone: as ENODEV from a real GPIO chip."""


class StreetFactory(PiFactory):  # type: ignore[misc]
    """A bank of 28 pins in another process. A lost bank stays lost: make a new factory when it is back."""

    def __init__(self) -> None:
        super().__init__()
        self.pin_class = StreetPin
        self._levels: dict[int, bool | None] = {}
        self._gone: str | None = None
        self._greeted = threading.Event()
        path = os.environ.get(SOCKET_VARIABLE, "")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise StreetGoneError(
                errno.ENODEV, f"the street's pins cannot be reached at {path!r} ({SOCKET_VARIABLE}): {error}"
            ) from error
        self._reader = Worker("street-pins-reader", self._read)
        self._reader.start()
        if not self._greeted.wait(_CONNECT_DEADLINE_S):
            self.close()
            raise StreetGoneError(errno.ENODEV, f"the street did not tell its pins' levels in {_CONNECT_DEADLINE_S} s")

    def _get_revision(self) -> int:
        return _PI_3B

    @staticmethod
    def ticks() -> float:
        """Seconds on CLOCK_BOOTTIME."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e9

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        return later - earlier

    @property
    def lost(self) -> bool:
        """True once the bank of pins is gone."""
        return self._gone is not None

    def close(self) -> None:
        super().close()
        self._gone = self._gone or "the pin factory was closed"
        self._reader.request_stop()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(5.0)
        self._socket.close()

    def level(self, number: int) -> bool | None:
        """What the street drives the pin at. Raises `StreetGoneError`."""
        self.check()
        return self._levels.get(number)

    def check(self) -> None:
        """Raises `StreetGoneError` when the bank of pins is gone."""
        if self._gone is not None:
            raise StreetGoneError(errno.ENODEV, self._gone)

    def tell(self, message: dict[str, Any]) -> None:
        """Sends an order to the street. Raises `StreetGoneError`."""
        self.check()
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            self._gone = f"the street's pins are gone: {error}"
            raise StreetGoneError(errno.ENODEV, self._gone) from error

    def _read(self, stop: threading.Event) -> None:
        rest = b""
        while not stop.is_set():
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                self._gone = self._gone or "the street's pins are gone: its process hung up"
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "levels" in message:
            self._levels = {
                int(pin): None if level is None else bool(level) for pin, level in message["levels"].items()
            }
            self._greeted.set()
            return
        number, level = int(message["pin"]), message["level"]
        self._levels[number] = None if level is None else bool(level)
        for pin in list(self.pins.values()):
            if pin.bcm == number:
                pin.level_changed(int(message["at_boot_ns"]) / 1e9)


class StreetPin(PiPin):  # type: ignore[misc]
    """One pin of the street's bank, as gpiozero's devices expect a pin to be."""

    def __init__(self, factory: StreetFactory, info: Any) -> None:
        super().__init__(factory, info)
        self.bcm: int = self._number
        self._function = "input"
        self._pull: str = info.pull or "floating"
        self._written = False
        self._bounce: float | None = None
        self._edges = "both"
        self._watching = False
        self._last = self._get_state()
        self._last_change_s = 0.0

    def close(self) -> None:
        self.when_changed = None
        self._function = "input"
        with contextlib.suppress(StreetGoneError):
            self._claim()

    def _claim(self) -> None:
        self.factory.tell({"claim": self.bcm, "function": self._function, "pull": self._pull})

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f"function {value!r} of pin {self!r} must be input or output")
        self._function = value
        self._claim()
        self._last = self._get_state()

    def _get_state(self) -> bool:
        if self._function == "output":
            self.factory.check()
            return self._written
        level = self.factory.level(self.bcm)
        return self._pull == "up" if level is None else level

    def _set_state(self, value: float) -> None:
        if self._function == "input":
            raise PinSetInput(f"cannot set state of pin {self!r}")
        self._written = bool(value)
        self.factory.tell({"write": self.bcm, "level": int(self._written)})

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if self._function != "input":
            raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
        if self.info.pull not in (value, ""):
            raise PinFixedPull(f"{self!r} has a physical pull-{self.info.pull} resistor")
        if value not in ("floating", "up", "down"):
            raise PinInvalidPull(f"pull {value!r} of pin {self!r} must be floating, up or down")
        self._pull = value
        self._claim()
        self._last = self._get_state()

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        self._bounce = value

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        self._edges = value

    def _enable_event_detect(self) -> None:
        self._last = self._get_state()
        self._watching = True

    def _disable_event_detect(self) -> None:
        self._watching = False

    def level_changed(self, at_s: float) -> None:
        """The street drove the pin to another level at ``at_s`` (CLOCK_BOOTTIME); called on the reader's thread."""
        if self._function != "input":
            return
        state = self._get_state()
        if state == self._last:
            return
        # As gpiozero's RPi.GPIO factory does it: changes that follow too closely are not told, but the level is right.
        quiet = self._bounce is not None and at_s - self._last_change_s < self._bounce
        self._last = state
        if not self._watching or quiet or self._edges not in ("both", "rising" if state else "falling"):
            return
        self._last_change_s = at_s
        with self._when_changed_lock:
            if self._when_changed is not None:
                self._call_when_changed(at_s, state)
