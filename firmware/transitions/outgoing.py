"""Rules of a call that goes out, up to its answer."""

from __future__ import annotations

from dataclasses import replace

from firmware.effects import Hearing, ListenFor
from firmware.events import DialStarted, DigitDialled, OffHook
from firmware.line_state import LineState, Phase
from firmware.model import Direction, Presentation
from firmware.policy import RecordFrom
from firmware.transitions.accounting import part_of_call
from firmware.transitions.pieces import (
    Result,
    account,
    begin,
    change,
    new_call,
    open_call,
    start_recording,
    with_caller,
    with_number,
)


def handset_lifted(state: LineState, event: OffHook) -> Result:
    """A handset was lifted though nothing rang: somebody wants to dial, or was quicker than the first ring."""
    if state.pending_caller is not None:
        return _answered_before_ring(state, event)
    state, begun = begin(state, event, Phase.DIALING, new_call(state, event.at, Direction.OUTGOING))
    state, recording = start_recording(replace(state, last_digit=event.at), open_call(state).started)
    return state, (*begun, *recording, ListenFor(line=state.line, what=Hearing.PROGRESS, at=event.at))


def _answered_before_ring(state: LineState, event: OffHook) -> Result:
    """The caller ID came before the first ring, and so did the answer."""
    call = with_caller(new_call(state, event.at, Direction.INCOMING), state.pending_caller)
    call = replace(call, answered=call.started)
    state, begun = begin(state, event, Phase.TALKING, call)
    state, recording = start_recording(state, call.started)
    return state, (*begun, *recording, ListenFor(line=state.line, what=Hearing.TONES, at=event.at))


def digit_in_idle(state: LineState, event: DigitDialled) -> Result:
    """The handset that was left up when the last call ended dials: another call, that nothing else announces."""
    if not state.left_off_hook:
        return state, ()
    call = replace(new_call(state, event.at, Direction.OUTGOING), number=event.digit, presentation=Presentation.VALID)
    state, begun = begin(state, event, Phase.DIALING, call)
    state, recording = start_recording(replace(state, last_digit=event.at), call.started)
    return state, (*begun, *recording, ListenFor(line=state.line, what=Hearing.PROGRESS, at=event.at))


def digit_dialled(state: LineState, event: DigitDialled) -> Result:
    """One more digit of the number, unless dialling is long over."""
    if state.last_digit is None or event.at.seconds_since(state.last_digit) > state.policy.dial_pause_s:
        return state, ()
    call = open_call(state)
    call = replace(call, number=(call.number or "") + event.digit, presentation=Presentation.VALID)
    return change(replace(state, last_digit=event.at), call)


def dial_started(state: LineState, event: DialStarted) -> Result:
    """The module dials."""
    number = event.number or state.dial_number
    call = with_number(new_call(state, event.at, Direction.OUTGOING), number)
    state, begun = begin(state, event, Phase.DIALING, call)
    if state.policy.record_from is RecordFrom.ANSWER:
        return state, begun
    state, recording = start_recording(state, call.started)
    return state, (*begun, *recording)


def dial_confirmed(state: LineState, event: DialStarted) -> Result:
    """The module says again that it dials, perhaps with the number this time."""
    call = open_call(state)
    told = with_number(call, event.number)
    if told == call:
        return part_of_call(state, event)
    state, changed = change(state, told)
    return state, (*changed, *account(event, call=call.id))
