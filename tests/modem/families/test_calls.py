"""The same calls over every family of modules: what was played is what the line tells, one to one."""

from __future__ import annotations

import time

import pytest

from firmware.clock import SystemClock
from firmware.events import (
    Alerting,
    Answered,
    CallEnded,
    CallerId,
    DialStarted,
    DigitReceived,
    EndCause,
    LineDown,
    LineUp,
    Ring,
    WaitingCall,
)
from firmware.model import Direction
from firmware.modem.driver import AtModemLine, AtModemOptions
from simulator.sim_module import Quirks, State
from tests.modem.conftest import Log, eventually

from .conftest import CALLER, FAMILIES, SECOND, Bench, Play


def test_the_module_is_recognised(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        status = b.line.status
        assert status.family == FAMILIES[b.model]
        assert status.imei == b.module.identity["+CGSN"]
        assert (status.sim, status.registered) == ("READY", True)

    every_family(scenario)


def test_incoming_answered_and_ended_by_the_caller(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.take_call()
        assert b.log.all(CallerId)[0].number == CALLER
        assert b.module.state is State.ACTIVE
        b.module.remote_hangs_up()
        assert b.log.wait(CallEnded).cause is EndCause.NORMAL
        time.sleep(2.5)
        assert b.log.kinds() == ["LineUp", "Ring", "CallerId", "Answered", "CallEnded"]

    every_family(scenario)


def test_incoming_missed(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.module.incoming(CALLER)
        b.log.wait(Ring, count=2)
        b.module.caller_hangs_up()
        assert b.log.wait(CallEnded).cause is EndCause.NORMAL
        assert b.log.kinds() == ["LineUp", "Ring", "CallerId", "Ring", "CallEnded"]

    every_family(scenario)


def test_incoming_rejected(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.module.incoming(None)
        b.log.wait(CallerId)
        b.line.hang_up()
        assert b.log.wait(CallEnded).cause is EndCause.REJECTED
        assert b.module.state is State.IDLE

    every_family(scenario)


def test_outgoing_answered_and_hung_up(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        dialled: list[str] = []
        b.module.on_dial = dialled.append
        b.line.dial("10086")
        assert b.log.wait(DialStarted).number == "10086"
        b.module.remote_rings()
        b.log.wait(Alerting)
        b.module.remote_answers()
        b.log.wait(Answered)
        b.line.hang_up()
        assert b.log.wait(CallEnded).cause is EndCause.NORMAL
        assert dialled == ["10086"]
        assert b.log.kinds() == ["LineUp", "DialStarted", "Alerting", "Answered", "CallEnded"]
        assert b.module.state is State.IDLE

    every_family(scenario)


@pytest.mark.parametrize(
    ("refusal", "cause"),
    [("remote_busy", EndCause.BUSY), ("remote_no_answer", EndCause.NO_ANSWER), ("network_refuses", EndCause.FAILED)],
)
def test_outgoing_not_answered_says_why(every_family: Play, refusal: str, cause: EndCause) -> None:
    def scenario(b: Bench) -> None:
        b.line.dial("112")
        b.log.wait(DialStarted)
        getattr(b.module, refusal)()
        assert b.log.wait(CallEnded).cause is cause
        assert b.log.kinds() == ["LineUp", "DialStarted", "CallEnded"]

    every_family(scenario)


def test_a_waiting_caller_is_told_once_and_rings_afterwards(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.take_call()
        b.module.incoming(SECOND)
        assert b.log.wait(WaitingCall).number == SECOND
        b.module.remote_hangs_up()
        b.log.wait(CallEnded)
        assert b.log.wait(CallerId, count=2).number == SECOND
        b.module.caller_hangs_up()
        b.log.wait(CallEnded, count=2)
        assert len(b.log.all(WaitingCall)) == 1

    every_family(scenario)


def test_a_waiting_caller_who_is_taken_is_a_call_of_his_own(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.take_call()
        b.module.incoming(SECOND)
        b.log.wait(WaitingCall)
        b.line.answer()
        b.log.wait(Answered, count=2)
        assert [told.number for told in b.log.all(CallerId)] == [CALLER, SECOND]
        assert b.log.kinds()[4:] == ["WaitingCall", "CallEnded", "Ring", "CallerId", "Answered"]
        b.module.remote_hangs_up()
        b.log.wait(CallEnded, count=2)
        b.log.wait(CallerId, count=3)  # the first caller is still there, on hold
        assert b.log.all(CallerId)[2].number == CALLER

    every_family(scenario)


def test_digits_go_both_ways(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.take_call()
        b.module.remote_presses("1*#")
        b.log.wait(DigitReceived, count=3)
        assert "".join(event.digit for event in b.log.all(DigitReceived)) == "1*#"
        if b.model == "huawei":
            eventually(lambda: any(text == "AT+CLCC" for text in list(b.module.commands)[-3:]))
        b.line.send_digits("42#")
        eventually(lambda: b.module.dtmf_sent == "42#")

    every_family(scenario)


def test_a_call_that_was_up_before_is_joined(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.take_call()
        b.line.stop()
        again = Log()
        second = AtModemLine(b.line.line, AtModemOptions(at_port=str(b.module.at_path)), again, SystemClock())
        second.start()
        try:
            up = again.wait(LineUp)
            assert (up.direction, up.number) == (Direction.INCOMING, CALLER)
            b.module.remote_hangs_up()
            again.wait(CallEnded)
        finally:
            second.stop()

    every_family(scenario)


def test_pulled_in_mid_call_and_back(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.take_call()
        b.module.unplug()
        assert b.log.wait(LineDown).reason == "USB device was unplugged"
        began_s = time.monotonic()
        b.module.plug()
        b.log.wait(LineUp, count=2)
        assert time.monotonic() - began_s < 20
        b.take_call()

    every_family(scenario)


def test_restarted_by_itself_in_mid_call(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.take_call()
        b.module.reboot()
        b.log.wait(LineDown)
        b.log.wait(LineUp, count=2)
        b.take_call()

    every_family(scenario, models=("a7670", "ec25", "m95", "sim7600", "sim800"))  # a stick leaves the bus instead


ODD_UNITS = {
    "caller id first": {"clip_first": True},
    "RING twice": {"ring_twice": True},
    "echo stays on": {"echo_stuck": True},
    "no pushed states": {"pushes_calls": False},
    "URC inside an answer": {"urc_inside_answer": "+CSQ: 12,99"},
    "the end is never said": {"silent_end": True},
    "a data call is listed": {"data_call": True},
    "NUL bytes at the start": {"nul_prefix": True},
    "single CR": {"double_cr": False},
    "sound refused at first": {"cpcmreg_errors": 2},
}


def an_answered_call(b: Bench) -> None:
    b.module.incoming(CALLER)
    b.log.wait(CallerId)
    b.line.answer()
    b.log.wait(Answered)
    b.module.remote_hangs_up()
    assert b.log.wait(CallEnded).cause is EndCause.NORMAL
    assert b.log.kinds() == ["LineUp", "Ring", "CallerId", "Answered", "CallEnded"]


@pytest.mark.parametrize("odd", sorted(ODD_UNITS))
def test_a_call_is_a_call_whatever_the_unit_does(every_family: Play, odd: str) -> None:
    every_family(an_answered_call, lambda: Quirks(boot_s=0.05, ring_every_s=1.6, **ODD_UNITS[odd]))


def test_a_quectel_that_speaks_on_another_port_is_told_to_speak_here(every_family: Play) -> None:
    every_family(an_answered_call, lambda: Quirks(boot_s=0.05, urcs_elsewhere=True), models=("ec25",))
