"""Sensors that die: the line's sound takes their place, on a real ALSA device, and gives it back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.analog.line_monitor import LineMonitorLine, LineMonitorOptions
from firmware.clock import SystemClock
from firmware.events import LineAlarm, LineCondition, LineDown, LineUp, OffHook, OnHook, Ring
from firmware.model import LineId
from simulator.sound import SoundStreet, SoundWire, device_name
from simulator.whozz import WhozzMonitor
from tests.analog.hat import Hat
from tests.contract.heard import Heard
from tests.contract.test_audio_tap import _ringing, _speech

pytestmark = [pytest.mark.sound, pytest.mark.soak]


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[SoundWire]:
    before = os.environ.get("ALSA_CONFIG_PATH")
    street = SoundStreet(tmp_path / "sound", ("tap-1",))
    street.start()
    yield street.wires["tap-1"]
    street.stop()
    if before is None:
        os.environ.pop("ALSA_CONFIG_PATH", None)
    else:
        os.environ["ALSA_CONFIG_PATH"] = before


@pytest.fixture
def hat() -> Iterator[Hat]:
    hat = Hat()
    yield hat
    hat.close()


def _wait(told: Any, kind: type, count: int = 1, within_s: float = 12.0) -> Any:
    until = time.monotonic() + within_s
    while ((found := [e for e in told.events if isinstance(e, kind)]) and len(found) < count) or not found:
        assert time.monotonic() < until, told.kinds
        time.sleep(0.05)
    return found[count - 1]


def test_a_board_that_is_pulled_leaves_its_line_to_the_sound(hat: Hat, wire: SoundWire) -> None:
    _, told = hat.line(audio_device=device_name("tap-1"))
    _wait(told, LineUp)
    hat.chip.unplug()
    _wait(told, LineDown)
    up = _wait(told, LineUp, 2)
    assert (up.condition, up.by_sound) == (LineCondition.IDLE, True)
    assert _wait(told, LineAlarm).raised
    ringing = wire.mixer.play(_ringing(), loop=True)
    assert _wait(told, Ring).by_sound
    ringing.stop()
    talk = wire.mixer.play(_speech(), loop=True)
    assert _wait(told, OffHook).by_sound
    hat.chip.plug()  # the board is back, and no handset is lifted
    talk.stop()
    assert _wait(told, OnHook)
    assert not _wait(told, LineAlarm, 2).raised
    assert len([e for e in told.events if isinstance(e, LineUp)]) == 2, "the line was up all the time"
    hat.show("off_hook", True)
    assert not _wait(told, OffHook, 2).by_sound


def test_a_loop_sensor_that_died_without_a_word(hat: Hat, wire: SoundWire) -> None:
    _, told = hat.line(audio_device=device_name("tap-1"), hook_by_sound="always")
    _wait(told, LineUp)
    time.sleep(2.0)
    talk = wire.mixer.play(_speech(), loop=True)
    assert _wait(told, OffHook).by_sound
    alarm = _wait(told, LineAlarm)
    assert (alarm.key, alarm.raised) == ("hook_by_sound", True)
    talk.stop()
    assert _wait(told, OnHook, within_s=30).by_sound


def test_never_means_never(hat: Hat, wire: SoundWire) -> None:
    _, told = hat.line(audio_device=device_name("tap-1"), hook_by_sound="never")
    _wait(told, LineUp)
    hat.chip.unplug()
    _wait(told, LineDown)
    time.sleep(4.0)
    assert told.kinds == [LineUp, LineDown]


def test_a_monitor_that_is_pulled_in_a_call(tmp_path: Path, wire: SoundWire) -> None:
    monitor, heard = WhozzMonitor(tmp_path / "monitor"), Heard()
    monitor.plug()
    options = LineMonitorOptions(port=str(monitor.path), audio_device=device_name("tap-1"))
    line = LineMonitorLine(LineId("pots-1"), options, heard, SystemClock())
    line.start()
    try:
        heard.wait(LineUp)
        monitor.lifted()
        heard.wait(OffHook)
        talk = wire.mixer.play(_speech(), loop=True)
        monitor.unplug()
        heard.wait(LineDown)
        up = heard.wait(LineUp, count=2)
        assert isinstance(up, LineUp)
        assert (up.condition, up.by_sound) == (LineCondition.IN_CALL, True)
        monitor.plug()
        time.sleep(1.5)
        monitor.put_back()
        heard.wait(OnHook)
        talk.stop()
        assert len(heard.of(LineUp)) == 2
    finally:
        line.stop()
        monitor.unplug()
