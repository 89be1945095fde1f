"""The lamps and the button on the case: what the box does, seen from across the room."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from firmware.config import PanelSettings
from firmware.errors import DeviceError
from firmware.worker import Worker

log = logging.getLogger("offhook.panel")

HOLD_S = 5.0
"""So long the button must be held: nobody does that by leaning on the box."""

_TURN_S = 0.25
_BLINK_TURNS = 2
"""On for 0.5 s, off for 0.5 s."""


class Light(Enum):
    OFF = "off"
    ON = "on"
    BLINK = "blink"


@dataclass(frozen=True, slots=True)
class Lights:
    """What each lamp shows."""

    ready: Light
    recording: Light
    fault: Light


def lights(state: Mapping[str, Any]) -> Lights:
    """The lamps for a full state (docs/interfaces.md). Pure.

    ready: on when every line is in sight; blinks when one is not, or there is none. recording: on while sound of a call
    reaches the disk; blinks when a call is up and none does. fault: on for a critical alarm that stands, blinks for a
    warning.
    """
    lines, severities = state["lines"], {alarm["severity"] for alarm in state["alarms"]}
    all_in_sight = bool(lines) and all(line["present"] and line["sound"] != "lost" for line in lines)
    unheard = any(line["phase"] == "talking" and not line["recording"] for line in lines)
    recording = any(line["recording"] for line in lines)
    return Lights(
        ready=Light.ON if all_in_sight else Light.BLINK,
        recording=Light.BLINK if unheard else Light.ON if recording else Light.OFF,
        fault=Light.ON if "critical" in severities else Light.BLINK if "warning" in severities else Light.OFF,
    )


def board_panel() -> PanelSettings:
    """The lamps and the button that a found line board brings along; none when there is no such board."""
    from firmware.analog.found import found_panel  # noqa: PLC0415 - only a box without pins in its settings asks

    board = found_panel()
    if board is None:
        return PanelSettings()

    def number(pin: Any) -> int | None:
        return pin.pin if pin is not None and isinstance(pin.pin, int) else None

    return PanelSettings(
        ready_led=number(board.ready),
        recording_led=number(board.recording),
        fault_led=number(board.fault),
        button=number(board.button),
    )


class Panel:
    """Shows `lights` and hears the button. The pins are gpiozero's, as are the line boards'."""

    def __init__(
        self,
        pins: PanelSettings,
        state: Callable[[], Mapping[str, Any]],
        on_held: Callable[[], None],
        pin_factory: Any = None,
    ) -> None:
        """``on_held`` is called on gpiozero's thread once the button was held for 5 s; it must return at once.

        ``pin_factory`` is gpiozero's default one when None.
        """
        self._pins = pins
        self._state = state
        self._on_held = on_held
        self._factory = pin_factory
        self._lamps: dict[str, Any] = {}
        self._button: Any = None
        self._worker = Worker("panel", self._run)

    def start(self) -> None:
        """Raises `DeviceError` when a pin cannot be used; the box records without its lamps."""
        from gpiozero import LED, Button, GPIOZeroError  # noqa: PLC0415 - only boxes with a panel need it

        wanted = {"ready": self._pins.ready_led, "recording": self._pins.recording_led, "fault": self._pins.fault_led}
        try:
            for name, pin in wanted.items():
                if pin is not None:
                    self._lamps[name] = LED(pin, pin_factory=self._factory)
            if self._pins.button is not None:
                self._button = Button(self._pins.button, hold_time=HOLD_S, bounce_time=0.05, pin_factory=self._factory)
                self._button.when_held = self._on_held
        except GPIOZeroError as error:
            self._close()
            raise DeviceError(
                f"the panel's pins cannot be used: {error}; correct [panel] in the settings (GPIO numbers, each used "
                "once and not by a line board)"
            ) from error
        if self._lamps:
            self._worker.start()

    def stop(self) -> None:
        """Puts the lamps out."""
        self._worker.stop()
        self._close()

    def _close(self) -> None:
        for device in (*self._lamps.values(), self._button):
            if device is not None:
                device.close()
        self._lamps, self._button = {}, None

    def _run(self, stop: threading.Event) -> None:
        turn = 0
        while not stop.wait(_TURN_S):
            shown = lights(self._state())
            blink_on = turn // _BLINK_TURNS % 2 == 0
            for name, lamp in self._lamps.items():
                light: Light = getattr(shown, name)
                lamp.value = light is Light.ON or (light is Light.BLINK and blink_on)
            turn += 1
