"""Brings a module back that does not answer, step by step, and says what is wrong with it as alarms."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import serial

from firmware.errors import DeviceError
from firmware.model import LineId
from firmware.modem.dialects import Dialect, Recovery
from firmware.modem.ladder import BOOT_LOOP_FROM, BROWN_OUT_WINDOW_S, Ladder, Restarts
from firmware.modem.usb_power import replug_or_wish, usb_device_of
from firmware.modem.usb_twins import by_path_names, named_by_shared_serial

log = logging.getLogger("offhook.modem")

SILENT: Final = "does not answer"
RESTARTED: Final = "restart"
BUSY: Final = "in use by another program"
ANSWER_WITHIN_S: Final = 1.5
RESET_PULSE_S: Final = 0.6
MEANT_FOR_S: Final = 60.0

Tell = Callable[[str, bool, dict[str, str]], None]


class Rescue:
    """Lives on the AT port's thread; called while the port is closed."""

    def __init__(
        self,
        line: LineId,
        *,
        port: str,
        second_port: str | None,
        reset_gpio: int | None,
        tell: Tell,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._line = line
        self._now_s = now_s
        self._port = port
        self._second_port = second_port
        self._reset_gpio = reset_gpio
        self._tell = tell
        self._ladder = Ladder()
        self._restarts = Restarts()
        self._standing: set[str] = set()
        self._first_word = True
        self._meant_until_s = 0.0
        self._extra = {"offhook": {"line": line}}

    def speak(self, dialect: Dialect) -> None:
        self._ladder.use(dialect.recovery)

    def on_ready(self) -> None:
        """The module answers again."""
        tried = self._ladder.worked()
        if tried:
            log.warning("%s answers again after: %s", self._line, ", ".join(tried), extra=self._extra)
        self._say("usb_serial_shared", named_by_shared_serial(self._port), instead=by_path_names(self._port))
        self._say("module_silent", False)
        self._say("module_port_busy", False)
        if self._restarts.calm(self._now_s()):
            self._say("module_brown_out", False)
            self._say("module_boot_loop", False)
        self._first_word = False

    def restart_is_meant(self) -> None:
        """The box itself restarts the module now: that is no sign of a weak supply."""
        self._meant_until_s = self._now_s() + MEANT_FOR_S

    def on_lost(self, reason: str) -> None:
        """Said at every attempt that fails."""
        if BUSY in reason:
            self._say("module_port_busy", True)
        elif RESTARTED in reason:
            if self._now_s() > self._meant_until_s:
                self._restarted()
        elif SILENT in reason:
            self._climb()

    def _restarted(self) -> None:
        count = self._restarts.happened(self._now_s())
        if count >= BOOT_LOOP_FROM:
            minutes = str(round(BROWN_OUT_WINDOW_S / 60))
            self._say("module_boot_loop", True, count=str(count), minutes=minutes)
        else:
            self._say("module_brown_out", True, count=str(count))

    def _climb(self) -> None:
        step = self._ladder.next_step(self._now_s())
        if step is None:
            return
        log.warning("%s does not answer: %s", self._line, step.step, extra=self._extra)
        if step.step == "tell":
            self._say("module_silent", True, tried=", ".join(self._ladder.tried) or "reopen")
        elif not self._do(step):
            log.info("%s: %s cannot be done here", self._line, step.step, extra=self._extra)
            self._ladder.skip()

    def _do(self, step: Recovery) -> bool:
        match step.step:
            case "second_port":
                # A plain AT on the other port is reported to wake the first (SIM7000-LTE-Shield issue 298).
                return self._second_port is not None and _say_to(self._second_port, "AT") is not None
            case "reopen":
                return True  # the session does that at every attempt
            case "restart":
                self.restart_is_meant()
                # A module that does not answer may still hear.
                ports = [port for port in (self._second_port, self._port) if port is not None]
                heard = [_say_to(port, step.send) for port in ports]
                return any(said is not None for said in heard)
            case "power":
                return self._power()
        return False

    def _power(self) -> bool:
        if self._reset_gpio is not None:
            return self._pulse(self._reset_gpio)
        device = usb_device_of(self._port)
        if device is None:
            return False
        try:
            replug_or_wish(device)
        except DeviceError as error:
            log.warning("%s: %s", self._line, error, extra=self._extra)
            return False
        return True

    def _pulse(self, gpio: int) -> bool:
        from gpiozero import DigitalOutputDevice, GPIOZeroError  # noqa: PLC0415 - only boxes with a reset wire need it

        try:
            pin: Any = DigitalOutputDevice(gpio, active_high=False)
        except GPIOZeroError as error:
            log.warning("%s: the reset pin GPIO %d cannot be used: %s", self._line, gpio, error, extra=self._extra)
            return False
        try:
            pin.on()
            time.sleep(RESET_PULSE_S)
            pin.off()
        finally:
            pin.close()
        return True

    def _say(self, key: str, raised: bool, **params: str) -> None:
        changed = raised != (key in self._standing)
        if changed or (raised and params.get("count")) or (self._first_word and not raised):
            (self._standing.add if raised else self._standing.discard)(key)
            self._tell(key, raised, params)


def _say_to(port: str, command: str) -> str | None:
    """What the module says within 1.5 s, which may be nothing; None when the port cannot be opened."""
    if not Path(port).exists():
        return None
    with suppress(OSError):
        with serial.Serial(port, 115200, timeout=0.1, write_timeout=1.0, exclusive=True) as line:
            line.write(command.encode("ascii") + b"\r")
            said = b""
            end_s = time.monotonic() + ANSWER_WITHIN_S
            while time.monotonic() < end_s and b"OK" not in said:
                said += line.read(256)
        return said.decode("ascii", "replace")
    return None
