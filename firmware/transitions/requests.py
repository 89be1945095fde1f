"""Rules for what people ask of a line: dial, answer, hang up, press keys, flash, play."""

from __future__ import annotations

from dataclasses import replace

from firmware.effects import DriveLine, LineAction, Refuse
from firmware.events import (
    AnswerRequested,
    DialRequested,
    DigitsRequested,
    FlashRequested,
    HangUpRequested,
    PlayRequested,
)
from firmware.line_state import LineState, Phase
from firmware.model import LineKind
from firmware.transitions.pieces import Result

Request = DialRequested | AnswerRequested | HangUpRequested | DigitsRequested | FlashRequested | PlayRequested


def _unsupported(state: LineState, action: LineAction, request: str) -> Refuse | None:
    if action.value in state.policy.actions:
        return None
    return Refuse(
        request=request, code="not_supported", message=f"line {state.line} cannot {action.value.replace('_', ' ')}"
    )


def dial_requested(state: LineState, event: DialRequested) -> Result:
    """Dial on an idle line."""
    if refusal := _unsupported(state, LineAction.DIAL, event.request):
        return state, (refusal,)
    order = DriveLine(line=state.line, action=LineAction.DIAL, request=event.request, number=event.number)
    return replace(state, dial_number=event.number), (order,)


def answer_requested(state: LineState, event: AnswerRequested) -> Result:
    """Answer the ringing call."""
    if refusal := _unsupported(state, LineAction.ANSWER, event.request):
        return state, (refusal,)
    return state, (DriveLine(line=state.line, action=LineAction.ANSWER, request=event.request),)


def take_waiting(state: LineState, event: AnswerRequested) -> Result:
    """Take the second caller who knocks; the one who talks is put on hold."""
    if not state.knocks:
        message = f"line {state.line} is {state.phase} and nobody else is calling"
        return state, (Refuse(request=event.request, code="wrong_phase", message=message),)
    return answer_requested(state, event)


def hang_up_requested(state: LineState, event: HangUpRequested) -> Result:
    """End the call; of a ringing one this is a rejection."""
    if refusal := _unsupported(state, LineAction.HANG_UP, event.request):
        return state, (refusal,)
    order = DriveLine(line=state.line, action=LineAction.HANG_UP, request=event.request)
    return replace(state, rejecting=state.phase is Phase.RINGING), (order,)


def digits_requested(state: LineState, event: DigitsRequested) -> Result:
    """Press keys in the call the box holds. A module takes them once the call is up, an analog line at any time."""
    if refusal := _unsupported(state, LineAction.DIGITS, event.request):
        return state, (refusal,)
    if state.phase is Phase.DIALING and state.policy.kind is LineKind.SIM:
        return refuse_phase(state, event)
    order = DriveLine(line=state.line, action=LineAction.DIGITS, request=event.request, digits=event.digits)
    return state, (order,)


def flash_requested(state: LineState, event: FlashRequested) -> Result:
    """Flash the hook of the call the box holds."""
    if refusal := _unsupported(state, LineAction.FLASH, event.request):
        return state, (refusal,)
    return state, (DriveLine(line=state.line, action=LineAction.FLASH, request=event.request),)


def play_requested(state: LineState, event: PlayRequested) -> Result:
    """Play a prompt into the call the box holds."""
    if refusal := _unsupported(state, LineAction.PLAY, event.request):
        return state, (refusal,)
    return state, (DriveLine(line=state.line, action=LineAction.PLAY, request=event.request, pcm=event.pcm),)


def refuse_phase(state: LineState, event: Request) -> Result:
    """The line is doing something else."""
    message = f"line {state.line} is {state.phase}: this cannot be done now"
    return state, (Refuse(request=event.request, code="wrong_phase", message=message),)


def refuse_lost(state: LineState, event: Request) -> Result:
    """The line's device is not there."""
    message = f"line {state.line} is not connected: plug its device in"
    return state, (Refuse(request=event.request, code="device_lost", message=message),)
