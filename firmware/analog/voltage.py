"""Reads a line's voltage on a thread of its own, and says what of it belongs to a call."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from firmware.analog.converter import Converter
from firmware.analog.inbox import Take
from firmware.errors import DeviceError
from firmware.events import CallEnded, LineEvent, LineVoltage, OffHook, OnHook, Ring
from firmware.model import Instant, LineId
from firmware.ports import Clock
from firmware.signals.line_voltage import SAMPLE_S, VoltageEdge, VoltageSense
from firmware.signals.loop_watch import Sensor
from firmware.worker import Worker

_SETTLES_S: Final = 0.5
"""After a handset was lifted the voltage falls for so long."""
_ONE_RINGING_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Volts:
    """A reading."""

    volts: float
    at: Instant


@dataclass(frozen=True, slots=True)
class VoltsLost:
    """The converter is gone; no reading follows."""

    error: DeviceError


class VoltageMeter:
    """One line's converter, from `start` to `stop`. What it reads goes to ``sink``; the rest is for the line's thread.

    ``spare``: sensors that pins tell better.
    """

    def __init__(
        self,
        line: LineId,
        converter: Converter,
        clock: Clock,
        *,
        sense: VoltageSense,
        spare: frozenset[Sensor],
        sink: Callable[[Volts | VoltsLost], None],
        take: Take,
    ) -> None:
        self._line = line
        self._converter = converter
        self._clock = clock
        self._sense = sense
        self._spare = spare
        self._sink = sink
        self._take = take
        self._rest: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._worker = Worker(f"volts-{line}", self._run)
        self._lifted: Instant | None = None
        self._told: Instant | None = None
        self._sum_v, self._samples = 0.0, 0

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.request_stop()
        self._rest.put(None)
        self._worker.join(5.0)

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                volts = self._converter.read()
            except DeviceError as error:
                self._sink(VoltsLost(error))
                return
            self._sink(Volts(volts, self._clock.now()))
            self._take(self._rest, SAMPLE_S)

    # --- on the line's thread ---------------------------------------------------------------------------------------

    def sample(self, reading: Volts) -> list[VoltageEdge]:
        """What the reading changed, of what no pin tells."""
        edges = self._sense.feed(reading.volts)
        if self._lifted is not None and self._sense.off_hook and reading.at.seconds_since(self._lifted) >= _SETTLES_S:
            self._sum_v += abs(reading.volts)
            self._samples += 1
        return [edge for edge in edges if edge.sensor not in self._spare]

    def beside(self, event: LineEvent) -> list[LineEvent]:
        """``event``, and before or after it what the voltage was."""
        match event:
            case Ring() if self._told is None or event.at.seconds_since(self._told) > _ONE_RINGING_S:
                self._told = event.at
                return [event, self._on_hook(event.at)]
            case OffHook():
                self._lifted, self._sum_v, self._samples = event.at, 0.0, 0
                return [event, self._on_hook(event.at)]
            case OnHook() | CallEnded() if self._samples:
                off_hook_v = round(self._sum_v / self._samples, 1)
                self._lifted, self._sum_v, self._samples = None, 0.0, 0
                return [LineVoltage(line=self._line, at=event.at, off_hook_v=off_hook_v), event]
            case _:
                return [event]

    def _on_hook(self, at: Instant) -> LineVoltage:
        return LineVoltage(line=self._line, at=at, on_hook_v=round(self._sense.on_hook_v, 1))
