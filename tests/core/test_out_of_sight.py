"""Calls whose line went out of sight: the device was pulled, or the recorder was not there."""

from __future__ import annotations

import pytest

from firmware.call_machine import leave
from firmware.effects import Account, Hearing, ListenFor, StartRecording
from firmware.events import (
    Answered,
    CallerId,
    DigitDialled,
    LineCondition,
    LineDown,
    OffHook,
    OnHook,
    PolarityReversed,
    Ring,
)
from firmware.line_state import Phase, restored
from firmware.model import Call, CallFlag, CallStatus, Direction, EndReason, Instant, LineKind, Outcome
from tests.core.story import NOON, Story, policy

IN_CALL, IDLE, RINGING, DIALING = (
    LineCondition.IN_CALL,
    LineCondition.IDLE,
    LineCondition.RINGING,
    LineCondition.DIALING,
)


def talking(kind: LineKind = LineKind.ANALOG) -> Story:
    line = Story(kind)
    line.up()
    line.say(10.0, Ring)
    line.say(10.5, CallerId, number="13800138000")
    line.say(12.0, OffHook if kind is LineKind.ANALOG else Answered)
    return line


def test_back_in_the_same_call_goes_on_as_part_2() -> None:
    line = talking()
    line.say(30.0, LineDown, reason="pulled")
    assert line.call.status is CallStatus.SUSPENDED
    line.up(33.0, IN_CALL)
    line.say(60.0, OnHook)
    assert line.call.outcome is Outcome.ANSWERED
    assert line.call.flags == {CallFlag.INTERRUPTED}
    assert line.call.parts == 2
    assert line.sound == [(1, 12.0, 30.0), (2, 33.0, 60.0)]
    second = line.all(StartRecording)[1]
    assert second.preroll_s == 3.0, "what lies before is in part 1"
    assert ("line_down", "device_lost") in line.ledger


def test_back_idle_the_call_ended_when_it_was_last_seen() -> None:
    line = talking()
    line.say(30.0, LineDown, reason="pulled")
    line.up(33.0, IDLE)
    assert (line.call.status, line.call.outcome) == (CallStatus.ENDED, Outcome.ANSWERED)
    assert line.call.end_reason is EndReason.DEVICE_LOST
    assert line.second(line.call.ended) == 30.0


def test_not_back_in_time() -> None:
    line = talking()
    line.say(30.0, LineDown, reason="pulled")
    line.wait(59.9)
    assert line.phase is Phase.SUSPENDED
    line.wait(60.0)
    assert line.second(line.call.ended) == 30.0
    line.up(61.0, IN_CALL)
    assert [c.flags for c in line.calls] == [{CallFlag.INTERRUPTED}, {CallFlag.JOINED_LATE}]


def test_back_with_another_caller_is_another_call() -> None:
    line = talking(LineKind.SIM)
    line.say(30.0, LineDown, reason="pulled")
    line.up(33.0, IN_CALL, number="999", direction=Direction.INCOMING)
    assert [(c.number, c.status) for c in line.calls] == [
        ("13800138000", CallStatus.ENDED),
        ("999", CallStatus.TALKING),
    ]
    assert line.sound == [(1, 12.0, 30.0), (1, 33.0, None)]


def test_back_with_a_call_in_the_other_direction_is_another_call() -> None:
    line = talking(LineKind.SIM)
    line.say(30.0, LineDown, reason="pulled")
    line.up(33.0, IN_CALL, direction=Direction.OUTGOING)
    assert [c.status for c in line.calls] == [CallStatus.ENDED, CallStatus.TALKING]


def test_ringing_goes_on_ringing_and_is_listened_to_again() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(11.0, LineDown, reason="pulled")
    back = line.up(14.0, RINGING)
    assert line.phase is Phase.RINGING
    assert [e.what for e in back if isinstance(e, ListenFor)] == [Hearing.CALLER_ID]
    line.wait(22.0)
    assert line.call.outcome is Outcome.MISSED


def test_ringing_was_answered_in_the_hole() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(11.0, LineDown, reason="pulled")
    line.up(14.0, IN_CALL)
    assert line.second(line.call.answered) == 14.0
    assert line.sound == [(1, 14.0, None)]


def test_ringing_stopped_in_the_hole() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(11.0, LineDown, reason="pulled")
    line.up(14.0, IDLE)
    assert line.phase is Phase.RINGING, "between two bursts a ringing line looks idle"
    line.wait(23.0)
    assert line.call.outcome is Outcome.MISSED
    assert line.second(line.call.ended) == 10.0, "when the caller was last heard of"


def test_holes_in_a_row_do_not_let_it_ring_for_ever() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(14.0, LineDown, reason="pulled")
    line.up(15.0, IDLE)
    line.say(20.0, LineDown, reason="pulled")
    line.up(21.0, IDLE)
    assert line.call.outcome is Outcome.MISSED, "10 s without a ring that anybody saw"
    line.say(23.0, Ring)
    assert len(line.calls) == 2, "this is another call"


def test_a_module_that_comes_back_idle_does_not_ring_any_more() -> None:
    line = Story(LineKind.SIM)
    line.up()
    line.say(10.0, Ring)
    line.say(11.0, LineDown, reason="pulled")
    line.up(14.0, IDLE)
    assert line.call.outcome is Outcome.MISSED


def test_ringing_goes_on_after_the_hole() -> None:
    line = Story()
    line.up()
    line.say(10.0, Ring)
    line.say(11.0, LineDown, reason="pulled")
    line.up(13.0, IDLE)
    line.say(15.0, Ring)
    line.say(16.0, OffHook)
    assert len(line.calls) == 1
    assert line.second(line.call.answered) == 16.0


def test_dialling_goes_on_on_an_analog_line() -> None:
    line = Story()
    line.up()
    line.say(10.0, OffHook)
    line.say(11.0, DigitDialled, digit="1")
    line.say(11.5, LineDown, reason="pulled")
    line.up(12.0, IN_CALL)
    line.say(13.0, DigitDialled, digit="2")
    assert line.phase is Phase.DIALING, "off-hook does not say that anybody answered"
    assert line.call.number == "12"
    assert line.sound == [(1, 10.0, 11.5), (2, 12.0, None)]


def test_heralds_are_named_when_the_device_goes() -> None:
    line = Story()
    line.up()
    line.say(10.0, PolarityReversed)
    line.say(11.0, LineDown, reason="pulled")
    assert line.ledger == [("polarity_reversed", "reversal_without_call"), ("line_down", "device_lost")]


@pytest.mark.parametrize(
    ("condition", "direction"),
    [(RINGING, Direction.INCOMING), (DIALING, Direction.OUTGOING), (IN_CALL, Direction.UNKNOWN)],
)
def test_a_call_that_was_up_first_is_joined_late(condition: LineCondition, direction: Direction) -> None:
    line = Story()
    line.up(5.0, condition)
    assert line.call.direction is direction
    assert line.call.flags == {CallFlag.JOINED_LATE}


# --- the recorder was not there -------------------------------------------------------------------------------------


def saved(story: Story) -> Call:
    """The call as the store has it at the moment of the kill."""
    return story.call


def after_restart(call: Call, *, last_seen: Instant, now: Instant, kind: LineKind = LineKind.ANALOG) -> Story:
    return Story(state=restored(call.line, policy(kind), call, last_seen=last_seen, now=now))


def test_restart_in_mid_call_goes_on_as_part_2() -> None:
    call = saved(talking())
    line = after_restart(call, last_seen=NOON.plus_s(30.0), now=NOON.plus_s(34.0))
    line.up(34.5, IN_CALL)
    line.say(60.0, OnHook)
    assert line.call.id == call.id
    assert line.call.outcome is Outcome.ANSWERED
    assert line.call.answered == call.answered
    assert line.sound == [(2, 34.5, 60.0)]


def test_restart_after_the_call() -> None:
    call = saved(talking())
    line = after_restart(call, last_seen=NOON.plus_s(30.0), now=NOON.plus_s(34.0))
    line.up(34.5, IDLE)
    assert line.call.id == call.id
    assert (line.call.outcome, line.call.end_reason) == (Outcome.ANSWERED, EndReason.RECORDER_RESTARTED)
    assert line.second(line.call.ended) == 30.0


def test_restart_and_the_device_never_comes() -> None:
    call = saved(talking())
    line = after_restart(call, last_seen=NOON.plus_s(30.0), now=NOON.plus_s(34.0))
    line.say(35.0, LineDown, reason="not found")
    line.wait(64.0)
    assert line.call.status is CallStatus.ENDED


def test_restart_into_another_callers_call() -> None:
    call = saved(talking(LineKind.SIM))
    line = after_restart(call, last_seen=NOON.plus_s(30.0), now=NOON.plus_s(34.0), kind=LineKind.SIM)
    line.up(34.5, IN_CALL, number="999")
    assert [c.number for c in line.calls] == ["13800138000", "999"]
    assert line.calls[0].status is CallStatus.ENDED


def test_restart_while_suspended_from_ringing_ends_as_missed() -> None:
    before = Story()
    before.up()
    before.say(10.0, Ring)
    before.say(11.0, LineDown, reason="pulled")
    line = after_restart(saved(before), last_seen=NOON.plus_s(12.0), now=NOON.plus_s(16.0))
    line.up(17.0, IDLE)
    line.wait(26.0)
    assert line.call.outcome is Outcome.MISSED


def test_restart_of_the_machine_itself() -> None:
    """A new boot counts from zero again: old moments must not be compared with new ones."""
    call = saved(talking())
    rebooted = Instant(boot_ns=20_000_000_000, utc_ns=NOON.plus_s(90.0).utc_ns)
    state = restored(call.line, policy(LineKind.ANALOG), call, last_seen=NOON.plus_s(30.0), now=rebooted)
    line = Story(state=state)
    second = (rebooted.boot_ns - NOON.boot_ns) / 1e9
    line.clock_jumps(90.0 - second)
    line.up(second + 1, IDLE)
    assert line.calls[0].ended == NOON.plus_s(30.0)
    line.say(second + 2, OnHook)
    assert line.ledger == [("on_hook", "on_hook_without_off_hook")], "nothing trails a call of an earlier boot"
    line.say(second + 5, Ring)
    assert line.calls[1].started == line.moment(second + 5)


def test_leaving_closes_the_sound_and_names_heralds_but_ends_no_call() -> None:
    line = talking()
    state, effects = leave(line.state, NOON.plus_s(30.0))
    (stop,) = effects
    assert stop.at == NOON.plus_s(30.0)  # type: ignore[union-attr]
    assert state.call is not None
    assert state.recording is None

    line = Story()
    line.up()
    line.say(10.0, PolarityReversed)
    _, effects = leave(line.state, NOON.plus_s(11.0))
    assert [e.fault for e in effects if isinstance(e, Account)] == ["reversal_without_call"]
