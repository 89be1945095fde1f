"""Calls on an analog line, told second by second."""

from __future__ import annotations

from firmware.effects import Hearing, LineAction, ListenFor, RaiseAlarm, Refuse, ResolveAlarm
from firmware.events import (
    AnswerRequested,
    CallEnded,
    CallerId,
    DialRequested,
    DigitDialled,
    LineDown,
    OffHook,
    OnHook,
    PolarityReversed,
    Ring,
    RingPaused,
)
from firmware.line_state import Phase
from firmware.model import CallStatus, Direction, EndReason, Outcome, Presentation
from tests.core.story import Story

LATER_S = 3600.0


def test_incoming_answered() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(11.0, RingPaused)
    line.say(12.5, CallerId, number="13800138000", name="WANG")
    line.say(15.0, Ring)
    line.say(15.6, OffHook)
    line.say(75.0, OnHook)
    call = line.call
    assert call.id == "20261122T120010000Z-fxo-1"
    assert (call.direction, call.status, call.outcome) == (Direction.INCOMING, CallStatus.ENDED, Outcome.ANSWERED)
    assert (call.number, call.name, call.end_reason) == ("13800138000", "WANG", EndReason.ON_HOOK)
    assert [line.second(t) for t in (call.started, call.answered, call.ended)] == [10.0, 15.6, 75.0]
    assert line.sound == [(1, 15.6, 75.0)]
    assert line.ledger == [("ring", "call"), ("ring", "call"), ("off_hook", "call"), ("on_hook", "call")]


def test_missed_ends_with_the_last_burst() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(11.0, RingPaused)
    line.say(15.0, Ring)
    line.say(16.0, RingPaused)
    line.wait(23.9)
    assert line.phase is Phase.RINGING
    line.wait(24.0)
    assert (line.call.outcome, line.call.end_reason) == (Outcome.MISSED, EndReason.RINGING_STOPPED)
    assert line.second(line.call.ended) == 16.0
    assert line.sound == []


def test_the_longest_silence_of_a_cadence_is_not_the_end() -> None:
    line = Story()
    line.up()
    for burst in range(6):
        line.say(10.0 + 5 * burst, Ring)
        line.say(11.0 + 5 * burst, RingPaused)
    assert line.say(36.5, OffHook)
    assert line.call.status is CallStatus.TALKING


def test_withheld_number() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(12.0, CallerId, number=None, presentation=Presentation.WITHHELD)
    line.wait(LATER_S)
    assert (line.call.number, line.call.presentation) == (None, Presentation.WITHHELD)


def test_first_word_about_the_caller_stands() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(12.0, CallerId, number="111")
    line.say(13.0, CallerId, number="222")
    assert line.call.number == "111"


def test_caller_id_before_the_first_ring() -> None:
    """The United Kingdom's order: reversal, caller ID, ring."""
    line = Story()
    line.up()
    heard = line.say(10.0, PolarityReversed)
    assert heard == [ListenFor(line=line.state.line, what=Hearing.CALLER_ID, at=line.moment(10.0))]
    line.say(11.5, CallerId, number="02079460000")
    line.say(12.5, Ring)
    line.wait(LATER_S)
    assert line.call.number == "02079460000"
    assert line.ledger == [("polarity_reversed", "call"), ("caller_id", "call"), ("ring", "call")]


def test_lifted_between_caller_id_and_first_ring_is_an_incoming_call() -> None:
    line = Story()
    line.up()
    line.say(10.0, CallerId, number="02079460000")
    line.say(10.5, OffHook)
    assert line.phase is Phase.TALKING
    line.say(60.0, OnHook)
    assert (line.call.direction, line.call.outcome) == (Direction.INCOMING, Outcome.ANSWERED)
    assert line.sound == [(1, 10.5, 60.0)]


def test_a_herald_without_a_call_is_a_named_fault() -> None:
    line = Story()
    line.up()
    line.say(10.0, PolarityReversed)
    line.say(11.0, CallerId, number="02079460000")
    line.wait(16.9)
    assert line.ledger == []
    line.wait(17.0)
    assert line.ledger == [
        ("polarity_reversed", "reversal_without_call"),
        ("caller_id", "caller_id_without_ring"),
    ]
    assert line.calls == []


def test_a_line_that_flaps_is_named_while_it_flaps() -> None:
    line = Story()
    line.up()
    for second in range(100):
        line.say(10.0 + second, PolarityReversed)
    assert len(line.ledger) >= 90
    line.wait(LATER_S)
    assert line.ledger == [("polarity_reversed", "reversal_without_call")] * 100


def test_outgoing_answered_by_reversal() -> None:
    line = Story()
    line.up()
    line.say(10.0, OffHook)
    for n, digit in enumerate("10086"):
        line.say(12.0 + 0.3 * n, DigitDialled, digit=digit)
    line.say(20.0, PolarityReversed)
    line.say(25.0, DigitDialled, digit="1")
    line.say(60.0, OnHook)
    line.say(60.2, PolarityReversed)
    call = line.call
    assert (call.direction, call.outcome, call.number) == (Direction.OUTGOING, Outcome.ANSWERED, "10086")
    assert line.second(call.answered) == 20.0
    assert line.sound == [(1, 10.0, 60.0)], "from off-hook on, in one piece"
    assert line.ledger[-1] == ("polarity_reversed", "call"), "back to normal just after the end"


def test_outgoing_not_answered() -> None:
    line = Story()
    line.up()
    line.say(10.0, OffHook)
    line.say(12.0, DigitDialled, digit="5")
    line.say(40.0, OnHook)
    assert line.call.outcome is Outcome.NO_ANSWER


def test_outgoing_on_a_line_without_supervision() -> None:
    line = Story(answer_supervision=False)
    line.up()
    line.say(10.0, OffHook)
    line.say(12.0, DigitDialled, digit="5")
    line.say(40.0, OnHook)
    assert line.call.outcome is Outcome.UNSUPERVISED
    assert line.sound == [(1, 10.0, 40.0)]


def test_lifted_and_put_back() -> None:
    line = Story()
    line.up()
    line.say(10.0, OffHook)
    line.say(12.0, OnHook)
    assert (line.call.outcome, line.call.number) == (Outcome.ABANDONED, None)


def test_a_menu_is_not_part_of_the_number() -> None:
    line = Story(answer_supervision=False)
    line.up()
    line.say(10.0, OffHook)
    line.say(12.0, DigitDialled, digit="5")
    line.say(21.0, DigitDialled, digit="9")
    assert line.call.number == "5"


def test_two_calls_one_after_the_other() -> None:
    line = Story()
    line.up()
    line.say(10.0, OffHook)
    line.say(20.0, OnHook)
    line.say(20.5, Ring)
    line.say(22.0, OffHook)
    line.say(30.0, OnHook)
    assert [c.outcome for c in line.calls] == [Outcome.ABANDONED, Outcome.ANSWERED]
    assert line.sound == [(1, 10.0, 20.0), (1, 22.0, 30.0)]


def test_events_nobody_can_explain_are_named() -> None:
    line = Story()
    line.up()
    line.say(10.0, OnHook)
    line.say(11.0, CallEnded)
    line.say(20.0, OffHook)
    line.say(21.0, Ring)
    assert line.ledger == [
        ("on_hook", "on_hook_without_off_hook"),
        ("call_ended", "end_without_call"),
        ("off_hook", "call"),
        ("ring", "ring_while_off_hook"),
    ]


def test_a_late_stamp_moves_no_moment_before_an_earlier_one() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(9.7, OffHook)
    line.say(9.5, OnHook)
    line.say(9.6, OffHook)
    first, second = line.calls
    assert [line.second(t) for t in (first.started, first.answered, first.ended)] == [10.0, 10.0, 10.0]
    assert first.id != second.id
    assert second.started.boot_ns >= first.ended.boot_ns  # type: ignore[union-attr]


def test_the_wall_clock_jumps_by_years_in_mid_call() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.clock_jumps(20 * 365 * 86400.0)
    line.say(12.0, OffHook)
    line.say(60.0, OnHook)
    call = line.call
    assert call.id == "20261122T120010000Z-fxo-1"
    assert call.ended is not None
    assert call.ended.seconds_since(call.started) == 50.0
    assert line.sound == [(1, 12.0, 60.0)]


def test_an_analog_line_refuses_what_it_cannot_do() -> None:
    line = Story()
    line.up()
    (refusal,) = line.say(10.0, DialRequested, number="5", request="r1")
    assert isinstance(refusal, Refuse)
    assert (refusal.code, refusal.request) == ("not_supported", "r1")
    (refusal,) = line.say(11.0, AnswerRequested, request="r2")
    assert isinstance(refusal, Refuse)
    assert refusal.code == "wrong_phase"
    assert LineAction.DIAL.value in refusal.message or "idle" in refusal.message


def test_a_lost_device_is_told_and_taken_back() -> None:
    line = Story()
    line.up()
    lost = line.say(10.0, LineDown, reason="USB device was unplugged")
    assert [(e.key, e.params) for e in lost if isinstance(e, RaiseAlarm)] == [
        ("line_down", {"reason": "USB device was unplugged"})
    ]
    (refusal,) = line.say(11.0, DialRequested, number="5", request="r1")
    assert isinstance(refusal, Refuse)
    assert refusal.code == "device_lost"
    back = line.up(20.0)
    assert [e.key for e in back if isinstance(e, ResolveAlarm)] == ["line_down"]
