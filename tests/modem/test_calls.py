"""Whole calls of the real driver on a simulated SIM7600 over real ptys."""

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
    EndCause,
    LineCondition,
    LineDown,
    LineUp,
    Ring,
    WaitingCall,
)
from firmware.model import Direction, LineId, Presentation
from firmware.modem.driver import AtModemLine, AtModemOptions
from simulator.sim_module import SimModule, State

from .conftest import Listener, Log, eventually

CALLER = "+8613800138000"


def take_call(module: SimModule, driver: AtModemLine, log: Log, number: str | None = CALLER) -> None:
    calls = len(log.all(Answered))
    module.incoming(number)
    log.wait(CallerId, count=calls + 1)
    driver.answer()
    log.wait(Answered, count=calls + 1)


def test_an_incoming_call_is_answered_and_ended_by_the_caller(module: SimModule, driver: AtModemLine, log: Log) -> None:
    assert log.wait(LineUp).condition is LineCondition.IDLE
    take_call(module, driver, log)
    assert log.all(CallerId)[0].number == CALLER
    assert log.all(CallerId)[0].presentation is Presentation.VALID
    module.remote_hangs_up()
    assert log.wait(CallEnded).cause is EndCause.NORMAL
    time.sleep(2.5)  # the end is told by a list, VOICE CALL: END and NO CARRIER: once is enough
    assert log.kinds() == ["LineUp", "Ring", "CallerId", "Answered", "CallEnded"]


def test_each_ring_is_told_and_the_caller_once(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    module.incoming(CALLER)
    log.wait(Ring, count=3)
    module.caller_hangs_up()
    assert log.wait(CallEnded).cause is EndCause.NORMAL
    assert log.kinds() == ["LineUp", "Ring", "CallerId", "Ring", "Ring", "CallEnded"]


def test_a_rejected_call_ends_as_rejected(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    module.incoming(CALLER)
    log.wait(Ring)
    driver.hang_up()
    assert log.wait(CallEnded).cause is EndCause.REJECTED
    assert module.state is State.IDLE


@pytest.mark.parametrize(
    ("validity", "presentation"),
    [(1, Presentation.WITHHELD), (2, Presentation.UNAVAILABLE), (3, Presentation.UNAVAILABLE)],
)
def test_a_caller_without_a_number_says_why(
    module: SimModule, driver: AtModemLine, log: Log, validity: int, presentation: Presentation
) -> None:
    log.wait(LineUp)
    module.incoming(None, validity)
    told = log.wait(CallerId)
    assert (told.number, told.presentation) == (None, presentation)


def test_an_outgoing_call_is_answered_and_hung_up_by_the_box(module: SimModule, driver: AtModemLine, log: Log) -> None:
    dialled: list[str] = []
    module.on_dial = dialled.append
    log.wait(LineUp)
    driver.dial("010 8888-7777")
    assert log.wait(DialStarted).number == "01088887777"
    module.remote_rings()
    log.wait(Alerting)
    module.remote_answers()
    log.wait(Answered)
    driver.hang_up()
    assert log.wait(CallEnded).cause is EndCause.NORMAL
    assert dialled == ["01088887777"]
    assert log.kinds() == ["LineUp", "DialStarted", "Alerting", "Answered", "CallEnded"]


@pytest.mark.parametrize(
    ("refusal", "cause"),
    [("remote_busy", EndCause.BUSY), ("remote_no_answer", EndCause.NO_ANSWER), ("network_refuses", EndCause.FAILED)],
)
def test_an_outgoing_call_that_is_not_answered_says_why(
    module: SimModule, driver: AtModemLine, log: Log, refusal: str, cause: EndCause
) -> None:
    log.wait(LineUp)
    driver.dial("112")
    log.wait(DialStarted)
    getattr(module, refusal)()
    assert log.wait(CallEnded).cause is cause
    assert log.kinds() == ["LineUp", "DialStarted", "CallEnded"]


@pytest.mark.parametrize("number", ["12;+CFUN=0", "", "112\rAT+CFUN=0", "call me", "１１２"])
def test_what_is_no_number_is_never_sent_to_the_module(
    module: SimModule, driver: AtModemLine, log: Log, number: str
) -> None:
    log.wait(LineUp)
    driver.dial(number)
    assert log.wait(CallEnded).cause is EndCause.FAILED
    assert not [text for text in module.commands if text.startswith("ATD") or "CFUN" in text]


def test_the_second_call_is_as_good_as_the_first(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    for call in (1, 2):
        take_call(module, driver, log)
        module.remote_hangs_up()
        log.wait(CallEnded, count=call)
    assert log.kinds()[1:] == ["Ring", "CallerId", "Answered", "CallEnded"] * 2


def test_a_waiting_caller_is_told_once_and_rings_when_the_first_call_is_over(
    module: SimModule, driver: AtModemLine, log: Log
) -> None:
    log.wait(LineUp)
    take_call(module, driver, log)
    module.incoming("02155556666")
    assert log.wait(WaitingCall).number == "02155556666"
    time.sleep(2.5)
    assert len(log.all(WaitingCall)) == 1
    module.remote_hangs_up()
    log.wait(CallEnded)
    log.wait(CallerId, count=2)
    assert log.all(CallerId)[1].number == "02155556666"
    module.caller_hangs_up()
    log.wait(CallEnded, count=2)


def test_a_waiting_caller_who_gives_up_does_not_end_the_first_call(
    module: SimModule, driver: AtModemLine, log: Log
) -> None:
    log.wait(LineUp)
    take_call(module, driver, log)
    module.incoming("02155556666")
    log.wait(WaitingCall)
    module.caller_hangs_up()
    time.sleep(4)
    assert not log.all(CallEnded)
    assert module.state is State.ACTIVE


def test_the_module_pulled_in_mid_call_comes_back_by_itself(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    take_call(module, driver, log)
    module.unplug()
    assert log.wait(LineDown, within_s=3).reason == "USB device was unplugged"
    time.sleep(1.5)
    began_s = time.monotonic()
    module.plug()
    assert log.wait(LineUp, count=2).condition is LineCondition.IDLE
    assert time.monotonic() - began_s < 5
    take_call(module, driver, log)


def test_a_module_that_restarts_by_itself_is_set_up_again(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    take_call(module, driver, log)
    module.reboot()
    assert "power supply" in log.wait(LineDown).reason
    log.wait(LineUp, count=2)
    take_call(module, driver, log)  # +CLIP would not come without the start sequence


def test_a_driver_started_in_mid_call_reports_the_call_and_arms_its_sound_again(
    module: SimModule, driver: AtModemLine, log: Log
) -> None:
    log.wait(LineUp)
    take_call(module, driver, log)
    listener = Listener(driver)
    eventually(lambda: module.pcm_on)
    listener.close()
    driver.stop()
    module.commands.clear()

    again = Log()
    second = AtModemLine(
        LineId("sim-1"),
        AtModemOptions(at_port=str(module.at_path), audio_port=str(module.pcm_path)),
        again,
        SystemClock(),
    )
    second.start()
    listener = Listener(second)
    try:
        up = again.wait(LineUp)
        assert (up.condition, up.direction, up.number) == (LineCondition.IN_CALL, Direction.INCOMING, CALLER)
        eventually(lambda: "AT+CPCMREG=1" in module.commands)
        eventually(lambda: len(listener.pcm) > 1600)
        module.remote_hangs_up()
        again.wait(CallEnded)
    finally:
        listener.close()
        second.stop()


def test_a_module_that_is_not_there_at_the_start_is_found_later(module: SimModule, log: Log) -> None:
    module.unplug()
    driver = AtModemLine(LineId("sim-1"), AtModemOptions(at_port=str(module.at_path)), log, SystemClock())
    driver.start()
    try:
        time.sleep(0.5)
        assert log.kinds() == ["LineDown"], "said once, not at each try"
        module.plug()
        log.wait(LineUp)
    finally:
        driver.stop()


def test_stop_is_quick_and_quiet(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    module.quirks.answer_after_s = 20.0
    driver.dial("112")
    time.sleep(0.2)
    began_s = time.monotonic()
    driver.stop()
    assert time.monotonic() - began_s < 2
    assert log.kinds() == ["LineUp"]
