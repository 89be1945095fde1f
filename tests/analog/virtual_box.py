"""The box's own path from pins and sound to calls (loop watch, decoders, call machine), run in the script's time."""

from __future__ import annotations

import numpy as np

from firmware.analog.line_timing import loop_timing
from firmware.analog.profile import Debounce
from firmware.call_machine import step
from firmware.effects import Account, Anomaly, Effect, ListenFor, SaveCall
from firmware.events import LineCondition, LineEvent, LineUp, Tick
from firmware.line_state import LineState
from firmware.model import Call, Instant, LineId, LineKind
from firmware.policy import LinePolicy, ring_timeout_s
from firmware.ports import Block
from firmware.signals.countries import profile_of
from firmware.signals.listener import AnalogListener
from firmware.signals.loop_watch import LoopWatch, Sensor

LINE = LineId("fxo-1")
START = Instant(10**12, 1_795_348_800_000_000_000)
_BLOCK = 1600
_LATE_EDGE_S = 0.04


class VirtualBox:
    """One line of a country."""

    def __init__(self, code: str, *, sound: bool = True) -> None:
        country = profile_of(code)
        self.watch = LoopWatch(LINE, loop_timing(Debounce(), country))
        self.listener = AnalogListener(LINE, country=country) if sound else None
        timeout_s = ring_timeout_s(LineKind.ANALOG, country)
        self.state = LineState(line=LINE, policy=LinePolicy(kind=LineKind.ANALOG, ring_timeout_s=timeout_s))
        self.calls: dict[str, Call] = {}
        self.entries: list[Account] = []
        self.anomalies: list[Anomaly] = []
        for sensor in (Sensor.RING, Sensor.OFF_HOOK, Sensor.POLARITY):
            self.watch.feed(sensor, False, START)
        self._take(LineUp(line=LINE, at=START, condition=LineCondition.IDLE))

    def play(self, edges: list[tuple[str, bool, float]], pcm: np.ndarray | None, until_s: float) -> None:
        """Sensor edges and sound, in steps of 200 ms, and the silence after them."""
        waiting = sorted(edges, key=lambda edge: edge[2])
        at = 0
        for number in range(round(until_s / 0.2) + 1):
            end_s = (number + 1) * 0.2
            while at < len(waiting) and waiting[at][2] <= end_s:
                sensor, active, at_s = waiting[at]
                self._all(self.watch.feed(Sensor(sensor), active, START.plus_s(at_s)))
                at += 1
            now = START.plus_s(end_s)
            self._all(self.watch.advance(now.plus_s(-_LATE_EDGE_S)))
            if self.listener is not None and pcm is not None:
                piece = pcm[number * _BLOCK : (number + 1) * _BLOCK]
                if len(piece):
                    block = Block(pcm=piece.tobytes(), frames=len(piece), at=START.plus_s(number * 0.2))
                    self._all(list(self.listener.hear(block)))
            if self.state.deadline_ns is not None and now.boot_ns >= self.state.deadline_ns:
                self._take(Tick(line=LINE, at=now))

    def _all(self, events: list[LineEvent]) -> None:
        for event in events:
            self._take(event)

    def _take(self, event: LineEvent) -> None:
        self.state, effects = step(self.state, event)
        for effect in effects:
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case SaveCall(call=call):
                self.calls[call.id] = call
            case Account():
                self.entries.append(effect)
            case Anomaly():
                self.anomalies.append(effect)
            case ListenFor() if self.listener is not None:
                self.listener.order(effect)

    def seconds(self, at: Instant | None) -> float:
        assert at is not None
        return at.seconds_since(START)
