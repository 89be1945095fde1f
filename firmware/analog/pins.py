"""The pins of one port, opened through gpiozero: edges with their moments in, levels on request, the relay out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gpiozero

from firmware.analog.profile import InputPin, OutputPin, Port
from firmware.gpio.factory import pin_factory
from firmware.model import Instant
from firmware.ports import Clock
from firmware.signals.loop_watch import Sensor

EdgeSink = Callable[[Sensor, bool, Instant], None]

_PULLS = {"none": None, "up": True, "down": False}


class SensorPin:
    """One input. ``sink`` is called on gpiozero's thread and must return at once."""

    def __init__(self, sensor: Sensor, spec: InputPin, sink: EdgeSink, clock: Clock) -> None:
        self.sensor = sensor
        self._sink = sink
        self._clock = clock
        self._factory = pin_factory()
        self._device = open_input(spec, self._factory)
        # The pin's own callback, not the device's: it has the moment of the edge, which may be long past on a busy box.
        self._pin = self._device.pin
        # gpiozero cannot tell the meaning of a level from the resistor, as the Pi's pull and the board's may differ.
        self._active_high = spec.active_high
        self._pin.edges = "both"
        self._pin.when_changed = self._changed

    def _changed(self, ticks: Any, state: Any) -> None:
        age_s = max(0.0, self._factory.ticks_diff(self._factory.ticks(), ticks))
        self._sink(self.sensor, bool(state) == self._active_high, self._clock.now().plus_s(-age_s))

    def read(self) -> bool:
        """Whether the sensor says yes now. Raises OSError or GPIOZeroError when the pin is gone."""
        return bool(self._pin.state) == self._active_high

    def close(self) -> None:
        """Raises OSError or GPIOZeroError when the pin is gone; it is let go of all the same."""
        try:
            self._pin.when_changed = None
        finally:
            self._device.close()


def open_input(spec: InputPin, factory: Any) -> gpiozero.InputDevice:
    """A gpiozero input as the profile describes it. Raises OSError, GPIOZeroError."""
    pull_up = _PULLS[spec.pull]
    active = spec.active_high if pull_up is None else None
    return gpiozero.InputDevice(spec.pin, pull_up=pull_up, active_state=active, pin_factory=factory)


def open_output(spec: OutputPin, factory: Any) -> gpiozero.OutputDevice:
    """A gpiozero output as the profile describes it, switched off. Raises OSError, GPIOZeroError."""
    return gpiozero.OutputDevice(spec.pin, active_high=spec.active_high, initial_value=False, pin_factory=factory)


class PortPins:
    """All pins of one port, open from construction to `close`. Raises OSError, GPIOZeroError, DeviceError."""

    def __init__(self, port: Port, sink: EdgeSink, clock: Clock) -> None:
        self.sensors: dict[Sensor, SensorPin] = {}
        self._relay: gpiozero.OutputDevice | None = None
        wanted = {
            Sensor.RING: port.ring,
            Sensor.OFF_HOOK: port.off_hook,
            Sensor.POLARITY: port.polarity,
            Sensor.BATTERY: port.battery,
        }
        try:
            for sensor, spec in wanted.items():
                if spec is not None:
                    self.sensors[sensor] = SensorPin(sensor, spec, sink, clock)
            if port.hook_relay is not None:
                self._relay = open_output(port.hook_relay, pin_factory())
        except BaseException:
            self.close()
            raise

    @property
    def seized(self) -> bool:
        """The box holds the line."""
        return self._relay is not None and bool(self._relay.value)

    def seize(self, on: bool) -> None:
        """Takes the line off-hook, or lets go of it."""
        if self._relay is not None:
            self._relay.value = int(on)

    def close(self) -> None:
        """Lets go of every pin, also of those that are already gone; a line that the box seized is free again."""
        relay = [] if self._relay is None else [self._relay.off, self._relay.close]
        sensors = [sensor.close for sensor in self.sensors.values()]
        self.sensors, self._relay = {}, None
        for let_go in (*relay, *sensors):
            try:
                let_go()
            except (OSError, gpiozero.GPIOZeroError):  # its chip is gone: nothing is left to let go of
                continue
