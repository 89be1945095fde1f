"""One command at a time, whatever else the module says meanwhile."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firmware.modem.at_events import CallResult, CallState, ListedCall, ModuleSaid, Ringing, Signal
from firmware.modem.engine import Answer, AtEngine, Command, PortDead

LIST = Command("AT+CLCC", prefix="+CLCC:")
HANG_UP = Command("AT+CHUP")


def started(command: Command) -> AtEngine:
    engine = AtEngine()
    engine.submit(command)
    assert engine.next_bytes(0.0) == command.text.encode() + b"\r"
    return engine


def test_one_command_at_a_time() -> None:
    engine = started(LIST)
    engine.submit(HANG_UP)
    assert engine.next_bytes(0.1) == b""
    (answer,) = engine.receive(b"\r\nOK\r\n", 0.2)
    assert answer == Answer(LIST, ok=True, result="OK")
    assert engine.next_bytes(0.3) == b"AT+CHUP\r"


def test_what_the_module_says_by_itself_is_told_from_the_answer() -> None:
    engine = started(LIST)
    told = engine.receive(
        b"AT+CLCC\r\r\n+CLCC: 1,1,0,0,0\r\n\r\r\nRING\r\r\n+CSQ: 20,99\r\n\r\nOK\r\n\r\nNO CARRIER\r\n", 1.0
    )
    assert told == [
        Ringing(),
        Signal(-73),
        Answer(LIST, ok=True, lines=("+CLCC: 1,1,0,0,0",), result="OK"),
        CallResult("NO CARRIER"),
    ]


def test_a_pushed_end_inside_the_list_is_no_part_of_it() -> None:
    engine = started(LIST)
    told = engine.receive(b"+CLCC: 1,1,6,0,0\r\nOK\r\n", 1.0)
    assert isinstance(told[0], ListedCall)
    assert told[0].state is CallState.GONE
    assert told[1] == Answer(LIST, ok=True, result="OK")


def test_busy_ends_a_dial_but_no_other_command() -> None:
    dial = Command("ATD112;", dials=True)
    assert started(dial).receive(b"BUSY\r\n", 1.0) == [Answer(dial, ok=False, result="BUSY")]
    assert started(LIST).receive(b"BUSY\r\n", 1.0) == [CallResult("BUSY")]


def test_a_pair_is_not_split_by_something_urgent() -> None:
    engine = AtEngine()
    engine.submit(HANG_UP, Command("AT+CPCMREG=0"))
    engine.submit(LIST)
    assert engine.next_bytes(0.0) == b"AT+CHUP\r"
    engine.submit(Command("ATA"), urgent=True)
    engine.receive(b"OK\r\n", 0.1)
    assert engine.next_bytes(0.1) == b"AT+CPCMREG=0\r"
    engine.receive(b"OK\r\n", 0.2)
    assert engine.next_bytes(0.2) == b"ATA\r"
    engine.receive(b"OK\r\n", 0.3)
    assert engine.next_bytes(0.3) == b"AT+CLCC\r"


def test_a_late_answer_is_not_taken_for_the_next_commands() -> None:
    engine = started(Command("AT+CPIN?", timeout_s=5))
    engine.submit(LIST)
    outputs, probe = engine.on_time(5.0)
    assert [output.timed_out for output in outputs if isinstance(output, Answer)] == [True]
    assert probe == b"AT\r"
    assert engine.receive(b"+CPIN: READY\r\nOK\r\n", 6.0)  # the old answer: an event, and no Answer
    assert engine.next_bytes(6.0) == b""
    engine.receive(b"OK\r\n", 6.1)  # the probe's
    engine.on_time(6.5)
    assert engine.next_bytes(6.5) == b"AT+CLCC\r"
    (answer,) = engine.receive(b"+CLCC: 1,1,0,0,0\r\nOK\r\n", 6.6)
    assert answer == Answer(LIST, ok=True, lines=("+CLCC: 1,1,0,0,0",), result="OK")


def test_a_module_that_says_nothing_at_all_is_dead_once() -> None:
    engine = started(LIST)
    engine.on_time(5.0)
    outputs, _ = engine.on_time(10.0)
    assert outputs == [PortDead()]
    engine.submit(HANG_UP)
    assert engine.next_bytes(11.0) == b""
    assert engine.deadline_s is None


def test_a_line_nobody_knows_answers_a_command_that_asks_for_text() -> None:
    model = Command("AT+CGMM", free_text=True)
    told = started(model).receive(b"SIMCOM_SIM7600E-H\r\n+CSQ: 9,99\r\nOK\r\n", 1.0)
    assert told == [Signal(-95), Answer(model, ok=True, lines=("SIMCOM_SIM7600E-H",), result="OK")]
    assert started(LIST).receive(b"PB DONE\r\n", 1.0) == [ModuleSaid("PB DONE")]


STEPS = st.lists(
    st.one_of(
        st.sampled_from(
            [b"OK\r\n", b"ERROR\r\n", b"RING\r\n", b"NO CARRIER\r\n", b"AT\r", b"+CLCC: 1,1,0,0,0\r\n", b"\0\xff"]
        ),
        st.floats(0.01, 8.0),
        st.just("submit"),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_command_gets_exactly_one_answer_and_there_is_always_a_way_out(steps: list[object]) -> None:
    engine, now_s, sent, answers, dead = AtEngine(), 0.0, 0, 0, False
    outputs: list[object] = []
    for step in [*steps, 10.0, 10.0, 10.0]:
        if step == "submit":
            engine.submit(LIST)
        elif isinstance(step, bytes):
            outputs += engine.receive(step, now_s)
        else:
            assert isinstance(step, float)
            now_s += step
            outputs += engine.on_time(now_s)[0]
        sent += bool(engine.next_bytes(now_s))
    answers = sum(isinstance(output, Answer) for output in outputs)
    dead = PortDead() in outputs
    assert outputs.count(PortDead()) <= 1
    assert answers == sent or engine.deadline_s is not None
    assert dead or engine.idle or engine.deadline_s is not None
