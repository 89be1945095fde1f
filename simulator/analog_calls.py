"""Plays planned calls on an analog line: central office, far side and the person at the telephone on the wall."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from simulator.conversation import REMOTE_GAIN, converse, note_end_of_fault, note_fault, rest
from simulator.exchange import AnalogLine
from simulator.journal import StreetCall, utc_ms
from simulator.mixer import Playback, Sound
from simulator.scenario import CallPlan, FaultKind, Kind, Side
from simulator.wires import Pins, Wire

_CALLER_ID_AFTER_S = 0.6
"""GR-30: not earlier than 500 ms after the first ring."""
_BEFORE_DIALLING_S = 1.2
_TO_BUSY_END_S = 2.5


class AnalogPlayer:
    """All that happens on one analog line, one call at a time."""

    def __init__(self, line: AnalogLine, wire: Wire, bank: Pins) -> None:
        self._line = line
        self._wire = wire
        self._bank = bank

    def play(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        """Plays ``plan`` and fills ``call`` in. Raises `StoppedError` when the street closes."""
        self._line.bounce = plan.bounce
        try:
            if plan.kind.outgoing:
                self._outgoing(plan, call, stop)
            else:
                self._incoming(plan, call, stop)
        finally:
            self._line.no_tone()
            self._line.put_back()
            self._line.reverse(False)

    # --- incoming ---------------------------------------------------------------------------------------------------

    def _incoming(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        answer_s = plan.answer_after_s if plan.kind is Kind.ANSWERED else None
        call.start_utc_ms = utc_ms()
        call.outcome = "missed"
        caller_id: list[Playback] = []
        if not self._ring_until_answered(plan, call, stop, answer_s, caller_id):
            return
        if not caller_id or not caller_id[0].whole:
            # Lifted in the middle of it (or before): nobody on this line can know who calls.
            for playback in caller_id:
                playback.stop()
            call.number, call.presentation = None, "unknown"
        call.answered_utc_ms = utc_ms()
        call.end_utc_ms = None
        call.outcome = "answered"
        self._talk_and_hang_up(plan, call, stop)

    def _ring_until_answered(
        self,
        plan: CallPlan,
        call: StreetCall,
        stop: threading.Event,
        answer_s: float | None,
        caller_id: list[Playback],
    ) -> bool:
        line, begun = self._line, time.monotonic()
        cadence = line.country.ring_s

        def wait(seconds: float) -> bool:
            """Waits in the silence between bursts; True when the call was answered meanwhile."""
            due_s = None if answer_s is None else begun + answer_s - time.monotonic()
            if due_s is not None and due_s <= seconds:
                rest(stop, due_s)
                line.lift()
                return True
            rest(stop, 0)
            return line.wait_for_loop(True, seconds)

        ring = 0
        while answer_s is not None or ring < plan.rings:
            for n in range(0, len(cadence), 2):
                if not line.ring(cadence[n]):
                    return True
                call.end_utc_ms = utc_ms()
                last_gap = n + 2 >= len(cadence)
                pause_s = cadence[n + 1]
                if ring == 0 and last_gap:
                    if wait(_CALLER_ID_AFTER_S):
                        return True
                    caller_id.append(line.send_caller_id(plan.number))
                    pause_s -= _CALLER_ID_AFTER_S
                gives_up = answer_s is None and ring + 1 >= plan.rings and last_gap
                if not gives_up and wait(pause_s):
                    return True
            ring += 1
        return False

    # --- outgoing ---------------------------------------------------------------------------------------------------

    def _outgoing(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        line = self._line
        call.start_utc_ms = utc_ms()
        call.outcome = "no_answer"
        line.lift()
        line.dial_tone()
        rest(stop, _BEFORE_DIALLING_S)
        line.no_tone()
        line.press(plan.number or "")
        rest(stop, 0.8)
        if plan.kind is Kind.BUSY:
            line.busy_tone()
            rest(stop, _TO_BUSY_END_S)
            self._on_hook(call)
            return
        line.ringback()
        if plan.kind is Kind.UNANSWERED:
            rest(stop, plan.rings * sum(line.country.ring_s))
            self._on_hook(call)
            return
        rest(stop, plan.answer_after_s)
        line.no_tone()
        line.reverse(True)
        call.answered_utc_ms = utc_ms()
        call.outcome = "answered"
        self._talk_and_hang_up(plan, call, stop)

    # --- both -------------------------------------------------------------------------------------------------------

    def _talk_and_hang_up(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        line = self._line
        if plan.digits_in_call:
            rest(stop, 0.5)
            line.press(plan.digits_in_call)
        gone_utc_ms: int | None = None
        up = converse(plan, call, speak=self._speak, stop=stop, fault=self._fault(plan, call))
        if up and plan.hang_up is Side.REMOTE:
            # A line that reversed at the answer goes back when the far end has gone: that is the call's end.
            gone_utc_ms = utc_ms() if plan.kind.outgoing else None
            line.reverse(False)
            line.busy_tone()
            rest(stop, _TO_BUSY_END_S)
        self._on_hook(call)
        if gone_utc_ms is not None:
            call.end_utc_ms = gone_utc_ms
        line.reverse(False)
        self._repair(plan, call, stop)

    def _on_hook(self, call: StreetCall) -> None:
        at = utc_ms()
        self._line.put_back()
        self._line.no_tone()
        pulled = [f.at_utc_ms for f in call.faults if f.kind == FaultKind.PULL_HAT]
        call.end_utc_ms = pulled[0] if pulled else at

    def _speak(self, side: Side, sound: Sound) -> Playback:
        return self._line.mixer.play(sound * REMOTE_GAIN if side is Side.REMOTE else sound)

    def _fault(self, plan: CallPlan, call: StreetCall) -> Callable[[], bool] | None:
        if plan.fault is None:
            return None
        kind = plan.fault.kind

        def happen() -> bool:
            note_fault(call, plan)
            if kind is FaultKind.PULL_HAT:
                self._bank.take_away()
                return False
            self._wire.unplug()
            rest(threading.Event(), 2.0)  # they talk on for a while, unheard
            return True

        return happen

    def _repair(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        if plan.fault is None or not call.faults:
            return
        try:
            rest(stop, plan.fault.back_after_s)
        finally:
            if plan.fault.kind is FaultKind.PULL_HAT:
                self._bank.start()
            else:
                self._wire.plug()
            note_end_of_fault(call)
