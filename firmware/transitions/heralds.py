"""Rules for what announces a call before it shows itself: a reversal, a caller ID before the first ring."""

from __future__ import annotations

from dataclasses import replace

from firmware.effects import Fault, Hearing, ListenFor
from firmware.events import CallerId, CallerIdRejected, LineEvent, PolarityReversed, Tick, WaitingCall, WaitingCallEnded
from firmware.line_state import LineState
from firmware.transitions.pieces import MOST_HERALDS, Result, account, deadline_passed, is_trailing


def herald(state: LineState, event: LineEvent) -> Result:
    """Something that announces a call: it waits for the call to show itself."""
    state, faults = expire(state) if len(state.pending) >= MOST_HERALDS else (state, ())
    due = event.at.plus_s(state.policy.pending_s).boot_ns
    return replace(state, pending=(*state.pending, event), deadline_ns=due), faults


def reversal_in_idle(state: LineState, event: PolarityReversed) -> Result:
    """A reversal: back to normal after a call, or the herald of a caller ID before the first ring."""
    if is_trailing(state, event.at) and state.last_call:
        return state, account(event, call=state.last_call)
    state, effects = herald(state, event)
    return state, (*effects, ListenFor(line=state.line, what=Hearing.CALLER_ID, at=event.at))


def expire(state: LineState) -> Result:
    """Every herald that still waits is a named fault; who knocked in the last call has been one since then."""
    alone = (e for e in state.pending if not isinstance(e, WaitingCall))
    faults = tuple(effect for e in alone for effect in account(e, fault=_alone(e)))
    return replace(state, pending=(), deadline_ns=None), faults


def knock_is_over(state: LineState, event: WaitingCallEnded) -> Result:
    """Who knocked in the last call gave up before it could ring."""
    knock = next((e for e in state.pending if isinstance(e, WaitingCall) and e.number == event.number), None)
    if knock is None:
        return state, ()
    left = tuple(one for one in state.pending if one is not knock)
    due = state.deadline_ns if left else None
    return replace(state, pending=left, deadline_ns=due), ()


def _alone(herald: LineEvent) -> Fault:
    """What a herald is that no call followed."""
    match herald:
        case CallerId() | CallerIdRejected():
            return Fault.CALLER_ID_WITHOUT_RING
    return Fault.REVERSAL_WITHOUT_CALL


def heralds_expire(state: LineState, event: Tick) -> Result:
    """No call came after what announced one."""
    if not deadline_passed(state, event.at):
        return state, ()
    state, faults = expire(state)
    return state, (*faults, ListenFor(line=state.line, what=Hearing.NOTHING, at=event.at))
