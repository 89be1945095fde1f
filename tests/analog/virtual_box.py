"""The box's own path from pins, voltages or a monitor's bytes to calls, run in the script's time and faster than it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import merge

from firmware.analog.line_monitor import LineMonitorLine, LineMonitorOptions
from firmware.analog.line_timing import loop_timing
from firmware.analog.profile import Debounce
from firmware.analog.whozz import RecordReader, Strange
from firmware.call_machine import step
from firmware.effects import Account, Anomaly, Effect, SaveCall
from firmware.events import LineCondition, LineEvent, LineUp, Tick
from firmware.line_state import LineState
from firmware.model import Call, Instant, LineId, LineKind
from firmware.policy import LinePolicy, ring_timeout_s
from firmware.signals.countries import profile_of
from firmware.signals.line_voltage import VoltageSense
from firmware.signals.loop_watch import LoopWatch, Sensor

LINE = LineId("fxo-1")
START = Instant(10**12, 1_795_348_800_000_000_000)
_LATE_EDGE_S = 0.04


class CallsOfALine:
    """The call machine of one line and what came of it."""

    def __init__(self, code: str) -> None:
        self.country = profile_of(code)
        timeout_s = ring_timeout_s(LineKind.ANALOG, self.country)
        self.state = LineState(line=LINE, policy=LinePolicy(kind=LineKind.ANALOG, ring_timeout_s=timeout_s))
        self.calls: dict[str, Call] = {}
        self.entries: list[Account] = []
        self.anomalies: list[Anomaly] = []

    def take(self, event: LineEvent) -> None:
        self.state, effects = step(self.state, event)
        for effect in effects:
            self.perform(effect)

    def tick(self, now: Instant) -> None:
        if self.state.deadline_ns is not None and now.boot_ns >= self.state.deadline_ns:
            self.take(Tick(line=LINE, at=now))

    def perform(self, effect: Effect) -> None:
        match effect:
            case SaveCall(call=call):
                self.calls[call.id] = call
            case Account():
                self.entries.append(effect)
            case Anomaly():
                self.anomalies.append(effect)

    def seconds(self, at: Instant | None) -> float:
        assert at is not None
        return at.seconds_since(START)


class VirtualBox(CallsOfALine):
    """A line with sensors. ``volts``: it has a converter in place of a loop sensor."""

    def __init__(self, code: str, *, volts: VoltageSense | None = None) -> None:
        super().__init__(code)
        self.watch = LoopWatch(LINE, loop_timing(Debounce(), self.country))
        self.sense = volts
        for sensor in (Sensor.RING, Sensor.OFF_HOOK, Sensor.POLARITY):
            self.watch.feed(sensor, False, START)
        self.take(LineUp(line=LINE, at=START, condition=LineCondition.IDLE))

    def play(
        self, edges: Iterable[tuple[str, bool, float]], until_s: float, samples: Iterable[tuple[float, float]] = ()
    ) -> None:
        """Sensor edges, and voltage samples where the line has a converter, in steps of 200 ms."""
        things = merge(
            ((at_s, sensor, active) for sensor, active, at_s in sorted(edges, key=lambda edge: edge[2])),
            ((at_s, "", value) for at_s, value in samples),
            key=lambda thing: thing[0],
        )
        following = next(things, None)
        for number in range(round(until_s / 0.2) + 1):
            end_s = (number + 1) * 0.2
            while following is not None and following[0] <= end_s:
                self._thing(*following)
                following = next(things, None)
            now = START.plus_s(end_s)
            self._all(self.watch.advance(now.plus_s(-_LATE_EDGE_S)))
            self.tick(now)

    def _thing(self, at_s: float, sensor: str, value: float) -> None:
        at = START.plus_s(at_s)
        if sensor:
            self._all(self.watch.feed(Sensor(sensor), bool(value), at))
        elif self.sense is not None:
            for edge in self.sense.feed(value):
                self._all(self.watch.feed(edge.sensor, edge.active, at))

    def _all(self, events: list[LineEvent]) -> None:
        for event in events:
            self.take(event)


class MonitorBox(CallsOfALine):
    """A line on a line monitor: its driver, fed with what the serial port reads."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self._now = START
        self._due: Instant | None = None
        options = LineMonitorOptions(port="/dev/monitor")
        self.driver = LineMonitorLine(LINE, options, self.take, self, timer=lambda _name, action: _Pause(self, action))
        self.driver.on_port(START)

    def now(self) -> Instant:
        return self._now

    def play(self, said: Iterable[tuple[float, bytes]], until_s: float) -> None:
        """What the monitor sends, and when; cut into pieces as a serial port cuts it."""
        reader = RecordReader()
        for at_s, data in said:
            self._until(START.plus_s(at_s))
            for piece in (data[:7], data[7:]):
                for record in reader.feed(piece):
                    assert not isinstance(record, Strange), record
                    self.driver.on_record(record, self._now)
        self._until(START.plus_s(until_s))

    def _until(self, moment: Instant) -> None:
        while True:
            dues = [at.boot_ns for at in (self.pause_due,) if at is not None]
            dues += [self.state.deadline_ns] if self.state.deadline_ns is not None else []
            due_ns = min(dues, default=moment.boot_ns + 1)
            if due_ns > moment.boot_ns:
                break
            self._now = START.plus_s((max(due_ns, self._now.boot_ns) - START.boot_ns) / 1e9)
            if self.pause_due is not None and self._now.boot_ns >= self.pause_due.boot_ns:
                self.pause_due = None
                self.pause_action()
            self.tick(self._now)
        self._now = moment

    pause_due: Instant | None = None
    pause_action: Callable[[], None] = staticmethod(lambda: None)


class _Pause:
    """A timer of the box's."""

    def __init__(self, box: MonitorBox, action: Callable[[], None]) -> None:
        self._box = box
        box.pause_action = action

    def start(self, seconds: float) -> None:
        self._box.pause_due = self._box.now().plus_s(seconds)

    def cancel(self) -> None:
        self._box.pause_due = None

    def stop(self) -> None:
        self.cancel()
