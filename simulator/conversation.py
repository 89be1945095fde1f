"""Two people talking on a line: who says what when, and what goes wrong meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from simulator.journal import FaultDone, Said, StreetCall, utc_ms
from simulator.mixer import Playback, Sound, level
from simulator.scenario import CallPlan, Side
from simulator.speech import say

_BREATH_S = 0.35
_LAST_WORD_S = 0.7
"""From the last word to the hang-up: the last word must have come through the sound devices' buffers."""
_INTO_THE_FAULT_S = 1.0

Speak = Callable[[Side, Sound], Playback]

REMOTE_GAIN = level(-5)
"""The far side of an analog line is quieter than the near one: the loop's loss."""


class StoppedError(Exception):
    """The street closes while a call is up."""


def rest(stop: threading.Event, seconds: float) -> None:
    """Waits. Raises `StoppedError` when the street closes."""
    if stop.wait(max(0.0, seconds)):
        raise StoppedError


def converse(
    plan: CallPlan,
    call: StreetCall,
    *,
    speak: Speak,
    stop: threading.Event,
    still_up: Callable[[], bool] = lambda: True,
    fault: Callable[[], bool] | None = None,
) -> bool:
    """Says the plan's turns one after the other and notes what was said whole.

    ``fault`` is done in the middle of the turn that the plan names; it says whether the call is still up after it.
    Returns False when the call went down before everything was said.
    """
    rest(stop, _BREATH_S)
    for n, turn in enumerate(plan.talk):
        rest(stop, turn.pause_s)
        at = utc_ms()
        sound = say(turn.prompt)
        playback = speak(turn.side, sound)
        if plan.fault is not None and fault is not None and n == plan.fault.after_turns:
            rest(stop, _INTO_THE_FAULT_S)
            up = fault()
            fault = None
            if not up:
                playback.stop()
                call.cut.append(turn.prompt)
                return False
        whole = _heard_out(playback, len(sound) / 8000 + 3.0, stop, still_up)
        if whole:
            call.said.append(Said(side=turn.side.value, prompt=turn.prompt, at_utc_ms=at))
        else:
            call.cut.append(turn.prompt)
        if not still_up():
            return False
        rest(stop, _BREATH_S)
    if fault is not None and plan.fault is not None:
        rest(stop, _INTO_THE_FAULT_S)
        if not fault():
            return False
    rest(stop, _LAST_WORD_S)
    return still_up()


def _heard_out(playback: Playback, deadline_s: float, stop: threading.Event, still_up: Callable[[], bool]) -> bool:
    end = time.monotonic() + deadline_s
    while not playback.done and time.monotonic() < end:
        if stop.is_set():
            playback.stop()
            raise StoppedError
        if not still_up():
            playback.stop()
            return False
        playback.wait(0.1)
    playback.stop()
    return playback.whole


def note_fault(call: StreetCall, plan: CallPlan) -> None:
    """Notes that the planned fault happens now."""
    assert plan.fault is not None
    call.faults.append(FaultDone(kind=plan.fault.kind.value, at_utc_ms=utc_ms()))


def note_end_of_fault(call: StreetCall) -> None:
    """The device is there again."""
    last = call.faults.pop()
    call.faults.append(FaultDone(kind=last.kind, at_utc_ms=last.at_utc_ms, back_utc_ms=utc_ms()))
