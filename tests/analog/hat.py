"""A two-line hat on a GPIO chip in memory: what a telephone and an exchange do to its pins."""

from __future__ import annotations

import threading
import time

import gpiozero

from firmware.analog.fxo import FxoLine, FxoOptions
from firmware.analog.profile import load_profile
from firmware.clock import SystemClock
from firmware.gpio.gpiod_factory import GpiodFactory
from tests.gpio.fake_chip import FakeChip, FakeChips

PROFILE = "two-line-hat"


class Hat:
    """Its pins are those of gpiozero in this process until `close`."""

    def __init__(self):
        self.chip = FakeChip(num_lines=28)
        gpiozero.Device.pin_factory = GpiodFactory(FakeChips(self.chip))
        self.lines = []

    def close(self):
        for line in self.lines:
            line.stop()
        gpiozero.Device.pin_factory.close()
        gpiozero.Device.pin_factory = None

    def show(self, sensor, yes, port=1):
        """Puts the sensor at the level that means ``yes``."""
        pin = getattr(load_profile(PROFILE).port(port), sensor)
        self.chip.drive(pin.pin, yes == pin.active_high)

    def ring(self, seconds, port=1, hz=20):
        """Half-wave pulses."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.show("ring", True, port)
            time.sleep(0.5 / hz)
            self.show("ring", False, port)
            time.sleep(0.5 / hz)

    def line(self, name="fxo-1", **options):
        """A started line and the events it tells."""
        told = Told()
        line = FxoLine(name, FxoOptions(profile=PROFILE, **options), told, SystemClock())
        self.lines.append(line)
        line.start()
        return line, told


class Told:
    """What a driver said, in order."""

    def __init__(self):
        self.events = []
        self._news = threading.Condition()

    def __call__(self, event):
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    @property
    def kinds(self):
        return [type(event) for event in self.events]

    def wait(self, *kinds, deadline_s=4.0):
        """Returns the last event when exactly these kinds have been told."""
        with self._news:
            self._news.wait_for(lambda: len(self.events) >= len(kinds), deadline_s)
        assert self.kinds == list(kinds)
        return self.events[-1]

    def stays(self, *kinds, for_s):
        time.sleep(for_s)
        assert self.kinds == list(kinds)
