"""Rules of a call that comes in, up to its answer."""

from __future__ import annotations

from dataclasses import replace

from firmware.effects import Hearing, ListenFor
from firmware.events import CallerId, LineEvent, PrimaryAnswer, PrimaryAnswerOver, Ring, RingPaused, Tick
from firmware.line_state import LineState, Phase
from firmware.model import Direction, EndReason, Outcome
from firmware.transitions.pieces import (
    Result,
    account,
    begin,
    change,
    deadline_passed,
    digits_over,
    end,
    marked,
    new_call,
    not_before,
    open_call,
    ring_deadline,
    start_recording,
    with_caller,
)

_PRIMARY_ANSWER_S = 8.0
"""A second more than the longest primary answer (`firmware.signals.primary_answer`): then its driver said more."""
_RING_FOLLOWS_S = 5.0
"""After a primary answer the exchange rings within that (Asterisk waits 4 s for it)."""


def ring_begins_call(state: LineState, event: Ring) -> Result:
    """The first ring: a call comes in."""
    call = with_caller(new_call(state, event.at, Direction.INCOMING), state.pending_caller)
    state, effects = begin(state, event, Phase.RINGING, call)
    listen = ListenFor(line=state.line, what=Hearing.CALLER_ID, at=event.at)
    return ring_deadline(state, event.at), (*effects, listen)


def ring_again(state: LineState, event: Ring) -> Result:
    """Another burst of the same ringing."""
    return ring_deadline(state, event.at), account(event, call=open_call(state).id)


def ring_paused(state: LineState, event: RingPaused) -> Result:
    """A burst ended: should no other follow, this is when the caller was last heard of."""
    state = ring_deadline(state, event.at)
    call = open_call(state)
    if event.pattern is None or event.pattern == call.ring_pattern:
        return state, ()
    return change(state, replace(call, ring_pattern=event.pattern))


def ringing_stopped(state: LineState, event: Tick) -> Result:
    """No ring for longer than any cadence is silent: the caller gave up at the end of the last burst."""
    if not deadline_passed(state, event.at):
        return state, ()
    outcome = Outcome.REJECTED if state.rejecting else Outcome.MISSED
    return end(state, state.last_ring or event.at, outcome, EndReason.RINGING_STOPPED)


def caller_known(state: LineState, event: CallerId) -> Result:
    """The line told who calls."""
    call = open_call(state)
    told = with_caller(call, event)
    if told == call or call.direction is Direction.OUTGOING:
        return state, ()
    return change(state, told)


def primary_answer(state: LineState, event: PrimaryAnswer) -> Result:
    """A number display took the line to be told who calls: the ringing pauses, the call is not answered."""
    due = event.at.plus_s(_PRIMARY_ANSWER_S)
    state = replace(state, last_ring=event.at, deadline_ns=due.boot_ns)
    listen = ListenFor(line=state.line, what=Hearing.CALLER_ID, at=event.at)
    return state, (*account(event, call=open_call(state).id), listen)


def primary_answer_over(state: LineState, event: PrimaryAnswerOver) -> Result:
    """It put the line back: the exchange rings again, unless the caller gave up meanwhile."""
    pause_s = max(state.policy.ring_timeout_s, _RING_FOLLOWS_S)
    state = replace(state, last_ring=event.at, deadline_ns=event.at.plus_s(pause_s).boot_ns)
    return state, account(event, call=open_call(state).id)


def call_answered(state: LineState, event: LineEvent) -> Result:
    """Somebody answered: a handset was lifted, the line reversed, or the network says so."""
    at = not_before(state.floor, event.at)
    call = replace(marked(open_call(state), event), answered=at)
    state, changed = change(replace(state, deadline_ns=None, floor=at), call, Phase.TALKING)
    # A reversal answers an outgoing call, a lifted handset an incoming one: either way the digits are over.
    state, stopped = digits_over(state, at)
    state, recording = start_recording(state, at, number_is_final=call.direction is Direction.OUTGOING)
    listen = ListenFor(line=state.line, what=Hearing.TONES, at=event.at)
    return state, (*changed, *account(event, call=call.id), *stopped, *recording, listen)
