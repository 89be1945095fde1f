"""Every transition of a call: a total table of what each event does in each phase.

``step`` is pure. Time is data (``at`` on each event, ``deadline_ns`` in the state), ids come from line and start time,
and a pair that nobody planned is an `Anomaly` effect, never an exception. docs/call-machine.md is generated from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firmware.effects import Effect
from firmware.events import (
    LINE_EVENTS,
    Alerting,
    Answered,
    AnswerRequested,
    CallEnded,
    CallerId,
    CallerIdRejected,
    DialRequested,
    DialStarted,
    DigitDialled,
    DigitReceived,
    DigitsRequested,
    FlashRequested,
    HangUpRequested,
    LineDown,
    LineEvent,
    LineUp,
    OffHook,
    OnHook,
    PlayRequested,
    PolarityReversed,
    PrimaryAnswer,
    PrimaryAnswerOver,
    Ring,
    RingPaused,
    Tick,
    WaitingCall,
    WaitingCallEnded,
)
from firmware.line_state import LineState, Phase
from firmware.model import Instant
from firmware.transitions import accounting, ends, heralds, incoming, outgoing, presence, requests
from firmware.transitions.pieces import Result, not_before, stop_recording

Handler = Callable[[LineState, Any], Result]

IDLE, RINGING, DIALING, TALKING, SUSPENDED = Phase


@dataclass(frozen=True, slots=True)
class Rule:
    """What an event does in a phase, and the phases it may lead to."""

    handler: Handler
    to: frozenset[Phase]


def _rule(handler: Handler, *to: Phase) -> Rule:
    return Rule(handler, frozenset(to))


def _rows(event: type[LineEvent], **rules: Rule) -> dict[tuple[Phase, type[LineEvent]], Rule]:
    return {(Phase(phase), event): rule for phase, rule in rules.items()}


TABLE: dict[tuple[Phase, type[LineEvent]], Rule] = {
    **_rows(
        LineUp,
        idle=_rule(presence.line_up, IDLE, RINGING, DIALING, TALKING),
        ringing=_rule(presence.line_up_again, RINGING),
        dialing=_rule(presence.line_up_again, DIALING),
        talking=_rule(presence.line_up_again, TALKING),
        suspended=_rule(presence.line_back, IDLE, RINGING, DIALING, TALKING),
    ),
    **_rows(
        LineDown,
        idle=_rule(presence.line_down, IDLE),
        ringing=_rule(presence.line_down, SUSPENDED),
        dialing=_rule(presence.line_down, SUSPENDED),
        talking=_rule(presence.line_down, SUSPENDED),
        suspended=_rule(presence.line_down, SUSPENDED),
    ),
    **_rows(
        Ring,
        idle=_rule(incoming.ring_begins_call, RINGING),
        ringing=_rule(incoming.ring_again, RINGING),
        dialing=_rule(accounting.ring_in_call, DIALING),
        talking=_rule(accounting.ring_in_call, TALKING),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        RingPaused,
        idle=_rule(accounting.nothing, IDLE),
        ringing=_rule(incoming.ring_paused, RINGING),
        dialing=_rule(accounting.nothing, DIALING),
        talking=_rule(accounting.nothing, TALKING),
        suspended=_rule(accounting.nothing, SUSPENDED),
    ),
    **_rows(
        CallerId,
        idle=_rule(heralds.herald, IDLE),
        ringing=_rule(incoming.caller_known, RINGING),
        dialing=_rule(accounting.nothing, DIALING),
        talking=_rule(incoming.caller_known, TALKING),
        suspended=_rule(accounting.nothing, SUSPENDED),
    ),
    **_rows(
        CallerIdRejected,
        idle=_rule(heralds.herald, IDLE),
        ringing=_rule(accounting.part_of_call, RINGING),
        dialing=_rule(accounting.part_of_call, DIALING),
        talking=_rule(accounting.part_of_call, TALKING),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        OffHook,
        idle=_rule(outgoing.handset_lifted, DIALING, TALKING),
        ringing=_rule(incoming.call_answered, TALKING),
        dialing=_rule(accounting.part_of_call, DIALING),
        talking=_rule(accounting.part_of_call, TALKING),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        OnHook,
        idle=_rule(accounting.on_hook_alone, IDLE),
        ringing=_rule(accounting.on_hook_alone, RINGING),
        dialing=_rule(ends.handset_put_back, IDLE),
        talking=_rule(ends.handset_put_back, IDLE),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        PrimaryAnswer,
        idle=_rule(outgoing.handset_lifted, DIALING, TALKING),
        ringing=_rule(incoming.primary_answer, RINGING),
        dialing=_rule(accounting.part_of_call, DIALING),
        talking=_rule(accounting.part_of_call, TALKING),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        PrimaryAnswerOver,
        idle=_rule(accounting.on_hook_alone, IDLE),
        ringing=_rule(incoming.primary_answer_over, RINGING),
        dialing=_rule(ends.handset_put_back, IDLE),
        talking=_rule(ends.handset_put_back, IDLE),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        PolarityReversed,
        idle=_rule(heralds.reversal_in_idle, IDLE),
        ringing=_rule(accounting.part_of_call, RINGING),
        dialing=_rule(incoming.call_answered, TALKING),
        talking=_rule(accounting.part_of_call, TALKING),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        DigitDialled,
        idle=_rule(outgoing.digit_in_idle, IDLE, DIALING),
        ringing=_rule(accounting.nothing, RINGING),
        dialing=_rule(outgoing.digit_dialled, DIALING),
        talking=_rule(accounting.nothing, TALKING),
        suspended=_rule(accounting.nothing, SUSPENDED),
    ),
    **_rows(
        DigitReceived,
        idle=_rule(accounting.nothing, IDLE),
        ringing=_rule(accounting.nothing, RINGING),
        dialing=_rule(accounting.nothing, DIALING),
        talking=_rule(accounting.nothing, TALKING),
        suspended=_rule(accounting.nothing, SUSPENDED),
    ),
    **_rows(
        DialStarted,
        idle=_rule(outgoing.dial_started, DIALING),
        ringing=_rule(accounting.out_of_place, RINGING),
        dialing=_rule(outgoing.dial_confirmed, DIALING),
        talking=_rule(accounting.out_of_place, TALKING),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        Alerting,
        idle=_rule(accounting.out_of_place, IDLE),
        ringing=_rule(accounting.out_of_place, RINGING),
        dialing=_rule(accounting.part_of_call, DIALING),
        talking=_rule(accounting.part_of_call, TALKING),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        Answered,
        idle=_rule(presence.answered_unseen, IDLE, TALKING),
        ringing=_rule(incoming.call_answered, TALKING),
        dialing=_rule(incoming.call_answered, TALKING),
        talking=_rule(accounting.part_of_call, TALKING),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        CallEnded,
        idle=_rule(accounting.end_in_idle, IDLE),
        ringing=_rule(ends.call_ended, IDLE),
        dialing=_rule(ends.call_ended, IDLE),
        talking=_rule(ends.call_ended, IDLE),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        WaitingCall,
        idle=_rule(accounting.out_of_place, IDLE),
        ringing=_rule(accounting.waiting_call, RINGING),
        dialing=_rule(accounting.waiting_call, DIALING),
        talking=_rule(accounting.waiting_call, TALKING),
        suspended=_rule(accounting.out_of_place, SUSPENDED),
    ),
    **_rows(
        WaitingCallEnded,
        idle=_rule(heralds.knock_is_over, IDLE),
        ringing=_rule(accounting.waiting_call_ended, RINGING),
        dialing=_rule(accounting.waiting_call_ended, DIALING),
        talking=_rule(accounting.waiting_call_ended, TALKING),
        suspended=_rule(accounting.nothing, SUSPENDED),
    ),
    **_rows(
        Tick,
        idle=_rule(heralds.heralds_expire, IDLE),
        ringing=_rule(incoming.ringing_stopped, IDLE, RINGING),
        dialing=_rule(accounting.nothing, DIALING),
        talking=_rule(accounting.nothing, TALKING),
        suspended=_rule(presence.suspension_expires, IDLE, SUSPENDED),
    ),
    **_rows(
        DialRequested,
        idle=_rule(requests.dial_requested, IDLE),
        ringing=_rule(requests.refuse_phase, RINGING),
        dialing=_rule(requests.refuse_phase, DIALING),
        talking=_rule(requests.refuse_phase, TALKING),
        suspended=_rule(requests.refuse_phase, SUSPENDED),
    ),
    **_rows(
        AnswerRequested,
        idle=_rule(requests.refuse_phase, IDLE),
        ringing=_rule(requests.answer_requested, RINGING),
        dialing=_rule(requests.refuse_phase, DIALING),
        talking=_rule(requests.take_waiting, TALKING),
        suspended=_rule(requests.refuse_phase, SUSPENDED),
    ),
    **_rows(
        HangUpRequested,
        idle=_rule(requests.refuse_phase, IDLE),
        ringing=_rule(requests.hang_up_requested, RINGING),
        dialing=_rule(requests.hang_up_requested, DIALING),
        talking=_rule(requests.hang_up_requested, TALKING),
        suspended=_rule(requests.refuse_phase, SUSPENDED),
    ),
    **_rows(
        DigitsRequested,
        idle=_rule(requests.refuse_phase, IDLE),
        ringing=_rule(requests.refuse_phase, RINGING),
        dialing=_rule(requests.digits_requested, DIALING),
        talking=_rule(requests.digits_requested, TALKING),
        suspended=_rule(requests.refuse_phase, SUSPENDED),
    ),
    **_rows(
        FlashRequested,
        idle=_rule(requests.refuse_phase, IDLE),
        ringing=_rule(requests.refuse_phase, RINGING),
        dialing=_rule(requests.flash_requested, DIALING),
        talking=_rule(requests.flash_requested, TALKING),
        suspended=_rule(requests.refuse_phase, SUSPENDED),
    ),
    **_rows(
        PlayRequested,
        idle=_rule(requests.refuse_phase, IDLE),
        ringing=_rule(requests.refuse_phase, RINGING),
        dialing=_rule(requests.play_requested, DIALING),
        talking=_rule(requests.play_requested, TALKING),
        suspended=_rule(requests.refuse_phase, SUSPENDED),
    ),
}

WITHOUT_DEVICE: dict[type[LineEvent], Handler] = {
    DialRequested: requests.refuse_lost,
    AnswerRequested: requests.refuse_lost,
    HangUpRequested: requests.refuse_lost,
    DigitsRequested: requests.refuse_lost,
    FlashRequested: requests.refuse_lost,
    PlayRequested: requests.refuse_lost,
}
"""The region of presence: without a device `ALWAYS_TO_TABLE` reach `TABLE`; what stands in neither is out of place."""

ALWAYS_TO_TABLE = (LineUp, LineDown, Tick)

_PART_OF_CALLS = frozenset(LINE_EVENTS)


def step(state: LineState, event: LineEvent) -> tuple[LineState, tuple[Effect, ...]]:
    """The state after ``event``, and what has to be done. Pure and total over `LINE_EVENTS`."""
    if type(event) not in _PART_OF_CALLS:
        return state, ()  # about the device or its card, no part of any call
    if not state.present and not isinstance(event, ALWAYS_TO_TABLE):
        return WITHOUT_DEVICE.get(type(event), accounting.out_of_place)(state, event)
    return TABLE[state.phase, type(event)].handler(state, event)


def leave(state: LineState, at: Instant) -> tuple[LineState, tuple[Effect, ...]]:
    """What has to be done at ``at`` before the process ends: the sound is closed, and no herald stays unaccounted.

    The call stays open in the store; `firmware.line_state.restored` takes it up again at the next start.
    """
    state, stop = stop_recording(state, not_before(state.floor, at))
    state, faults = heralds.expire(state) if state.pending else (state, ())
    return state, (*stop, *faults)


def missing_rules() -> list[tuple[Phase, type[LineEvent]]]:
    """The pairs that the table does not name; empty when it is total."""
    return [(phase, event) for phase in Phase for event in LINE_EVENTS if (phase, event) not in TABLE]
