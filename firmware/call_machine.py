"""Every transition of a call: a total table of what each event does in each phase.

``step`` is pure. Time is data (``at`` on each event, ``deadline_ns`` in the state), ids come from line and start time,
and a pair that nobody planned is an `Anomaly` effect, never an exception. docs/call-machine.md is generated from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firmware import transitions as t
from firmware.effects import Effect
from firmware.events import (
    LINE_EVENTS,
    Alerting,
    Answered,
    AnswerRequested,
    CallEnded,
    CallerId,
    DialRequested,
    DialStarted,
    DigitDialled,
    HangUpRequested,
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
)
from firmware.line_state import LineState, Phase

Handler = Callable[[LineState, Any], t.Result]

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
        idle=_rule(t.line_up, *Phase),
        ringing=_rule(t.line_up_again, RINGING),
        dialing=_rule(t.line_up_again, DIALING),
        talking=_rule(t.line_up_again, TALKING),
        suspended=_rule(t.line_back, IDLE, RINGING, DIALING, TALKING),
    ),
    **_rows(
        LineDown,
        idle=_rule(t.line_down, IDLE),
        ringing=_rule(t.line_down, SUSPENDED),
        dialing=_rule(t.line_down, SUSPENDED),
        talking=_rule(t.line_down, SUSPENDED),
        suspended=_rule(t.line_down, SUSPENDED),
    ),
    **_rows(
        Ring,
        idle=_rule(t.ring_begins_call, RINGING),
        ringing=_rule(t.ring_again, RINGING),
        dialing=_rule(t.ring_in_call, DIALING),
        talking=_rule(t.ring_in_call, TALKING),
        suspended=_rule(t.out_of_place, SUSPENDED),
    ),
    **_rows(
        RingPaused,
        idle=_rule(t.nothing, IDLE),
        ringing=_rule(t.ring_paused, RINGING),
        dialing=_rule(t.nothing, DIALING),
        talking=_rule(t.nothing, TALKING),
        suspended=_rule(t.nothing, SUSPENDED),
    ),
    **_rows(
        CallerId,
        idle=_rule(t.herald, IDLE),
        ringing=_rule(t.caller_known, RINGING),
        dialing=_rule(t.nothing, DIALING),
        talking=_rule(t.caller_known, TALKING),
        suspended=_rule(t.nothing, SUSPENDED),
    ),
    **_rows(
        OffHook,
        idle=_rule(t.handset_lifted, DIALING),
        ringing=_rule(t.call_answered, TALKING),
        dialing=_rule(t.part_of_call, DIALING),
        talking=_rule(t.part_of_call, TALKING),
        suspended=_rule(t.out_of_place, SUSPENDED),
    ),
    **_rows(
        OnHook,
        idle=_rule(t.on_hook_alone, IDLE),
        ringing=_rule(t.on_hook_alone, RINGING),
        dialing=_rule(t.handset_put_back, IDLE),
        talking=_rule(t.handset_put_back, IDLE),
        suspended=_rule(t.out_of_place, SUSPENDED),
    ),
    **_rows(
        PolarityReversed,
        idle=_rule(t.reversal_in_idle, IDLE),
        ringing=_rule(t.part_of_call, RINGING),
        dialing=_rule(t.call_answered, TALKING),
        talking=_rule(t.part_of_call, TALKING),
        suspended=_rule(t.out_of_place, SUSPENDED),
    ),
    **_rows(
        DigitDialled,
        idle=_rule(t.nothing, IDLE),
        ringing=_rule(t.nothing, RINGING),
        dialing=_rule(t.digit_dialled, DIALING),
        talking=_rule(t.nothing, TALKING),
        suspended=_rule(t.nothing, SUSPENDED),
    ),
    **_rows(
        DialStarted,
        idle=_rule(t.dial_started, DIALING),
        ringing=_rule(t.out_of_place, RINGING),
        dialing=_rule(t.dial_confirmed, DIALING),
        talking=_rule(t.out_of_place, TALKING),
        suspended=_rule(t.out_of_place, SUSPENDED),
    ),
    **_rows(
        Alerting,
        idle=_rule(t.out_of_place, IDLE),
        ringing=_rule(t.out_of_place, RINGING),
        dialing=_rule(t.part_of_call, DIALING),
        talking=_rule(t.part_of_call, TALKING),
        suspended=_rule(t.out_of_place, SUSPENDED),
    ),
    **_rows(
        Answered,
        idle=_rule(t.joined_late, TALKING),
        ringing=_rule(t.call_answered, TALKING),
        dialing=_rule(t.call_answered, TALKING),
        talking=_rule(t.part_of_call, TALKING),
        suspended=_rule(t.out_of_place, SUSPENDED),
    ),
    **_rows(
        CallEnded,
        idle=_rule(t.end_in_idle, IDLE),
        ringing=_rule(t.call_ended, IDLE),
        dialing=_rule(t.call_ended, IDLE),
        talking=_rule(t.call_ended, IDLE),
        suspended=_rule(t.out_of_place, SUSPENDED),
    ),
    **_rows(
        WaitingCall,
        idle=_rule(t.out_of_place, IDLE),
        ringing=_rule(t.waiting_call, RINGING),
        dialing=_rule(t.waiting_call, DIALING),
        talking=_rule(t.waiting_call, TALKING),
        suspended=_rule(t.out_of_place, SUSPENDED),
    ),
    **_rows(
        Tick,
        idle=_rule(t.heralds_expire, IDLE),
        ringing=_rule(t.ringing_stopped, IDLE, RINGING),
        dialing=_rule(t.nothing, DIALING),
        talking=_rule(t.nothing, TALKING),
        suspended=_rule(t.suspension_expires, IDLE, SUSPENDED),
    ),
    **_rows(
        DialRequested,
        idle=_rule(t.dial_requested, IDLE),
        ringing=_rule(t.refuse_phase, RINGING),
        dialing=_rule(t.refuse_phase, DIALING),
        talking=_rule(t.refuse_phase, TALKING),
        suspended=_rule(t.refuse_phase, SUSPENDED),
    ),
    **_rows(
        AnswerRequested,
        idle=_rule(t.refuse_phase, IDLE),
        ringing=_rule(t.answer_requested, RINGING),
        dialing=_rule(t.refuse_phase, DIALING),
        talking=_rule(t.refuse_phase, TALKING),
        suspended=_rule(t.refuse_phase, SUSPENDED),
    ),
    **_rows(
        HangUpRequested,
        idle=_rule(t.refuse_phase, IDLE),
        ringing=_rule(t.hang_up_requested, RINGING),
        dialing=_rule(t.hang_up_requested, DIALING),
        talking=_rule(t.hang_up_requested, TALKING),
        suspended=_rule(t.refuse_phase, SUSPENDED),
    ),
}

WITHOUT_DEVICE: dict[type[LineEvent], Handler] = {
    LineUp: t.nothing,
    LineDown: t.nothing,
    Tick: t.nothing,
    DialRequested: t.refuse_lost,
    AnswerRequested: t.refuse_lost,
    HangUpRequested: t.refuse_lost,
}
"""The region of presence: without a device only the first three reach `TABLE`; every other event is out of place."""

_ALWAYS_TO_TABLE = (LineUp, LineDown, Tick)


def step(state: LineState, event: LineEvent) -> tuple[LineState, tuple[Effect, ...]]:
    """The state after ``event``, and what has to be done. Pure and total over `LINE_EVENTS`."""
    if not state.present and not isinstance(event, _ALWAYS_TO_TABLE):
        return WITHOUT_DEVICE.get(type(event), t.out_of_place)(state, event)
    return TABLE[state.phase, type(event)].handler(state, event)


def missing_rules() -> list[tuple[Phase, type[LineEvent]]]:
    """The pairs that the table does not name; empty when it is total."""
    return [(phase, event) for phase in Phase for event in LINE_EVENTS if (phase, event) not in TABLE]
