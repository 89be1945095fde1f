"""Rules that end a call somebody watched to its end."""

from __future__ import annotations

from firmware.events import CallEnded, EndCause, OnHook
from firmware.line_state import LineState, Phase
from firmware.model import EndReason, Outcome
from firmware.policy import outcome_unanswered
from firmware.transitions.pieces import Result, account, end, open_call

_UNANSWERED_BY_CAUSE = {
    EndCause.BUSY: Outcome.BUSY,
    EndCause.NO_ANSWER: Outcome.NO_ANSWER,
    EndCause.FAILED: Outcome.FAILED,
    EndCause.REJECTED: Outcome.REJECTED,
}


def handset_put_back(state: LineState, event: OnHook) -> Result:
    """The last handset is back on its hook."""
    call = open_call(state)
    outcome = Outcome.ANSWERED if state.phase is Phase.TALKING else outcome_unanswered(call, state.policy)
    state, effects = end(state, event.at, outcome, EndReason.ON_HOOK)
    return state, (*account(event, call=call.id), *effects)


def call_ended(state: LineState, event: CallEnded) -> Result:
    """The network ended the call."""
    call = open_call(state)
    if state.phase is Phase.TALKING:
        outcome = Outcome.ANSWERED
    elif state.phase is Phase.RINGING:
        outcome = Outcome.REJECTED if state.rejecting or event.cause is EndCause.REJECTED else Outcome.MISSED
    else:
        outcome = _UNANSWERED_BY_CAUSE.get(event.cause, outcome_unanswered(call, state.policy))
    state, effects = end(state, event.at, outcome, EndReason.NETWORK)
    return state, (*account(event, call=call.id), *effects)
