"""Calls on a SIM module, told second by second."""

from __future__ import annotations

import pytest

from firmware.effects import Account, DriveLine, LineAction, Refuse
from firmware.events import (
    Alerting,
    Answered,
    AnswerRequested,
    CallEnded,
    CallerId,
    DialRequested,
    DialStarted,
    EndCause,
    HangUpRequested,
    Ring,
    WaitingCall,
    WaitingCallEnded,
)
from firmware.line_state import Phase
from firmware.model import CallFlag, Direction, EndReason, LineKind, Outcome, Presentation
from tests.core.story import Story


@pytest.fixture
def line() -> Story:
    story = Story(LineKind.SIM)
    story.up()
    return story


def test_incoming_answered(line: Story) -> None:
    line.say(10.0, Ring)
    line.say(10.2, CallerId, number="+8613800138000")
    line.say(15.0, Ring)
    line.say(17.0, Answered)
    line.say(60.0, CallEnded)
    assert (line.call.outcome, line.call.end_reason) == (Outcome.ANSWERED, EndReason.NETWORK)
    assert line.call.number == "+8613800138000"
    assert line.sound == [(1, 17.0, 60.0)]
    assert line.ledger == [("ring", "call"), ("ring", "call"), ("answered", "call"), ("call_ended", "call")]


def test_answered_by_the_box(line: Story) -> None:
    line.say(10.0, Ring)
    (order,) = line.say(12.0, AnswerRequested, request="r1")
    assert order == DriveLine(line=line.state.line, action=LineAction.ANSWER, request="r1")
    assert line.phase is Phase.RINGING, "the order is not the answer: only the module's word is"


def test_missed(line: Story) -> None:
    line.say(10.0, Ring)
    line.say(16.0, Ring)
    line.say(19.0, CallEnded, cause=EndCause.NORMAL)
    assert line.call.outcome is Outcome.MISSED
    assert line.sound == []


def test_ringing_that_nobody_ends_is_missed_all_the_same(line: Story) -> None:
    line.say(10.0, Ring)
    line.wait(18.0)
    assert line.call.outcome is Outcome.MISSED


@pytest.mark.parametrize("told", [True, False], ids=["network says so", "ring just stops"])
def test_rejected_by_a_person(line: Story, told: bool) -> None:
    line.say(10.0, Ring)
    (order,) = line.say(12.0, HangUpRequested, request="r1")
    assert isinstance(order, DriveLine)
    assert order.action is LineAction.HANG_UP
    if told:
        line.say(12.5, CallEnded)
    line.wait(60.0)
    assert line.call.outcome is Outcome.REJECTED


def test_dialled_by_the_box(line: Story) -> None:
    (order,) = line.say(10.0, DialRequested, number="10086", request="r1")
    assert isinstance(order, DriveLine)
    assert order.number == "10086"
    line.say(10.3, DialStarted)
    line.say(12.0, Alerting)
    line.say(15.0, Answered)
    line.say(40.0, CallEnded)
    assert (line.call.direction, line.call.number, line.call.outcome) == (
        Direction.OUTGOING,
        "10086",
        Outcome.ANSWERED,
    )
    assert line.sound == [(1, 15.0, 40.0)]


def test_number_of_a_refused_dialling_is_not_that_of_a_later_call(line: Story) -> None:
    line.say(10.0, DialRequested, number="10086", request="r1")
    line.say(20.0, Ring)
    line.say(22.0, CallEnded)
    line.say(40.0, DialStarted)
    assert line.calls[-1].number is None


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        (EndCause.BUSY, Outcome.BUSY),
        (EndCause.NO_ANSWER, Outcome.NO_ANSWER),
        (EndCause.FAILED, Outcome.FAILED),
        (EndCause.REJECTED, Outcome.REJECTED),
        (EndCause.NORMAL, Outcome.NO_ANSWER),
    ],
)
def test_outgoing_unanswered(line: Story, cause: EndCause, outcome: Outcome) -> None:
    line.say(10.0, DialStarted, number="5")
    line.say(20.0, CallEnded, cause=cause)
    assert line.call.outcome is outcome
    assert line.sound == []


def test_number_told_with_the_second_word(line: Story) -> None:
    line.say(10.0, DialStarted)
    line.say(10.4, DialStarted, number="5")
    line.say(10.8, DialStarted, number="6")
    assert (line.call.number, line.call.presentation) == ("5", Presentation.VALID)
    assert line.ledger == [("dial_started", "call")] * 3


def test_a_waiting_caller_is_named_at_once_and_stays_so_when_he_gives_up(line: Story) -> None:
    line.say(10.0, Ring)
    line.say(12.0, Answered)
    line.say(20.0, WaitingCall, number="5")
    line.say(21.0, Ring)
    named = [("waiting_call", "waiting_call_not_taken"), ("ring", "waiting_call_not_taken")]
    assert line.ledger[-2:] == named
    line.say(40.0, CallEnded)
    line.wait(60.0)
    assert line.ledger[-3:] == [*named, ("call_ended", "call")]
    assert line.phase is Phase.IDLE


def test_nobody_claims_the_knock_of_a_waiting_caller_who_gave_up_in_the_call(line: Story) -> None:
    line.say(10.0, Ring)
    line.say(12.0, Answered)
    line.say(20.0, WaitingCall, number="5")
    line.say(25.0, WaitingCallEnded, number="5")
    assert line.ledger[-1] == ("waiting_call", "waiting_call_not_taken")
    (refusal,) = line.say(26.0, AnswerRequested, request="r1")
    assert isinstance(refusal, Refuse)
    line.say(40.0, CallEnded)
    line.say(42.0, Ring)
    line.say(44.0, CallEnded)
    line.wait(90.0)
    knocks = [entry for entry in line.all(Account) if entry.kind == "waiting_call"]
    assert [entry.claims for entry in knocks] == [False], "the next caller is somebody else"


def test_a_waiting_caller_who_gives_up_right_after_the_call_is_named(line: Story) -> None:
    line.say(10.0, Ring)
    line.say(12.0, Answered)
    line.say(20.0, WaitingCall, number=None)
    line.say(30.0, CallEnded)
    line.say(30.5, WaitingCallEnded, number=None)
    assert line.ledger[-2:] == [("waiting_call", "waiting_call_not_taken"), ("call_ended", "call")]
    assert line.state.deadline_ns is None


def test_a_waiting_caller_is_taken_and_his_knock_belongs_to_his_call(line: Story) -> None:
    line.say(10.0, Ring)
    line.say(12.0, Answered)
    (refusal,) = line.say(15.0, AnswerRequested, request="r1")
    assert isinstance(refusal, Refuse)
    line.say(20.0, WaitingCall, number="5")
    (order,) = line.say(22.0, AnswerRequested, request="r2")
    assert order == DriveLine(line=line.state.line, action=LineAction.ANSWER, request="r2")
    line.say(22.5, CallEnded)
    line.say(22.5, Ring)
    line.say(22.5, CallerId, number="5")
    line.say(22.6, Answered)
    first, second = line.calls
    assert (first.outcome, second.outcome, second.number) == (Outcome.ANSWERED, None, "5")
    knocks = [entry for entry in line.all(Account) if entry.kind == "waiting_call"]
    assert [(entry.call, entry.claims) for entry in knocks] == [(None, False), (second.id, True)]


def test_a_waiting_caller_rings_when_the_first_hangs_up(line: Story) -> None:
    line.say(10.0, Ring)
    line.say(12.0, Answered)
    line.say(20.0, WaitingCall, number="5")
    line.say(30.0, CallEnded)
    line.say(31.0, Ring)
    line.say(36.0, CallEnded)
    line.wait(90.0)
    assert line.calls[1].outcome is Outcome.MISSED
    (_, claim) = [entry for entry in line.all(Account) if entry.kind == "waiting_call"]
    assert (claim.call, claim.claims) == (line.calls[1].id, True)


def test_a_call_nobody_saw_begin(line: Story) -> None:
    line.say(10.0, Answered)
    line.say(30.0, CallEnded)
    assert line.call.flags == {CallFlag.JOINED_LATE}
    assert line.call.direction is Direction.UNKNOWN
    assert line.sound == [(1, 10.0, 30.0)]


def test_an_answer_told_after_the_end_begins_no_call(line: Story) -> None:
    line.say(10.0, Ring)
    line.say(12.0, CallEnded)
    line.say(11.9, Answered)
    assert line.phase is Phase.IDLE
    assert len(line.calls) == 1
    assert line.ledger[-1] == ("answered", "call")


def test_an_end_told_twice(line: Story) -> None:
    line.say(10.0, Ring)
    line.say(12.0, CallEnded)
    line.say(13.0, CallEnded)
    line.say(30.0, CallEnded)
    assert line.ledger[-2:] == [("call_ended", "call"), ("call_ended", "end_without_call")]
