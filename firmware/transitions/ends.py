"""Rules that end a call somebody watched to its end."""

from __future__ import annotations

from dataclasses import replace

from firmware.effects import Hearing, ListenFor
from firmware.events import CallEnded, EndCause, OnHook
from firmware.line_state import LineState, Phase
from firmware.model import EndReason, LineKind, Outcome
from firmware.policy import outcome_unanswered
from firmware.transitions.pieces import Result, account, end, marked, open_call

_UNANSWERED_BY_CAUSE = {
    EndCause.BUSY: Outcome.BUSY,
    EndCause.NO_ANSWER: Outcome.NO_ANSWER,
    EndCause.FAILED: Outcome.FAILED,
    EndCause.REJECTED: Outcome.REJECTED,
}


def handset_put_back(state: LineState, event: OnHook) -> Result:
    """The last handset is back on its hook."""
    call = marked(open_call(state), event)
    state = replace(state, call=call)
    outcome = Outcome.ANSWERED if state.phase is Phase.TALKING else outcome_unanswered(call, state.policy)
    state, effects = end(state, event.at, outcome, EndReason.ON_HOOK)
    return state, (*account(event, call=call.id), *effects)


def call_ended(state: LineState, event: CallEnded) -> Result:
    """The network ended the call. On an analog line the handset may still be up: what it dials is another call."""
    call = marked(open_call(state), event)
    state = replace(state, call=call)
    handset_up = state.policy.kind is LineKind.ANALOG and state.phase is not Phase.RINGING
    if state.phase is Phase.TALKING:
        outcome = Outcome.ANSWERED
    elif state.phase is Phase.RINGING:
        outcome = Outcome.REJECTED if state.rejecting or event.cause is EndCause.REJECTED else Outcome.MISSED
    else:
        outcome = _UNANSWERED_BY_CAUSE.get(event.cause, outcome_unanswered(call, state.policy))
    state, effects = end(state, event.at, outcome, EndReason.NETWORK)
    listen = (ListenFor(line=state.line, what=Hearing.DIGITS, at=event.at),) if handset_up else ()
    return replace(state, left_off_hook=handset_up), (*account(event, call=call.id), *effects, *listen)
