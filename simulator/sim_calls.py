"""Plays planned calls on a SIM line: the network and the far side on one end, the person in the office on the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from simulator.conversation import converse, note_end_of_fault, note_fault, rest
from simulator.journal import FaultDone, Said, StreetCall, utc_ms
from simulator.mixer import Mixer, Playback, Sound
from simulator.office import Office, OfficeError
from simulator.scenario import CallPlan, FaultKind, Kind, Side
from simulator.speech import say
from simulator.wires import Wire

_TO_ALERTING_S = 1.5
_OFFICE_WAITS_S = 6.0
_KNOCKS_S = 2.5
_GIVES_UP_S = 4.5
"""A module that says nothing by itself is asked every 2 s, and believed when it says so twice."""
_LAST_WORD_S = 0.7


class Network(Protocol):
    """What the SIM network does to the module of one line; the far side's voice goes into ``downlink``."""

    downlink: Mixer

    def calls(self, number: str | None) -> None: ...

    def caller_gives_up(self) -> None: ...

    def far_side_rings(self) -> None: ...

    def far_side_answers(self) -> None: ...

    def far_side_is_busy(self) -> None: ...

    def far_side_hangs_up(self) -> None: ...

    def far_side_leaves(self) -> None: ...

    def knocks(self, number: str) -> None: ...

    def held_side_hangs_up(self) -> None: ...

    def wait_taken(self, deadline_s: float) -> bool: ...

    def pull_plug(self) -> None: ...

    def put_plug_in(self) -> None: ...

    def wait_answered(self, deadline_s: float) -> bool: ...

    def expect_dial(self) -> None: ...

    def wait_dialled(self, deadline_s: float) -> str | None: ...

    def wait_hung_up(self, deadline_s: float) -> bool: ...

    @property
    def call_is_up(self) -> bool: ...


class SimPlayer:
    """All that happens on one SIM line, one call at a time."""

    def __init__(self, network: Network, office: Office, microphone: Wire) -> None:
        self._network = network
        self._office = office
        self._microphone = microphone

    def play(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        """Plays ``plan`` and fills ``call`` in. Raises `StoppedError`, or `OfficeError` when the box refuses."""
        try:
            if plan.kind.outgoing:
                self._outgoing(plan, call, stop)
            else:
                self._incoming(plan, call, stop)
        except OfficeError:
            # The box does not listen, or not in time: the far side does not hold the line for ever.
            self._network.far_side_leaves()
            call.end_utc_ms = utc_ms()
            raise

    def _incoming(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        network = self._network
        call.start_utc_ms = utc_ms()
        call.outcome = "missed"
        network.calls(plan.number)
        if plan.kind is Kind.MISSED:
            rest(stop, plan.rings * 4.0)
            network.caller_gives_up()
            call.end_utc_ms = utc_ms()
            return
        rest(stop, plan.answer_after_s)
        if plan.kind is Kind.REJECTED:
            self._office.hang_up()
            if not network.wait_hung_up(_OFFICE_WAITS_S):
                raise OfficeError(f"line {plan.line}: the box took the order to reject and did not reject")
            call.outcome = "rejected"
            call.end_utc_ms = utc_ms()
            return
        self._office.answer()
        if not network.wait_answered(_OFFICE_WAITS_S):
            raise OfficeError(f"line {plan.line}: the box took the order to answer and did not answer")
        call.answered_utc_ms = utc_ms()
        call.outcome = "answered"
        self._talk_and_hang_up(plan, call, stop)

    def _outgoing(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        network = self._network
        assert plan.number is not None
        call.start_utc_ms = utc_ms()
        call.outcome = "no_answer"
        network.expect_dial()
        self._office.dial(plan.number)
        dialled = network.wait_dialled(_OFFICE_WAITS_S)
        if dialled != plan.number:
            raise OfficeError(f"line {plan.line}: the box dialled {dialled!r} instead of {plan.number!r}")
        rest(stop, _TO_ALERTING_S)
        if plan.kind is Kind.BUSY:
            network.far_side_is_busy()
            call.outcome = "busy"
            call.end_utc_ms = utc_ms()
            return
        network.far_side_rings()
        if plan.kind is Kind.UNANSWERED:
            rest(stop, plan.rings * 4.0)
            self._hang_up(plan, call)
            return
        rest(stop, plan.answer_after_s)
        network.far_side_answers()
        call.answered_utc_ms = utc_ms()
        call.outcome = "answered"
        self._talk_and_hang_up(plan, call, stop)

    def _talk_and_hang_up(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        network = self._network
        up = converse(
            plan,
            call,
            speak=self._speak,
            stop=stop,
            still_up=lambda: network.call_is_up,
            fault=self._fault(plan, call),
        )
        if up and plan.knock is not None:
            call = self._second_caller(plan, call, stop)
        if up and plan.hang_up is Side.REMOTE:
            network.far_side_hangs_up()
            call.end_utc_ms = utc_ms()
        elif up:
            self._hang_up(plan, call)
        elif not call.faults:
            call.end_utc_ms = utc_ms()
            call.trouble = "the call went down before everything was said"
        self._repair(plan, call, stop)

    def _second_caller(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> StreetCall:
        """Somebody knocks. Returns the call that goes on: his, when he is taken."""
        knock, network = plan.knock, self._network
        assert knock is not None
        knocked_utc_ms = utc_ms()
        network.knocks(knock.number)
        rest(stop, _KNOCKS_S)
        if not knock.taken:
            network.caller_gives_up()
            call.faults.append(FaultDone(kind="knock", at_utc_ms=knocked_utc_ms))
            rest(stop, _GIVES_UP_S)
            return call
        self._office.answer()
        if not network.wait_taken(_OFFICE_WAITS_S):
            raise OfficeError(f"line {plan.line}: the box took the order to take the second caller and did not")
        now = call.end_utc_ms = utc_ms()
        second = StreetCall(
            id=f"{call.id}-knock", line=call.line, direction="incoming", number=knock.number, presentation="valid",
            start_utc_ms=now, answered_utc_ms=now, outcome="answered",
        )  # fmt: skip
        call.beside.append(second)
        rest(stop, _KNOCKS_S)
        network.held_side_hangs_up()
        sound = say(knock.prompt)
        at_utc_ms, playback = utc_ms(), self._speak(Side.REMOTE, sound)
        playback.wait(len(sound) / 8000 + 3.0)
        if playback.whole:
            second.said.append(Said(side=Side.REMOTE.value, prompt=knock.prompt, at_utc_ms=at_utc_ms))
        rest(stop, _LAST_WORD_S)
        return second

    def _hang_up(self, plan: CallPlan, call: StreetCall) -> None:
        self._office.hang_up()
        if not self._network.wait_hung_up(_OFFICE_WAITS_S):
            raise OfficeError(f"line {plan.line}: the box took the order to hang up and did not hang up")
        call.end_utc_ms = utc_ms()

    def _speak(self, side: Side, sound: Sound) -> Playback:
        mixer = self._network.downlink if side is Side.REMOTE else self._microphone.mixer
        return mixer.play(sound)

    def _fault(self, plan: CallPlan, call: StreetCall) -> Callable[[], bool] | None:
        if plan.fault is None:
            return None
        kind = plan.fault.kind

        def happen() -> bool:
            note_fault(call, plan)
            if kind is FaultKind.PULL_SOUND:
                self._microphone.unplug()
                return True
            self._network.pull_plug()
            call.end_utc_ms = call.faults[-1].at_utc_ms
            return False

        return happen

    def _repair(self, plan: CallPlan, call: StreetCall, stop: threading.Event) -> None:
        if plan.fault is None or not call.faults:
            return
        try:
            rest(stop, plan.fault.back_after_s)
        finally:
            if plan.fault.kind is FaultKind.PULL_SOUND:
                self._microphone.plug()
            else:
                self._network.put_plug_in()
            note_end_of_fault(call)
