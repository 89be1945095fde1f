"""A line that tells the end of a call while the handset is still up, and calls that were found by sound."""

from __future__ import annotations

from firmware.call_machine import step
from firmware.effects import Account, Anomaly, DriveLine, Effect, Refuse, SaveCall, StartRecording
from firmware.events import (
    CallEnded,
    DigitDialled,
    FlashRequested,
    LineCondition,
    LineEvent,
    LineUp,
    OffHook,
    OnHook,
    Ring,
)
from firmware.line_state import LineState
from firmware.model import Call, CallFlag, Direction, EndReason, Instant, LineId, LineKind, Outcome
from firmware.policy import LinePolicy

LINE = LineId("fxo-1")
START = Instant(1_000_000_000_000, 1_800_000_000_000_000_000)


def _played(*events: LineEvent) -> tuple[list[Call], list[Account], list[Effect]]:
    state, effects = LineState(line=LINE, policy=LinePolicy(kind=LineKind.ANALOG)), []
    up = LineUp(line=LINE, at=START, condition=LineCondition.IDLE)
    for event in (up, *events):
        state, done = step(state, event)
        effects += done
    assert not [effect for effect in effects if isinstance(effect, Anomaly)]
    calls = {effect.call.id: effect.call for effect in effects if isinstance(effect, SaveCall)}
    return list(calls.values()), [effect for effect in effects if isinstance(effect, Account)], effects


def _at(seconds: float) -> Instant:
    return START.plus_s(seconds)


def test_a_handset_put_back_long_after_the_line_ended_the_call_belongs_to_it() -> None:
    calls, entries, _ = _played(
        Ring(line=LINE, at=_at(1)),
        OffHook(line=LINE, at=_at(3)),
        CallEnded(line=LINE, at=_at(60)),
        OnHook(line=LINE, at=_at(300)),
    )
    assert [(c.outcome, c.end_reason, c.ended) for c in calls] == [(Outcome.ANSWERED, EndReason.NETWORK, _at(60))]
    assert [entry.call for entry in entries] == [calls[0].id] * 4


def test_what_the_handset_dials_without_being_put_back_is_another_call() -> None:
    calls, entries, effects = _played(
        OffHook(line=LINE, at=_at(1)),
        DigitDialled(line=LINE, at=_at(2), digit="7"),
        CallEnded(line=LINE, at=_at(60)),
        DigitDialled(line=LINE, at=_at(70), digit="1"),
        DigitDialled(line=LINE, at=_at(71), digit="2"),
        OnHook(line=LINE, at=_at(90)),
    )
    assert [(c.direction, c.number) for c in calls] == [(Direction.OUTGOING, "7"), (Direction.OUTGOING, "12")]
    assert calls[1].ended == _at(90)
    assert len([e for e in effects if isinstance(e, StartRecording)]) == 2
    assert all(entry.call for entry in entries)


def test_digits_on_an_idle_line_are_nobodys_call() -> None:
    calls, _, _ = _played(
        OffHook(line=LINE, at=_at(1)), OnHook(line=LINE, at=_at(9)), DigitDialled(line=LINE, at=_at(10), digit="1")
    )
    assert len(calls) == 1


def test_a_call_found_by_sound_says_so() -> None:
    for by_sound in ((True, False, False), (False, True, False), (False, False, True)):
        ring, lifted, laid = by_sound
        calls, _, _ = _played(
            Ring(line=LINE, at=_at(1), by_sound=ring),
            OffHook(line=LINE, at=_at(3), by_sound=lifted),
            OnHook(line=LINE, at=_at(60), by_sound=laid),
        )
        assert calls[0].flags == {CallFlag.DETECTED_BY_SOUND}, by_sound


def test_a_flash_is_ordered_in_a_call_only_and_of_lines_that_can() -> None:
    able = LinePolicy(kind=LineKind.ANALOG, actions=frozenset({"flash"}))
    up = LineUp(line=LINE, at=START, condition=LineCondition.IDLE)
    for policy, in_call, wanted in (
        (able, True, DriveLine),
        (able, False, Refuse),
        (LinePolicy(kind=LineKind.ANALOG), True, Refuse),
    ):
        state, _ = step(LineState(line=LINE, policy=policy), up)
        if in_call:
            state, _ = step(state, OffHook(line=LINE, at=_at(1)))
        _, effects = step(state, FlashRequested(line=LINE, at=_at(2), request="r1"))
        assert [type(effect) for effect in effects] == [wanted]
