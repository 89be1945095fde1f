"""The analog line behind GPIO sensors keeps the drivers' contract, on pins that another process could as well drive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gpiozero
import pytest

from firmware.ports import LineDriver
from firmware.worker import Worker
from simulator.exchange import Wiring, hat_port
from simulator.pins import PinBank
from tests.contract.suite import LineDriverContract

PROFILE = "two-line-hat"
_HALF_PERIOD_S = 0.02  # 25 Hz, the usual ring frequency
_BURST_S, _PAUSE_S = 1.0, 1.0


class FxoBench:
    """A telephone line at the first port of the hat: what the sensors see of ringing, handsets, and a pulled hat."""

    name = "fxo-gpio"
    options: dict[str, Any] = {"profile": PROFILE, "port": 1}  # noqa: RUF012 - the settings are plain dicts
    wrong_options = (
        {},
        {"profile": "no-such-hat", "port": 1},
        {"profile": PROFILE, "port": 0},
        {"profile": PROFILE, "port": 99},
        {"profile": PROFILE, "port": "1"},
    )

    def __init__(self, folder: Path) -> None:
        self._port = hat_port(PROFILE, 1)
        self._bank = PinBank(folder / "pins.sock")
        self._plugged = False
        self._ringing: Worker | None = None
        for sensor in (self._port.ring, self._port.off_hook, self._port.polarity):
            self._show(sensor, False)

    def plug(self) -> None:
        if not self._plugged:
            self._bank.start()
            self._plugged = True

    def unplug(self) -> None:
        if self._plugged:
            self._bank.take_away()
            self._plugged = False

    def ring(self) -> None:
        self._ringing = Worker("office-ringing", self._ring)
        self._ringing.start()

    def give_up(self) -> None:
        if self._ringing is not None:
            self._ringing.stop()
            self._ringing = None
        self._show(self._port.ring, False)

    def answer(self, driver: LineDriver) -> None:
        """A handset is lifted, which trips the ringing."""
        self._show(self._port.off_hook, True)
        self.give_up()

    def end(self) -> None:
        self._show(self._port.off_hook, False)

    def close(self) -> None:
        self.give_up()
        self.unplug()

    def _ring(self, stop: threading.Event) -> None:
        while not stop.is_set():
            until = time.monotonic() + _BURST_S
            while time.monotonic() < until and not stop.is_set():
                self._show(self._port.ring, True)
                stop.wait(_HALF_PERIOD_S)
                self._show(self._port.ring, False)
                stop.wait(_HALF_PERIOD_S)
            stop.wait(_PAUSE_S)

    def _show(self, sensor: Wiring, active: bool) -> None:
        self._bank.drive(sensor.pin, active == sensor.active_high)


class TestFxoGpio(LineDriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FxoBench]:
        monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "offhook-street")
        monkeypatch.setenv("OFFHOOK_STREET_PINS", str(tmp_path / "pins.sock"))
        _forget_the_pin_factory()
        bench = FxoBench(tmp_path)
        yield bench
        bench.close()
        _forget_the_pin_factory()


def _forget_the_pin_factory() -> None:
    """gpiozero keeps one factory for the whole process; the next bench has other pins."""
    if gpiozero.Device.pin_factory is not None:
        gpiozero.Device.pin_factory.close()
        gpiozero.Device.pin_factory = None
