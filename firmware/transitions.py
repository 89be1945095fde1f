"""What each rule of the call machine does: pure functions from a state and an event to the next state and effects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from firmware.effects import (
    Account,
    Anomaly,
    DriveLine,
    Effect,
    Fault,
    Hearing,
    LineAction,
    ListenFor,
    RaiseAlarm,
    Refuse,
    ResolveAlarm,
    SaveCall,
    StartRecording,
    StopRecording,
)
from firmware.events import (
    AnswerRequested,
    CallEnded,
    CallerId,
    DialRequested,
    DialStarted,
    DigitDialled,
    EndCause,
    HangUpRequested,
    LineCondition,
    LineDown,
    LineEvent,
    LineUp,
    OffHook,
    OnHook,
    PolarityReversed,
    Ring,
    RingPaused,
    Tick,
    WaitingCall,
    event_kind,
)
from firmware.line_state import LineState, Phase, next_recording
from firmware.model import (
    Call,
    CallFlag,
    CallId,
    CallStatus,
    Direction,
    EndReason,
    Instant,
    LineKind,
    Outcome,
    Presentation,
    call_id,
)
from firmware.policy import RecordFrom, outcome_unanswered

Result = tuple[LineState, tuple[Effect, ...]]

_UNANSWERED_BY_CAUSE = {
    EndCause.BUSY: Outcome.BUSY,
    EndCause.NO_ANSWER: Outcome.NO_ANSWER,
    EndCause.FAILED: Outcome.FAILED,
    EndCause.REJECTED: Outcome.REJECTED,
}


# --- pieces ---------------------------------------------------------------------------------------------------------


def _account(event: LineEvent, *, call: CallId | None = None, fault: Fault | None = None) -> tuple[Effect, ...]:
    """The ledger entry of an event, when it is one that has to be accounted for."""
    if not event.evidence and fault is None:
        return ()
    detail = getattr(event, "reason", "")
    return (Account(line=event.line, at=event.at, kind=event_kind(event), call=call, fault=fault, detail=detail),)


def _open_call(state: LineState) -> Call:
    assert state.call is not None, f"{state.line} has no call in phase {state.phase}"
    return state.call


def _begin(state: LineState, event: LineEvent, phase: Phase, call: Call) -> Result:
    """A call begins: what heralded it belongs to it."""
    call = replace(call, status=CallStatus(phase))
    heralds = tuple(
        Account(line=e.line, at=e.at, kind=event_kind(e), call=call.id)
        for e in state.pending
        if e.evidence or isinstance(e, CallerId)
    )
    state = replace(
        state, phase=phase, call=call, pending=(), deadline_ns=None, last_ring=None, last_digit=None, rejecting=False
    )
    return state, (SaveCall(call=call), *heralds, *_account(event, call=call.id))


def _change(state: LineState, call: Call, phase: Phase | None = None) -> Result:
    """The open call changes."""
    phase = phase or state.phase
    call = replace(call, status=CallStatus(phase))
    return replace(state, phase=phase, call=call), (SaveCall(call=call),)


def _start_recording(state: LineState, at: Instant, preroll_s: float | None = None) -> Result:
    """Open the next part of the call's sound, unless one is open."""
    call = _open_call(state)
    if state.recording is not None:
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
    return replace(state, call=call, recording=recording), (SaveCall(call=call), start)


def _stop_recording(state: LineState, at: Instant) -> Result:
    if state.recording is None:
        return state, ()
    return replace(state, recording=None), (StopRecording(recording=state.recording, line=state.line, at=at),)


def _end(state: LineState, ended: Instant, outcome: Outcome, reason: EndReason) -> Result:
    """The call is over: its recording is closed, and it never changes again."""
    state, stop = _stop_recording(state, ended)
    call = replace(_open_call(state), status=CallStatus.ENDED, ended=ended, outcome=outcome, end_reason=reason)
    state = replace(
        state,
        phase=Phase.IDLE,
        call=None,
        last_call=call.id,
        last_ended=ended,
        last_ring=None,
        last_digit=None,
        rejecting=False,
        suspended_since=None,
        suspended_in=None,
        suspended_by=None,
        deadline_ns=None,
    )
    return state, (*stop, SaveCall(call=call), ListenFor(line=state.line, what=Hearing.NOTHING, at=ended))


def _new_call(state: LineState, at: Instant, direction: Direction) -> Call:
    return Call(id=call_id(state.line, at), line=state.line, direction=direction, status=CallStatus.RINGING, started=at)


def _with_caller(call: Call, caller: CallerId | None) -> Call:
    """The first word about the caller stands; a later one only fills what is unknown."""
    if caller is None or call.presentation is not Presentation.UNKNOWN:
        return call
    return replace(call, number=caller.number, name=caller.name, presentation=caller.presentation)


def _is_trailing(state: LineState, at: Instant) -> bool:
    return state.last_ended is not None and at.seconds_since(state.last_ended) <= state.policy.trailing_s


# --- rules that only account ------------------------------------------------------------------------------------------


def nothing(state: LineState, event: LineEvent) -> Result:  # noqa: ARG001 - a rule's shape
    """The event changes nothing here."""
    return state, ()


def part_of_call(state: LineState, event: LineEvent) -> Result:
    """The event belongs to the running call and changes nothing."""
    return state, _account(event, call=_open_call(state).id)


def out_of_place(state: LineState, event: LineEvent) -> Result:
    """Nobody planned this event here: it is a named fault and an anomaly."""
    odd = Anomaly(line=state.line, at=event.at, phase=state.phase, kind=event_kind(event))
    return state, (odd, *(_account(event, fault=Fault.UNEXPECTED_EVENT) if event.evidence else ()))


def on_hook_alone(state: LineState, event: OnHook) -> Result:
    """The line went on-hook though it was not off-hook."""
    if state.phase is Phase.IDLE and _is_trailing(state, event.at) and state.last_call:
        return state, _account(event, call=state.last_call)
    return state, _account(event, fault=Fault.ON_HOOK_WITHOUT_OFF_HOOK)


def ring_in_call(state: LineState, event: Ring) -> Result:
    """It rings though the line is in use: a module tells of a waiting call, an analog line should not."""
    sim = state.policy.kind is LineKind.SIM
    return state, _account(event, fault=Fault.WAITING_CALL_NOT_TAKEN if sim else Fault.RING_WHILE_OFF_HOOK)


def waiting_call(state: LineState, event: WaitingCall) -> Result:
    """A second caller knocks; the box does not take the call, and says so."""
    return state, _account(event, fault=Fault.WAITING_CALL_NOT_TAKEN)


def end_in_idle(state: LineState, event: CallEnded) -> Result:
    """An end without a call: the echo of the last one, or a fault."""
    if _is_trailing(state, event.at) and state.last_call:
        return state, _account(event, call=state.last_call)
    return state, _account(event, fault=Fault.END_WITHOUT_CALL)


# --- heralds of a call ------------------------------------------------------------------------------------------------


def herald(state: LineState, event: LineEvent) -> Result:
    """Something that announces a call: it waits for the call to show itself."""
    due = event.at.plus_s(state.policy.pending_s).boot_ns
    return replace(state, pending=(*state.pending, event), deadline_ns=due), ()


def reversal_in_idle(state: LineState, event: PolarityReversed) -> Result:
    """A reversal: back to normal after a call, or the herald of a caller ID before the first ring."""
    if _is_trailing(state, event.at) and state.last_call:
        return state, _account(event, call=state.last_call)
    state, effects = herald(state, event)
    return state, (*effects, ListenFor(line=state.line, what=Hearing.CALLER_ID, at=event.at))


def _expire_heralds(state: LineState) -> Result:
    faults = tuple(
        effect
        for e in state.pending
        for effect in _account(
            e, fault=Fault.CALLER_ID_WITHOUT_RING if isinstance(e, CallerId) else Fault.REVERSAL_WITHOUT_CALL
        )
    )
    return replace(state, pending=(), deadline_ns=None), faults


def heralds_expire(state: LineState, event: Tick) -> Result:
    """No call came after what announced one."""
    if state.deadline_ns is None or event.at.boot_ns < state.deadline_ns:
        return state, ()
    state, faults = _expire_heralds(state)
    return state, (*faults, ListenFor(line=state.line, what=Hearing.NOTHING, at=event.at))


# --- incoming ---------------------------------------------------------------------------------------------------------


def _ring_deadline(state: LineState, at: Instant) -> LineState:
    return replace(state, last_ring=at, deadline_ns=at.plus_s(state.policy.ring_timeout_s).boot_ns)


def ring_begins_call(state: LineState, event: Ring) -> Result:
    """The first ring: a call comes in."""
    call = _with_caller(_new_call(state, event.at, Direction.INCOMING), state.pending_caller)
    state, effects = _begin(state, event, Phase.RINGING, call)
    listen = ListenFor(line=state.line, what=Hearing.CALLER_ID, at=event.at)
    return _ring_deadline(state, event.at), (*effects, listen)


def ring_again(state: LineState, event: Ring) -> Result:
    """Another burst of the same ringing."""
    return _ring_deadline(state, event.at), _account(event, call=_open_call(state).id)


def ring_paused(state: LineState, event: RingPaused) -> Result:
    """A burst ended: should no other follow, this is when the caller was last heard of."""
    return _ring_deadline(state, event.at), ()


def ringing_stopped(state: LineState, event: Tick) -> Result:
    """No ring for longer than any cadence is silent: the caller gave up at the end of the last burst."""
    if state.deadline_ns is None or event.at.boot_ns < state.deadline_ns:
        return state, ()
    return _end(state, state.last_ring or event.at, Outcome.MISSED, EndReason.RINGING_STOPPED)


def caller_known(state: LineState, event: CallerId) -> Result:
    """The line told who calls."""
    call = _open_call(state)
    told = _with_caller(call, event)
    if told == call or call.direction is Direction.OUTGOING:
        return state, ()
    return _change(state, told)


def call_answered(state: LineState, event: LineEvent) -> Result:
    """Somebody answered: a handset was lifted, the line reversed, or the network says so."""
    call = replace(_open_call(state), answered=event.at)
    state, changed = _change(replace(state, deadline_ns=None), call, Phase.TALKING)
    # A reversal answers an outgoing call, a lifted handset an incoming one: either way the digits are over.
    state, recording = _start_recording(state, event.at)
    listen = ListenFor(line=state.line, what=Hearing.NOTHING, at=event.at)
    return state, (*changed, *_account(event, call=call.id), *recording, listen)


# --- outgoing ---------------------------------------------------------------------------------------------------------


def handset_lifted(state: LineState, event: OffHook) -> Result:
    """A handset was lifted though nothing rang: somebody wants to dial."""
    state, begun = _begin(state, event, Phase.DIALING, _new_call(state, event.at, Direction.OUTGOING))
    state, recording = _start_recording(replace(state, last_digit=event.at), event.at)
    return state, (*begun, *recording, ListenFor(line=state.line, what=Hearing.DIGITS, at=event.at))


def digit_dialled(state: LineState, event: DigitDialled) -> Result:
    """One more digit of the number, unless dialling is long over."""
    if state.last_digit is None or event.at.seconds_since(state.last_digit) > state.policy.dial_pause_s:
        return state, ()
    call = _open_call(state)
    call = replace(call, number=(call.number or "") + event.digit, presentation=Presentation.VALID)
    return _change(replace(state, last_digit=event.at), call)


def dial_started(state: LineState, event: DialStarted) -> Result:
    """The module dials."""
    number = event.number or state.dial_number
    call = replace(
        _new_call(state, event.at, Direction.OUTGOING),
        number=number,
        presentation=Presentation.VALID if number else Presentation.UNKNOWN,
    )
    state, begun = _begin(replace(state, dial_number=None), event, Phase.DIALING, call)
    if state.policy.record_from is RecordFrom.ANSWER:
        return state, begun
    state, recording = _start_recording(state, event.at)
    return state, (*begun, *recording)


def dial_confirmed(state: LineState, event: DialStarted) -> Result:
    """The module says again that it dials, perhaps with the number this time."""
    call = _open_call(state)
    if call.number is None and event.number is not None:
        state, changed = _change(state, replace(call, number=event.number, presentation=Presentation.VALID))
        return state, (*changed, *_account(event, call=call.id))
    return part_of_call(state, event)


# --- ends -------------------------------------------------------------------------------------------------------------


def handset_put_back(state: LineState, event: OnHook) -> Result:
    """The last handset is back on its hook."""
    call = _open_call(state)
    outcome = Outcome.ANSWERED if state.phase is Phase.TALKING else outcome_unanswered(call, state.policy)
    state, effects = _end(state, event.at, outcome, EndReason.ON_HOOK)
    return state, (*_account(event, call=call.id), *effects)


def call_ended(state: LineState, event: CallEnded) -> Result:
    """The network ended the call."""
    call = _open_call(state)
    if state.phase is Phase.TALKING:
        outcome = Outcome.ANSWERED
    elif state.phase is Phase.RINGING:
        outcome = Outcome.REJECTED if state.rejecting or event.cause is EndCause.REJECTED else Outcome.MISSED
    else:
        outcome = _UNANSWERED_BY_CAUSE.get(event.cause, outcome_unanswered(call, state.policy))
    state, effects = _end(state, event.at, outcome, EndReason.NETWORK)
    return state, (*_account(event, call=call.id), *effects)


# --- coming into view and going out of it -----------------------------------------------------------------------------


def joined_late(state: LineState, event: LineEvent) -> Result:
    """A call is up that nobody saw begin."""
    direction = getattr(event, "direction", Direction.UNKNOWN)
    number = getattr(event, "number", None)
    call = replace(
        _new_call(state, event.at, direction),
        answered=event.at,
        number=number,
        presentation=Presentation.VALID if number else Presentation.UNKNOWN,
        flags=frozenset({CallFlag.JOINED_LATE}),
    )
    state, begun = _begin(state, event, Phase.TALKING, call)
    state, recording = _start_recording(state, event.at)
    return state, (*begun, *recording)


def line_up(state: LineState, event: LineUp) -> Result:
    """The line came into view with no call known: whatever it is doing begins now."""
    resolved = ResolveAlarm(key="line_down", subject=state.line, at=event.at)
    state = replace(state, present=True)
    if event.condition is LineCondition.IDLE:
        return state, (resolved,)
    if event.condition is LineCondition.IN_CALL:
        state, effects = joined_late(state, event)
        return state, (resolved, *effects)
    incoming = event.condition is LineCondition.RINGING
    call = replace(
        _new_call(state, event.at, Direction.INCOMING if incoming else Direction.OUTGOING),
        number=event.number,
        presentation=Presentation.VALID if event.number else Presentation.UNKNOWN,
        flags=frozenset({CallFlag.JOINED_LATE}),
    )
    state, begun = _begin(state, event, Phase.RINGING if incoming else Phase.DIALING, call)
    if incoming:
        listen = ListenFor(line=state.line, what=Hearing.CALLER_ID, at=event.at)
        return _ring_deadline(state, event.at), (resolved, *begun, listen)
    if state.policy.record_from is RecordFrom.ANSWER:
        return state, (resolved, *begun)
    state, recording = _start_recording(state, event.at)
    return state, (resolved, *begun, *recording)


def line_up_again(state: LineState, event: LineUp) -> Result:
    """The driver came into view twice without going out of it."""
    return state, (Anomaly(line=state.line, at=event.at, phase=state.phase, kind=event_kind(event)),)


def line_down(state: LineState, event: LineDown) -> Result:
    """The device is gone. A call waits for it to come back; its sound so far is sealed now."""
    known = _account(event, fault=Fault.DEVICE_LOST)
    alarm = RaiseAlarm(key="line_down", subject=state.line, at=event.at, params={"reason": event.reason})
    if not state.present:
        return state, (*known, alarm)
    state = replace(state, present=False, dial_number=None)
    if state.call is None:
        state, faults = _expire_heralds(state)
        return state, (*faults, *known, alarm)
    state, stop = _stop_recording(state, event.at)
    call = replace(_open_call(state), flags=_open_call(state).flags | {CallFlag.INTERRUPTED})
    before = state.phase
    state, changed = _change(state, call, Phase.SUSPENDED)
    state = replace(
        state,
        suspended_since=event.at,
        suspended_in=before,
        suspended_by=EndReason.DEVICE_LOST,
        deadline_ns=event.at.plus_s(state.policy.suspend_s).boot_ns,
    )
    return state, (*stop, *changed, *known, alarm)


def _end_suspended(state: LineState, reason: EndReason) -> Result:
    """The call ended while nobody watched; its end is the last moment it was seen."""
    call = _open_call(state)
    assert state.suspended_since is not None
    answered = state.suspended_in is Phase.TALKING
    outcome = Outcome.ANSWERED if answered else outcome_unanswered(call, state.policy)
    call = replace(call, flags=call.flags | {CallFlag.INTERRUPTED})
    return _end(replace(state, call=call), state.suspended_since, outcome, reason)


def _same_call(state: LineState, event: LineUp) -> bool:
    """Whether the call the line shows now can be the one it was in before."""
    call = _open_call(state)
    if event.number and call.number and event.number != call.number:
        return False
    if event.condition is LineCondition.IN_CALL:
        return True
    wanted = {LineCondition.RINGING: Phase.RINGING, LineCondition.DIALING: Phase.DIALING}
    return wanted.get(event.condition) is state.suspended_in


def line_back(state: LineState, event: LineUp) -> Result:
    """The line is back in view: the same call goes on as its next part, or it ended in the hole."""
    if not _same_call(state, event):
        reason = state.suspended_by or EndReason.NOT_SEEN_TO_END
        state, ended = _end_suspended(state, reason)
        state, effects = line_up(state, event)
        return state, (*ended, *effects)
    resolved = ResolveAlarm(key="line_down", subject=state.line, at=event.at)
    assert state.suspended_in is not None
    assert state.suspended_since is not None
    unseen_s = max(0.0, event.at.seconds_since(state.suspended_since))
    # A module says IN_CALL only for an answered call; on an analog line off-hook may still be dialling.
    dialling_on = state.suspended_in is Phase.DIALING and (
        event.condition is LineCondition.DIALING or state.policy.kind is LineKind.ANALOG
    )
    if event.condition is LineCondition.RINGING:
        phase = Phase.RINGING
    else:
        phase = Phase.DIALING if dialling_on else Phase.TALKING
    call = replace(_open_call(state), flags=_open_call(state).flags | {CallFlag.INTERRUPTED})
    if phase is Phase.TALKING and call.answered is None:
        call = replace(call, answered=event.at)
    state = replace(state, present=True, suspended_since=None, suspended_in=None, suspended_by=None, deadline_ns=None)
    state, changed = _change(state, call, phase)
    if phase is Phase.RINGING:
        return _ring_deadline(state, event.at), (resolved, *changed)
    if phase is Phase.DIALING and state.policy.record_from is RecordFrom.ANSWER:
        return state, (resolved, *changed)
    # What was heard before the line went out of sight is in the part before this one.
    state, recording = _start_recording(state, event.at, min(state.policy.preroll_s, unseen_s))
    return state, (resolved, *changed, *recording)


def suspension_expires(state: LineState, event: Tick) -> Result:
    """The line did not come back in time."""
    if state.deadline_ns is None or event.at.boot_ns < state.deadline_ns:
        return state, ()
    return _end_suspended(state, state.suspended_by or EndReason.NOT_SEEN_TO_END)


# --- people's requests ------------------------------------------------------------------------------------------------


def _supported(state: LineState, action: LineAction, request: str) -> Refuse | None:
    if action.value in state.policy.actions:
        return None
    return Refuse(
        request=request, code="not_supported", message=f"line {state.line} cannot {action.value.replace('_', ' ')}"
    )


def dial_requested(state: LineState, event: DialRequested) -> Result:
    """Dial on an idle line."""
    if refusal := _supported(state, LineAction.DIAL, event.request):
        return state, (refusal,)
    order = DriveLine(line=state.line, action=LineAction.DIAL, request=event.request, number=event.number)
    return replace(state, dial_number=event.number), (order,)


def answer_requested(state: LineState, event: AnswerRequested) -> Result:
    """Answer the ringing call."""
    if refusal := _supported(state, LineAction.ANSWER, event.request):
        return state, (refusal,)
    return state, (DriveLine(line=state.line, action=LineAction.ANSWER, request=event.request),)


def hang_up_requested(state: LineState, event: HangUpRequested) -> Result:
    """End the call; of a ringing one this is a rejection."""
    if refusal := _supported(state, LineAction.HANG_UP, event.request):
        return state, (refusal,)
    order = DriveLine(line=state.line, action=LineAction.HANG_UP, request=event.request)
    return replace(state, rejecting=state.phase is Phase.RINGING), (order,)


def refuse_phase(state: LineState, event: Any) -> Result:
    """The line is doing something else."""
    message = f"line {state.line} is {state.phase}: this cannot be done now"
    return state, (Refuse(request=event.request, code="wrong_phase", message=message),)


def refuse_lost(state: LineState, event: Any) -> Result:
    """The line's device is not there."""
    message = f"line {state.line} is not connected: plug its device in"
    return state, (Refuse(request=event.request, code="device_lost", message=message),)
