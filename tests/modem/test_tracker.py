"""What a line says of its calls, for every order in which a module may say things (no ports, no threads)."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.events import (
    CallEnded,
    CallerId,
    EndCause,
    LineCondition,
    LineEvent,
    LineUp,
    WaitingCall,
)
from firmware.model import Direction, Instant, LineId, Presentation
from firmware.modem.at_events import ListedCall, parse_line
from firmware.modem.tracker import CallTracker, Phase

LINE = LineId("sim-1")
START = Instant(boot_ns=10**12, utc_ns=10**18)


class Told:
    """A tracker that is told lines as they come, and lists of calls; time passes when the test says so."""

    def __init__(self, *calls: str) -> None:
        self.tracker = CallTracker(LINE)
        self.now = START
        self.events: list[LineEvent] = self.tracker.line_up(rows(*calls), self.now)

    def say(self, *lines: str) -> Told:
        for line in lines:
            self.events += self.tracker.on_event(parse_line(line), self.now)
        return self

    def list(self, *calls: str) -> Told:
        self.events += self.tracker.on_list(rows(*calls), self.now)
        return self

    def later(self, seconds: float) -> Told:
        self.now = self.now.plus_s(seconds)
        self.events += self.tracker.on_time(self.now)
        return self

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def last(self, kind: type[LineEvent]) -> LineEvent:
        return [event for event in self.events if isinstance(event, kind)][-1]


def rows(*lines: str) -> list[ListedCall]:
    return [event for event in map(parse_line, lines) if isinstance(event, ListedCall)]


RINGING = '+CLCC: 1,1,4,0,0,"077",129'
UP_IN = '+CLCC: 1,1,0,0,0,"077",129'
GONE_IN = '+CLCC: 1,1,6,0,0,"077",129'
DIALS = '+CLCC: 1,0,2,0,0,"112",129'
RINGS_THERE = '+CLCC: 1,0,3,0,0,"112",129'
UP_OUT = '+CLCC: 1,0,0,0,0,"112",129'
GONE_OUT = '+CLCC: 1,0,6,0,0,"112",129'
KNOCKS = '+CLCC: 2,1,5,0,0,"099",129'
DATA = "+CLCC: 3,0,0,1,0"


def test_the_line_comes_into_view_with_the_call_that_is_on_it() -> None:
    for calls, condition, direction, number in [
        ([], LineCondition.IDLE, Direction.UNKNOWN, None),
        ([DATA], LineCondition.IDLE, Direction.UNKNOWN, None),
        ([RINGING], LineCondition.RINGING, Direction.INCOMING, "077"),
        ([DIALS], LineCondition.DIALING, Direction.OUTGOING, "112"),
        ([KNOCKS, UP_OUT], LineCondition.IN_CALL, Direction.OUTGOING, "112"),
    ]:
        (up,) = Told(*calls).events
        assert isinstance(up, LineUp)
        assert (up.condition, up.direction, up.number) == (condition, direction, number)


def test_a_call_that_was_up_before_ends_once() -> None:
    told = Told(UP_IN).say("VOICE CALL: END: 000041", "NO CARRIER", GONE_IN)
    assert told.kinds == ["LineUp", "CallEnded"]


def test_one_empty_list_is_no_end_two_are() -> None:
    told = Told().say("RING", "VOICE CALL: BEGIN").later(2).list()
    assert told.kinds == ["LineUp", "Ring", "Answered"]
    assert told.tracker.ask_at is not None
    told.later(0.5).list(UP_IN).later(2).list()
    assert told.kinds[-1] == "Answered"
    told.later(0.5).list()
    assert told.kinds[-1] == "CallEnded"


def test_the_cause_that_comes_after_the_end_is_waited_for() -> None:
    told = Told().say(DIALS, GONE_OUT)
    assert "CallEnded" not in told.kinds
    assert told.say("BUSY").last(CallEnded).cause is EndCause.BUSY  # type: ignore[attr-defined]
    told = Told().say(DIALS, RINGS_THERE, GONE_OUT).later(0.4)
    assert told.last(CallEnded).cause is EndCause.NO_ANSWER  # type: ignore[attr-defined]
    told = Told().say(DIALS, GONE_OUT).later(0.4)
    assert told.last(CallEnded).cause is EndCause.FAILED  # type: ignore[attr-defined]


def test_a_ring_in_a_call_asks_the_list_and_the_list_finds_a_lost_end() -> None:
    told = Told().say("RING", UP_IN).later(10).say("RING")
    assert told.kinds == ["LineUp", "Ring", "CallerId", "Answered"]
    assert told.tracker.ask_at == told.now
    other = '+CLCC: 2,1,4,0,0,"099",129'
    told.list(other).later(0.5).list(other)
    assert told.kinds[4:] == ["WaitingCall", "CallEnded", "Ring"] or told.kinds[4:] == ["CallEnded", "Ring"]


def test_a_knocking_caller_is_said_once_and_its_end_is_not_the_calls_end() -> None:
    told = Told().say("RING", UP_IN, '+CCWA: "099",129,1', KNOCKS, "NO CARRIER").list(UP_IN, KNOCKS)
    assert [type(event) for event in told.events].count(WaitingCall) == 1
    told.say('+CLCC: 2,1,6,0,0,"099",129').list(UP_IN)
    assert "CallEnded" not in told.kinds


def test_a_caller_whose_id_came_only_in_the_list_is_still_named() -> None:
    told = Told().say("RING").list(RINGING).say("NO CARRIER")
    assert told.last(CallerId).number == "077"  # type: ignore[attr-defined]
    assert told.last(CallerId).presentation is Presentation.VALID  # type: ignore[attr-defined]


def test_the_end_of_the_call_before_does_not_end_the_next() -> None:
    told = Told().say("RING", UP_IN, GONE_IN).later(0.2).say("RING", "NO CARRIER")
    assert told.kinds[-1] == "Ring"
    assert told.tracker.ask_at is not None


def test_two_rings_are_one_unless_time_passed() -> None:
    assert Told().say("RING", RINGING, "+CRING: VOICE").kinds == ["LineUp", "Ring"]
    assert Told().say("RING").later(3).say("RING").kinds == ["LineUp", "Ring", "Ring"]


def test_data_and_fax_calls_are_not_calls() -> None:
    assert Told().say("+CRING: FAX", DATA).list(DATA).kinds == ["LineUp"]


def test_what_the_box_does_itself_shows_in_the_cause() -> None:
    told = Told().say("RING")
    told.tracker.hanging_up()
    assert told.say(GONE_IN).last(CallEnded).cause is EndCause.REJECTED  # type: ignore[attr-defined]
    told = Told().say(DIALS)
    told.tracker.hanging_up()
    assert told.say(GONE_OUT).last(CallEnded).cause is EndCause.NORMAL  # type: ignore[attr-defined]


def test_a_refused_dial_is_a_call_that_failed() -> None:
    told = Told()
    told.events += told.tracker.dial_refused("112", EndCause.FAILED, told.now)
    assert told.kinds == ["LineUp", "DialStarted", "CallEnded"]


LINES = [
    RINGING, UP_IN, GONE_IN, DIALS, RINGS_THERE, UP_OUT, GONE_OUT, KNOCKS, DATA, "+CLCC: 2,1,6,0,0", "+CLCC: 2,1,0,0,0",
    "RING", "+CRING: VOICE", "+CRING: FAX", '+CLIP: "077",129', '+CLIP: "",128,,,,1', "VOICE CALL: BEGIN", "BUSY",
    "VOICE CALL: END: 000001", "NO CARRIER", "NO ANSWER", "MISSED_CALL: 11:01AM 077", '+CCWA: "099",129,1', "junk",
]  # fmt: skip
LISTABLE = [line for line in LINES if line.startswith("+CLCC") and ",6," not in line]
STEPS = st.lists(
    st.one_of(
        st.sampled_from(LINES),
        st.lists(st.sampled_from(LISTABLE), max_size=2, unique_by=lambda line: line[7]),
        st.floats(0.0, 4.0),
        st.sampled_from(["<dial>", "<hang up>"]),
    ),
    max_size=40,
)
GRAMMAR = re.compile(
    r"U([RIK]*(R[RIK]*A?[K]*|D[K]*L?[K]*A?[K]*)E)*(R[RIK]*A?[K]*|D[K]*L?[K]*A?[K]*)?".replace("K", "WV")
)
LETTER = {
    "LineUp": "U", "Ring": "R", "CallerId": "I", "Answered": "A", "DialStarted": "D", "Alerting": "L", "CallEnded": "E",
    "WaitingCall": "W", "WaitingCallEnded": "V",
}  # fmt: skip


@settings(max_examples=400)
@given(STEPS)
def test_in_any_order_calls_begin_and_end_once_and_two_empty_lists_end_all(steps: list[object]) -> None:
    told = Told()
    for step in steps:
        if isinstance(step, list):
            told.list(*step)
        elif isinstance(step, float):
            told.later(step)
        elif step == "<dial>":
            told.events += told.tracker.dialing("112", told.now)
        elif step == "<hang up>":
            told.tracker.hanging_up()
        else:
            told.say(str(step))
    assert GRAMMAR.fullmatch("".join(LETTER[kind] for kind in told.kinds)), told.kinds
    told.later(1).list().later(1).list()
    assert told.tracker.phase is Phase.IDLE
    assert told.kinds.count("WaitingCallEnded") <= told.kinds.count("WaitingCall")
    begun = sum(1 for before, after in zip(["LineUp", *told.kinds], told.kinds, strict=False) if _begins(before, after))
    assert begun == told.kinds.count("CallEnded")
    assert told.tracker.deadline is None


def _begins(before: str, after: str) -> bool:
    return after == "DialStarted" or (after == "Ring" and before in {"LineUp", "CallEnded"})


def test_an_outgoing_call_that_only_a_word_begins_stays_one_call() -> None:
    told = Told()
    told.events += told.tracker.dialing("10086", told.now)
    told.say("VOICE CALL: BEGIN")
    for _ in range(3):
        told.later(2.0).list('+CLCC: 1,0,0,0,0,"10086",129')
    told.say("VOICE CALL: END: 000006")
    assert told.kinds == ["LineUp", "DialStarted", "Answered", "CallEnded"]
