"""A GPIO chip in memory with libgpiod's manners: exclusive lines, edges with times, ENODEV when pulled."""

from __future__ import annotations

import errno
import os
import threading
import time
from types import SimpleNamespace

import gpiod
from gpiod.line import Bias, Direction, Edge, Value
from gpiozero.exc import PinInvalidPin


class FakeChip:
    """``drive`` is the world outside; a line that nobody drives follows its pull."""

    def __init__(self, label="pinctrl-fake", names=(), num_lines=8):
        self.label = label
        self.names = list(names) + [""] * (num_lines - len(names))
        self.present = True
        self.requests = {}
        self.driven = {}
        self.outputs = []
        """(offset, level) of everything the box drove, in order."""

    # --- the world outside

    def drive(self, offset, level, at_ns=None):
        before = self.level(offset)
        self.driven[offset] = bool(level)
        request = self.requests.get(offset)
        if request is not None and before != self.level(offset):
            request.edge(bool(level), time.monotonic_ns() if at_ns is None else at_ns)

    def unplug(self):
        self.present = False
        for request in list(self.requests.values()):
            request.wake()

    def plug(self):
        self.present = True
        self.requests.clear()

    def level(self, offset):
        if offset in self.driven:
            return self.driven[offset]
        request = self.requests.get(offset)
        return request is not None and request.settings.bias is Bias.PULL_UP

    # --- gpiod.Chip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def get_info(self):
        return SimpleNamespace(name="gpiochip0", label=self.label, num_lines=len(self.names))

    def line_offset_from_id(self, line):
        if isinstance(line, int):
            if line >= len(self.names):
                raise ValueError("line offset of out range")
            return line
        if line not in self.names:
            raise OSError(errno.ENOENT, "No such file or directory")
        return self.names.index(line)

    def get_line_info(self, offset):
        return SimpleNamespace(consumer=self.requests[offset].consumer if offset in self.requests else "")

    def request_lines(self, config, consumer=None, event_buffer_size=None):
        ((offset, settings),) = config.items()
        if offset in self.requests:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return FakeRequest(self, offset, settings, consumer)


class FakeRequest:
    """gpiod.LineRequest for one line."""

    def __init__(self, chip, offset, settings, consumer):
        self.chip, self.offset, self.consumer = chip, offset, consumer
        self._lock = threading.Lock()
        self._events = []
        self._readable, self._writable = os.pipe()
        chip.requests[offset] = self
        self._apply(settings)

    def _apply(self, settings):
        self.settings = settings
        if settings.direction is Direction.OUTPUT:
            self._output(settings.output_value)

    def _output(self, value):
        self.chip.outputs.append((self.offset, value is Value.ACTIVE))

    def _check(self):
        if not self.chip.present:
            raise OSError(errno.ENODEV, "No such device")

    def wake(self):
        os.write(self._writable, b"\0")

    def edge(self, rising, at_ns):
        wanted = {Edge.BOTH: True, Edge.RISING: rising, Edge.FALLING: not rising, Edge.NONE: False}
        if not wanted[self.settings.edge_detection]:
            return
        kinds = gpiod.EdgeEvent.Type
        kind = kinds.RISING_EDGE if rising else kinds.FALLING_EDGE
        with self._lock:
            self._events.append(SimpleNamespace(event_type=kind, type=kind, Type=kinds, timestamp_ns=at_ns))
        self.wake()

    @property
    def fd(self):
        return self._readable

    def wait_edge_events(self, timeout=None):
        self._check()
        with self._lock:
            return bool(self._events)

    def read_edge_events(self, max_events=None):
        self._check()
        with self._lock:
            events, self._events = self._events, []
            os.read(self._readable, 65536)
        return events

    def get_value(self, offset):
        self._check()
        if self.settings.direction is Direction.OUTPUT:
            return Value.ACTIVE if self.chip.outputs[-1][1] else Value.INACTIVE
        return Value.ACTIVE if self.chip.level(offset) else Value.INACTIVE

    def set_value(self, offset, value):
        self._check()
        self._output(value)

    def reconfigure_lines(self, config):
        self._check()
        self._apply(config[self.offset])

    def release(self):
        if self.chip.requests.get(self.offset) is self:
            del self.chip.requests[self.offset]
        os.close(self._readable)
        os.close(self._writable)


class FakeChips:
    """`firmware.gpio.chips.Chips` with chips in memory; the first one is that of pins that name none."""

    def __init__(self, *chips):
        self.chips = chips

    def open(self, wanted):
        for chip in self.chips:
            if chip.present and wanted in ((None, chip.label) if chip is self.chips[0] else (chip.label,)):
                return chip
        raise PinInvalidPin(f"no GPIO chip {wanted!r}")

    def labels(self):
        return tuple(chip.label for chip in self.chips if chip.present)
