"""Which calls are recorded: all, by direction, by number; and what happens when the number comes late."""

from __future__ import annotations

import pytest

from firmware.effects import SaveCall, StartRecording, StopRecording
from firmware.events import Answered, CallEnded, CallerId, DialStarted, DigitDialled, EndCause, OffHook, OnHook, Ring
from firmware.model import Call, CallFlag, CallId, CallStatus, Direction, LineId, LineKind, Presentation
from firmware.recording_rules import RecordCalls, RecordingRules
from tests.core.story import NOON, Story

OUT, IN = Direction.OUTGOING, Direction.INCOMING


def _call(number: str | None, direction: Direction = IN) -> Call:
    return Call(
        id=CallId("c"), line=LineId("l"), direction=direction, status=CallStatus.TALKING, started=NOON, number=number
    )


@pytest.mark.parametrize(
    ("rules", "direction", "number", "wanted"),
    [
        (RecordingRules(), IN, None, True),
        (RecordingRules(calls=RecordCalls.NONE), IN, "10086", False),
        (RecordingRules(calls=RecordCalls.INCOMING), OUT, "10086", False),
        (RecordingRules(calls=RecordCalls.INCOMING), IN, "10086", True),
        (RecordingRules(calls=RecordCalls.OUTGOING), Direction.UNKNOWN, None, True),
        (RecordingRules(never=("10086",)), OUT, "10086", False),
        (RecordingRules(never=("10086",)), OUT, "100861", True),
        (RecordingRules(never=("138*",)), IN, "13800138000", False),
        (RecordingRules(never=("138*",), calling_code="86"), IN, "+8613800138000", False),
        (RecordingRules(never=("+86 138*",), calling_code="86"), IN, "13800138000", False),
        (RecordingRules(never=("138*",)), IN, "+8613800138000", True),
        (RecordingRules(calls=RecordCalls.NONE, always=("400*",)), IN, "4001234567", True),
        (RecordingRules(calls=RecordCalls.NONE, always=("400*",)), IN, "021", False),
        (RecordingRules(always=("400*",), never=("4001*",)), IN, "4001234567", False),
        (RecordingRules(calls=RecordCalls.NONE, always=("400*",)), OUT, None, False),
    ],
)
def test_a_call_is_wanted_or_not(rules: RecordingRules, direction: Direction, number: str | None, wanted: bool) -> None:
    assert rules.wants(_call(number, direction), number_is_final=True) is wanted


def _last(story: Story) -> Call:
    return [e.call for e in story.effects if isinstance(e, SaveCall)][-1]


def _started(story: Story) -> int:
    return sum(isinstance(e, StartRecording) for e in story.effects)


def test_a_caller_on_the_list_is_never_recorded() -> None:
    story = Story(rules=RecordingRules(never=("021*",)))
    story.up()
    story.say(1, Ring)
    story.say(2, CallerId, number="0211234567", presentation=Presentation.VALID)
    story.say(5, OffHook)
    story.say(60, OnHook)
    assert _started(story) == 0
    assert _last(story).flags == {CallFlag.NOT_TO_BE_RECORDED}
    assert _last(story).parts == 0


def test_a_number_that_is_dialled_after_the_recording_began_throws_it_away() -> None:
    story = Story(rules=RecordingRules(never=("10086",)))
    story.up()
    story.say(1, OffHook)
    assert _started(story) == 1
    for n, digit in enumerate("10086"):
        story.say(2 + n / 10, DigitDialled, digit=digit)
    story.say(60, OnHook)
    assert CallFlag.NOT_TO_BE_RECORDED in _last(story).flags
    assert _last(story).parts == 1  # the store deletes it when it sees the flag


def test_a_call_that_only_its_number_can_save_is_recorded_until_it_is_known() -> None:
    rules = RecordingRules(calls=RecordCalls.NONE, always=("400*",))
    story = Story(LineKind.SIM, rules=rules)
    story.up()
    story.say(1, DialStarted, number="10086")
    story.say(5, Answered)
    assert _started(story) == 0  # the number was there from the start
    wanted = Story(LineKind.SIM, rules=rules)
    wanted.up()
    wanted.say(1, DialStarted, number="4001234567")
    wanted.say(5, Answered)
    wanted.say(9, CallEnded, cause=EndCause.NORMAL)
    assert _started(wanted) == 1
    assert _last(wanted).flags == frozenset()


def test_answering_stops_a_recording_that_is_not_wanted() -> None:
    story = Story(rules=RecordingRules(calls=RecordCalls.NONE, always=("400*",)))
    story.up()
    story.say(1, OffHook)
    for n, digit in enumerate("0211234567"):
        story.say(2 + n / 10, DigitDialled, digit=digit)
    story.say(8, Answered)
    assert _started(story) == 1
    assert sum(isinstance(e, StopRecording) for e in story.effects) == 1
    story.say(60, OnHook)
    assert CallFlag.NOT_TO_BE_RECORDED in _last(story).flags


def test_without_lists_a_direction_that_is_left_out_costs_no_sound() -> None:
    story = Story(rules=RecordingRules(calls=RecordCalls.INCOMING))
    story.up()
    story.say(1, OffHook)
    story.say(20, OnHook)
    assert _started(story) == 0
