"""Rules that change nothing about the call: they only say where an event belongs in the ledger."""

from __future__ import annotations

from dataclasses import replace

from firmware.effects import Anomaly, Fault, Hearing, ListenFor
from firmware.events import CallEnded, LineEvent, OnHook, Ring, WaitingCall, WaitingCallEnded, event_kind
from firmware.line_state import LineState, Phase
from firmware.model import LineKind
from firmware.transitions.pieces import MOST_HERALDS, Result, account, is_trailing, open_call


def nothing(state: LineState, event: LineEvent) -> Result:  # noqa: ARG001 - a rule's shape
    """The event changes nothing here."""
    return state, ()


def part_of_call(state: LineState, event: LineEvent) -> Result:
    """The event belongs to the running call and changes nothing."""
    return state, account(event, call=open_call(state).id)


def out_of_place(state: LineState, event: LineEvent) -> Result:
    """Nobody planned this event here: it is a named fault and an anomaly."""
    odd = Anomaly(line=state.line, at=event.at, phase=state.phase, kind=event_kind(event))
    return state, (odd, *(account(event, fault=Fault.UNEXPECTED_EVENT) if event.evidence else ()))


def on_hook_alone(state: LineState, event: OnHook) -> Result:
    """The line went on-hook though no call is up: after an end that the line told, or out of the blue."""
    if state.left_off_hook and state.last_call:
        deaf = ListenFor(line=state.line, what=Hearing.NOTHING, at=event.at)
        return replace(state, left_off_hook=False), (*account(event, call=state.last_call), deaf)
    if state.phase is Phase.IDLE and is_trailing(state, event.at) and state.last_call:
        return state, account(event, call=state.last_call)
    return state, account(event, fault=Fault.ON_HOOK_WITHOUT_OFF_HOOK)


def ring_in_call(state: LineState, event: Ring) -> Result:
    """It rings though the line is in use: a module tells of a waiting call, an analog line should not."""
    sim = state.policy.kind is LineKind.SIM
    return state, account(event, fault=Fault.WAITING_CALL_NOT_TAKEN if sim else Fault.RING_WHILE_OFF_HOOK)


def waiting_call(state: LineState, event: WaitingCall) -> Result:
    """A second caller knocks. Through a module he can be taken; on an analog line only the handset could take him.

    He counts as not taken from now on, whatever happens to the box; a call of his own claims his knock.
    """
    known = account(event, fault=Fault.WAITING_CALL_NOT_TAKEN)
    if state.policy.kind is not LineKind.SIM:
        return state, known
    return replace(state, knocks=(*state.knocks, event)[-MOST_HERALDS:]), known


def waiting_call_ended(state: LineState, event: WaitingCallEnded) -> Result:
    """The second caller gave up: his knock came to nothing."""
    knock = next((knock for knock in reversed(state.knocks) if knock.number == event.number), None)
    if knock is None:
        return state, ()
    left = tuple(one for one in state.knocks if one is not knock)
    return replace(state, knocks=left), ()


def end_in_idle(state: LineState, event: CallEnded) -> Result:
    """An end without a call: the echo of the last one, or a fault."""
    if is_trailing(state, event.at) and state.last_call:
        return state, account(event, call=state.last_call)
    return state, account(event, fault=Fault.END_WITHOUT_CALL)
