"""The moves that rules are made of: account for an event; begin, change, end and record a call."""

from __future__ import annotations

from dataclasses import replace

from firmware.effects import Account, Effect, Fault, Hearing, ListenFor, SaveCall, StartRecording, StopRecording
from firmware.events import CallerId, LineEvent, WaitingCall, event_kind
from firmware.line_state import LineState, Phase, next_recording
from firmware.model import (
    Call,
    CallFlag,
    CallId,
    CallStatus,
    Direction,
    EndReason,
    Instant,
    Outcome,
    Presentation,
    call_id,
)

Result = tuple[LineState, tuple[Effect, ...]]

_ONE_MS = 0.001
MOST_HERALDS = 8
"""A call has two or three (ETSI EN 300 659-1: reversal, tone, caller ID); more come from a line that flaps."""


def account(event: LineEvent, *, call: CallId | None = None, fault: Fault | None = None) -> tuple[Effect, ...]:
    """The ledger entry of an event, when it is one that has to be accounted for."""
    if not event.evidence and fault is None:
        return ()
    detail = getattr(event, "reason", "")
    return (Account(line=event.line, at=event.at, kind=event_kind(event), call=call, fault=fault, detail=detail),)


def open_call(state: LineState) -> Call:
    """The running call; only for rules of phases that have one."""
    assert state.call is not None, f"{state.line} has no call in phase {state.phase}"
    return state.call


def not_before(floor: Instant | None, at: Instant) -> Instant:
    """``at``, or ``floor`` when an event came with a stamp older than what is already known."""
    return floor if floor is not None and at.boot_ns < floor.boot_ns else at


def new_call(state: LineState, at: Instant, direction: Direction) -> Call:
    """A call that starts at ``at``, though never before the end of the one before, and never with the same id."""
    started = not_before(state.last_ended, at)
    if state.last_call is not None and call_id(state.line, started) == state.last_call:
        started = started.plus_s(_ONE_MS)
    return Call(
        id=call_id(state.line, started),
        line=state.line,
        direction=direction,
        status=CallStatus.RINGING,
        started=started,
    )


def begin(state: LineState, event: LineEvent, phase: Phase, call: Call) -> Result:
    """A call begins: what heralded it belongs to it."""
    call = replace(marked(call, event), status=CallStatus(phase))
    heralds = tuple(
        Account(
            line=e.line,
            at=e.at,
            kind=event_kind(e),
            call=call.id,
            detail=getattr(e, "reason", ""),
            claims=isinstance(e, WaitingCall),
        )
        for e in state.pending
        if e.evidence or isinstance(e, CallerId)
    )
    state = replace(
        state,
        phase=phase,
        call=call,
        floor=call.started,
        pending=(),
        deadline_ns=None,
        last_ring=None,
        last_digit=None,
        rejecting=False,
        dial_number=None,
        left_off_hook=False,
    )
    return state, (SaveCall(call=call), *heralds, *account(event, call=call.id))


def marked(call: Call, event: LineEvent) -> Call:
    """The call, flagged when ``event`` was found from the sound alone."""
    return replace(call, flags=call.flags | {CallFlag.DETECTED_BY_SOUND}) if event.by_sound else call


def change(state: LineState, call: Call, phase: Phase | None = None) -> Result:
    """The open call changes."""
    phase = phase or state.phase
    call = replace(call, status=CallStatus(phase))
    return replace(state, phase=phase, call=call), (SaveCall(call=call),)


def start_recording(
    state: LineState, at: Instant, preroll_s: float | None = None, *, number_is_final: bool = False
) -> Result:
    """Open the next part of the call's sound, unless one is open, or the rules leave the call out."""
    call = open_call(state)
    if state.recording is not None or not state.policy.rules.wants(call, number_is_final=number_is_final):
        return state, ()
    recording = next_recording(call)
    start = StartRecording(
        recording=recording,
        call=call.id,
        line=state.line,
        part=call.parts + 1,
        at=at,
        preroll_s=state.policy.preroll_s if preroll_s is None else preroll_s,
    )
    call = replace(call, parts=call.parts + 1)
    return replace(state, call=call, recording=recording, floor=at), (SaveCall(call=call), start)


def stop_recording(state: LineState, at: Instant) -> Result:
    """Close the open part of the call's sound, if one is open."""
    if state.recording is None:
        return state, ()
    return replace(state, recording=None), (StopRecording(recording=state.recording, line=state.line, at=at),)


def digits_over(state: LineState, at: Instant) -> Result:
    """The number that was dialled is complete: a recording that is not wanted stops."""
    if open_call(state).direction is Direction.INCOMING or state.policy.rules.wants(
        open_call(state), number_is_final=True
    ):
        return state, ()
    return stop_recording(state, at)


def end(state: LineState, ended: Instant, outcome: Outcome, reason: EndReason) -> Result:
    """The call is over: its recording is closed, and it never changes again. Who knocked in it may ring now."""
    ended = not_before(state.floor, ended)
    state, stop = stop_recording(state, ended)
    call = replace(open_call(state), status=CallStatus.ENDED, ended=ended, outcome=outcome, end_reason=reason)
    if not state.policy.rules.wants(call, number_is_final=True):
        # What was recorded before the number was known is thrown away by whoever stores this.
        call = replace(call, flags=call.flags | {CallFlag.NOT_TO_BE_RECORDED})
    state = replace(
        state,
        phase=Phase.IDLE,
        call=None,
        floor=None,
        last_call=call.id,
        last_ended=ended,
        last_ring=None,
        last_digit=None,
        rejecting=False,
        suspended_since=None,
        suspended_in=None,
        suspended_by=None,
        knocks=(),
        pending=state.knocks,
        deadline_ns=ended.plus_s(state.policy.pending_s).boot_ns if state.knocks else None,
    )
    return state, (*stop, SaveCall(call=call), ListenFor(line=state.line, what=Hearing.NOTHING, at=ended))


def ring_deadline(state: LineState, at: Instant) -> LineState:
    """It rang at ``at``: from then on the caller has ``ring_timeout_s`` to be heard of again."""
    return replace(state, last_ring=at, deadline_ns=at.plus_s(state.policy.ring_timeout_s).boot_ns)


def with_caller(call: Call, caller: CallerId | None) -> Call:
    """The first word about the caller stands; a later one only fills what is unknown."""
    if caller is None or call.presentation is not Presentation.UNKNOWN:
        return call
    flags = call.flags | {CallFlag.CALLER_DOUBTFUL} if caller.doubtful else call.flags
    return replace(call, number=caller.number, name=caller.name, presentation=caller.presentation, flags=flags)


def with_number(call: Call, number: str | None) -> Call:
    """The call with the number the driver told, unless it has one, or the network withheld it."""
    if number is None or call.presentation is not Presentation.UNKNOWN:
        return call
    return replace(call, number=number, presentation=Presentation.VALID)


def is_trailing(state: LineState, at: Instant) -> bool:
    """Whether ``at`` is so shortly after the last call's end that the event still belongs to that call."""
    return state.last_ended is not None and at.seconds_since(state.last_ended) <= state.policy.trailing_s


def deadline_passed(state: LineState, at: Instant) -> bool:
    """Whether what the state waits for is due: a `Tick` may come early, or for a deadline that is gone."""
    return state.deadline_ns is not None and at.boot_ns >= state.deadline_ns
