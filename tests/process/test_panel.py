"""The lamps and the button, on gpiozero's own simulated pins."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from firmware.config import PanelSettings
from firmware.errors import DeviceError
from firmware.panel import HOLD_S, Light, Lights, Panel, lights

PINS = PanelSettings(ready_led=5, recording_led=6, fault_led=13, button=19)


def line(*, present: bool = True, phase: str = "idle", recording: bool = False, sound: str = "ok") -> dict[str, Any]:
    return {"present": present, "phase": phase, "recording": recording, "sound": sound}


def state(*lines: dict[str, Any], alarms: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"lines": list(lines), "alarms": [{"severity": severity} for severity in alarms]}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (state(), Lights(Light.BLINK, Light.OFF, Light.OFF)),
        (state(line()), Lights(Light.ON, Light.OFF, Light.OFF)),
        (state(line(), line(present=False)), Lights(Light.BLINK, Light.OFF, Light.OFF)),
        (state(line(sound="lost")), Lights(Light.BLINK, Light.OFF, Light.OFF)),
        (state(line(phase="talking", recording=True)), Lights(Light.ON, Light.ON, Light.OFF)),
        (state(line(phase="talking"), line(recording=True)), Lights(Light.ON, Light.BLINK, Light.OFF)),
        (state(line(), alarms=("info",)), Lights(Light.ON, Light.OFF, Light.OFF)),
        (state(line(), alarms=("warning",)), Lights(Light.ON, Light.OFF, Light.BLINK)),
        (state(line(), alarms=("warning", "critical")), Lights(Light.ON, Light.OFF, Light.ON)),
    ],
)
def test_what_the_lamps_show(given: dict[str, Any], shown: Lights) -> None:
    assert lights(given) == shown


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    factory = MockFactory()
    yield factory
    factory.reset()


def wait_for(condition: Any, deadline_s: float = 3.0) -> bool:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_lamps_follow_the_box_and_go_out_at_the_end(pins: MockFactory) -> None:
    now = state(line(phase="talking", recording=True), alarms=("warning",))
    panel = Panel(PINS, lambda: now, lambda: None, pins)
    panel.start()
    assert wait_for(lambda: pins.pin(5).state and pins.pin(6).state)
    seen = {bool(pins.pin(13).state) for _ in range(60) if time.sleep(0.025) is None}
    assert seen == {True, False}, "a warning blinks"
    panel.stop()
    assert not any(pins.pin(number).state for number in (5, 6, 13) if pins.pin(number).function == "output")
    assert not [thread for thread in threading.enumerate() if thread.name == "panel"]


def test_the_button_counts_only_when_it_is_held(pins: MockFactory) -> None:
    held = threading.Event()
    panel = Panel(PanelSettings(button=19), state, held.set, pins)
    panel.start()
    try:
        button = pins.pin(19)
        button.drive_low()
        time.sleep(0.5)
        button.drive_high()
        assert not held.wait(HOLD_S)
        button.drive_low()
        assert held.wait(HOLD_S + 1.5)
    finally:
        panel.stop()


def test_a_pin_that_a_line_board_uses_is_told_with_what_to_do(pins: MockFactory) -> None:
    first = Panel(PanelSettings(ready_led=5), state, lambda: None, pins)
    first.start()
    second = Panel(PanelSettings(fault_led=6, ready_led=5), state, lambda: None, pins)
    with pytest.raises(DeviceError, match=r"correct \[panel\] in the settings"):
        second.start()
    third = Panel(PanelSettings(fault_led=6), state, lambda: None, pins)
    third.start()
    third.stop()
    first.stop()
