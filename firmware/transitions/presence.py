"""Rules of coming into view and going out of it: a call waits for its line, and ends or goes on when it is back."""

from __future__ import annotations

from dataclasses import replace

from firmware.effects import Anomaly, Fault, Hearing, ListenFor, RaiseAlarm, ResolveAlarm
from firmware.events import Answered, LineCondition, LineDown, LineUp, Tick, event_kind
from firmware.line_state import LineState, Phase
from firmware.model import CallFlag, Direction, EndReason, LineKind, Outcome
from firmware.policy import RecordFrom, outcome_unanswered
from firmware.transitions.heralds import expire
from firmware.transitions.pieces import (
    Result,
    account,
    begin,
    change,
    deadline_passed,
    end,
    new_call,
    not_before,
    open_call,
    ring_deadline,
    start_recording,
    stop_recording,
    with_number,
)

_HEARING = {Phase.RINGING: Hearing.CALLER_ID, Phase.DIALING: Hearing.PROGRESS, Phase.TALKING: Hearing.TONES}


def answered_unseen(state: LineState, event: Answered) -> Result:
    """The network says that a call is up: the last one (the word came late), or one that nobody saw begin."""
    if state.last_call and state.last_ended and event.at.boot_ns <= state.last_ended.boot_ns:
        return state, account(event, call=state.last_call)
    return _join(state, event, Phase.TALKING, Direction.UNKNOWN, None)


def line_up(state: LineState, event: LineUp) -> Result:
    """The line came into view with no call known: whatever it is doing begins now."""
    resolved = ResolveAlarm(key="line_down", subject=state.line, at=event.at)
    state = replace(state, present=True)
    if event.condition is LineCondition.IDLE:
        return state, (resolved,)
    phase, direction = {
        LineCondition.RINGING: (Phase.RINGING, Direction.INCOMING),
        LineCondition.DIALING: (Phase.DIALING, Direction.OUTGOING),
        LineCondition.IN_CALL: (Phase.TALKING, event.direction),
    }[event.condition]
    state, effects = _join(state, event, phase, direction, event.number)
    return state, (resolved, *effects)


def _join(state: LineState, event: LineUp | Answered, phase: Phase, direction: Direction, number: str | None) -> Result:
    """A call is there that nobody saw begin."""
    call = with_number(new_call(state, event.at, direction), number)
    call = replace(
        call,
        answered=call.started if phase is Phase.TALKING else None,
        flags=frozenset({CallFlag.JOINED_LATE}),
    )
    state, begun = begin(state, event, phase, call)
    state, going_on = _carry_on(state, event, state.policy.preroll_s)
    return state, (*begun, *going_on)


def _carry_on(state: LineState, event: LineUp | Answered, preroll_s: float) -> Result:
    """A call that came into view goes on: it rings until a deadline, or it is recorded."""
    at = not_before(state.floor, event.at)
    listen = ListenFor(line=state.line, what=_HEARING[state.phase], at=event.at)
    if state.phase is Phase.RINGING:
        return ring_deadline(state, at), (listen,)
    if state.phase is Phase.DIALING:
        state = replace(state, last_digit=at)
        if state.policy.record_from is RecordFrom.ANSWER:
            return state, (listen,)
    state, recording = start_recording(state, at, preroll_s)
    return state, (*recording, listen)


def line_up_again(state: LineState, event: LineUp) -> Result:
    """The driver came into view twice without going out of it."""
    return state, (Anomaly(line=state.line, at=event.at, phase=state.phase, kind=event_kind(event)),)


def line_down(state: LineState, event: LineDown) -> Result:
    """The device is gone. A call waits for it to come back; its sound so far is sealed now."""
    known = account(event, fault=Fault.DEVICE_LOST)
    alarm = RaiseAlarm(key="line_down", subject=state.line, at=event.at, params={"reason": event.reason})
    if not state.present:
        return state, (*known, alarm)
    state = replace(state, present=False, dial_number=None)
    deaf = ListenFor(line=state.line, what=Hearing.NOTHING, at=event.at)
    if state.call is None:
        state, faults = expire(state)
        return state, (*faults, *known, alarm, deaf)
    at = not_before(state.floor, event.at)
    state, stop = stop_recording(state, at)
    call = open_call(state)
    call = replace(call, flags=call.flags | {CallFlag.INTERRUPTED})
    before = state.phase
    state, changed = change(state, call, Phase.SUSPENDED)
    state = replace(
        state,
        suspended_since=at,
        suspended_in=before,
        suspended_by=EndReason.DEVICE_LOST,
        deadline_ns=at.plus_s(state.policy.suspend_s).boot_ns,
    )
    return state, (*stop, *changed, *known, alarm, deaf)


def _end_suspended(state: LineState) -> Result:
    """The call ended while nobody watched; its end is the last moment it was seen."""
    call = open_call(state)
    assert state.suspended_since is not None
    answered = state.suspended_in is Phase.TALKING
    outcome = Outcome.ANSWERED if answered else outcome_unanswered(call, state.policy)
    call = replace(call, flags=call.flags | {CallFlag.INTERRUPTED})
    reason = state.suspended_by or EndReason.NOT_SEEN_TO_END
    ended, effects = end(replace(state, call=call), state.suspended_since, outcome, reason)
    if reason is EndReason.RECORDER_RESTARTED:
        # That end may be of an earlier boot, whose clock does not compare with this one's: nothing trails after it.
        ended = replace(ended, last_ended=None)
    return ended, effects


def _same_call(state: LineState, event: LineUp) -> bool:
    """Whether the call the line shows now can be the one it was in before."""
    call = open_call(state)
    if event.number and call.number and event.number != call.number:
        return False
    if Direction.UNKNOWN not in (event.direction, call.direction) and event.direction is not call.direction:
        return False
    if event.condition is LineCondition.IN_CALL or _may_ring_on(state, event):
        return True
    wanted = {LineCondition.RINGING: Phase.RINGING, LineCondition.DIALING: Phase.DIALING}
    if wanted.get(event.condition) is not state.suspended_in:
        return False
    return not (state.suspended_in is Phase.RINGING and state.policy.kind is LineKind.ANALOG and _gave_up(state))


def _may_ring_on(state: LineState, event: LineUp) -> bool:
    """Between two bursts a ringing analog line looks idle: only the time without a ring tells."""
    ringing = state.suspended_in is Phase.RINGING and state.policy.kind is LineKind.ANALOG
    return ringing and event.condition is LineCondition.IDLE and not _gave_up(state)


def _gave_up(state: LineState) -> bool:
    """It had not rung for longer than any cadence is silent when the line went out of sight: the caller was gone.

    Each hole gives a caller the benefit of one burst that nobody saw, so that holes in a row must not add up to a call
    that rings for ever.
    """
    if state.last_ring is None or state.suspended_since is None:
        return False
    return state.suspended_since.seconds_since(state.last_ring) >= state.policy.ring_timeout_s


def line_back(state: LineState, event: LineUp) -> Result:
    """The line is back in view: the same call goes on as its next part, or it ended in the hole."""
    if not _same_call(state, event):
        state, ended = _end_suspended(state)
        state, effects = line_up(state, event)
        return state, (*ended, *effects)
    resolved = ResolveAlarm(key="line_down", subject=state.line, at=event.at)
    assert state.suspended_since is not None
    phase = _phase_after_hole(state, event)
    last_seen, last_ring = state.suspended_since, state.last_ring
    call = with_number(open_call(state), event.number)
    call = replace(call, flags=call.flags | {CallFlag.INTERRUPTED})
    at = not_before(state.floor, event.at)
    if phase is Phase.TALKING and call.answered is None:
        call = replace(call, answered=at)
    preroll_s = state.policy.preroll_s
    if state.suspended_by is not EndReason.RECORDER_RESTARTED:
        # What was heard before the line went out of sight is in the part before this one.
        preroll_s = min(preroll_s, max(0.0, at.seconds_since(state.suspended_since)))
    state = replace(
        state,
        present=True,
        # A caller who gave up in the hole was last heard of before it.
        floor=state.floor if event.condition is LineCondition.IDLE else at,
        suspended_since=None,
        suspended_in=None,
        suspended_by=None,
        deadline_ns=None,
    )
    state, changed = change(state, call, phase)
    state, going_on = _carry_on(state, event, preroll_s)
    if event.condition is LineCondition.IDLE:
        # Should no burst follow, the caller was last heard of before the hole.
        state = replace(state, last_ring=last_ring or last_seen)
    return state, (resolved, *changed, *going_on)


def _phase_after_hole(state: LineState, event: LineUp) -> Phase:
    """Where the call stands now that it is seen again."""
    if event.condition is LineCondition.RINGING or _may_ring_on(state, event):
        return Phase.RINGING
    # A module says IN_CALL only for an answered call; on an analog line off-hook may still be dialling.
    analog = state.policy.kind is LineKind.ANALOG
    still_dialling = state.suspended_in is Phase.DIALING and (analog or event.condition is LineCondition.DIALING)
    return Phase.DIALING if still_dialling else Phase.TALKING


def suspension_expires(state: LineState, event: Tick) -> Result:
    """The line did not come back in time."""
    return _end_suspended(state) if deadline_passed(state, event.at) else (state, ())
