"""What modules do wrong, and what the line makes of it: each fault was seen in the field."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from firmware.clock import SystemClock
from firmware.events import Answered, CallEnded, CallerId, EndCause, LineDown, LineUp, Ring
from firmware.model import LineId
from firmware.modem.driver import AtModemLine, AtModemOptions
from simulator.sim_module import Quirks, SimModule

from .conftest import Log, eventually

CALLER = "+8613800138000"


def one_answered_call(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp, within_s=20)
    module.incoming(CALLER)
    log.wait(Ring)
    driver.answer()
    log.wait(Answered)
    time.sleep(0.3)
    module.remote_hangs_up()
    assert log.wait(CallEnded).cause is EndCause.NORMAL
    time.sleep(1)
    assert log.kinds() == ["LineUp", "Ring", "CallerId", "Answered", "CallEnded"]
    assert log.all(CallerId)[0].number == CALLER


@pytest.mark.parametrize(
    "quirks",
    [
        pytest.param(Quirks(boot_s=0.1, clip_first=True), id="caller id before the ring"),
        pytest.param(Quirks(boot_s=0.1, ring_twice=True), id="RING on two channels"),
        pytest.param(Quirks(boot_s=0.1, echo_stuck=True), id="echo stays on"),
        pytest.param(Quirks(boot_s=0.1, pushes_calls=False), id="old firmware pushes no +CLCC"),
        pytest.param(Quirks(boot_s=0.1, data_call=True), id="a data session is listed as a call"),
        pytest.param(Quirks(boot_s=0.1, urc_inside_answer="+CSQ: 12,99"), id="URC inside an answer"),
        pytest.param(Quirks(boot_s=0.1, answer_after_s=0.4), id="slow answers"),
        pytest.param(Quirks(boot_s=0.1, double_cr=False), id="single CR"),
        pytest.param(Quirks(boot_s=0.1, silent_end=True), id="the end is never said, only the list shows it"),
        pytest.param(Quirks(boot_s=0.1, silent_end=True, pushes_calls=False, data_call=True), id="all that together"),
    ],
)
def test_a_call_is_a_call_whatever_the_module_does(module: SimModule, driver: AtModemLine, log: Log) -> None:
    one_answered_call(module, driver, log)


def test_noise_on_the_port_does_not_hurt_a_call(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    module.says(b"\0\0\xff\xfe" + bytes(range(256)) * 40 + b"\r\n")
    module.says(b"\nNO CARRIER\r\n\r\n+CLCC: 9,9,9\r\nVOICE CALL: END: 000\r\n+CLIP:\r\n")
    module.incoming(CALLER)
    assert log.wait(CallerId).number == CALLER
    driver.answer()
    log.wait(Answered)
    module.says(b"+CLCC: ,,,\r\n\xff\xff\xff")
    module.says(b"\r\nMISSED_CALL: 11:01AM 1\r\nRING\r\n")
    time.sleep(3)
    assert not log.all(CallEnded)
    module.remote_hangs_up()
    log.wait(CallEnded)


def test_an_answer_without_ok_does_not_end_a_call(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    module.incoming(CALLER)
    log.wait(Ring)
    driver.answer()
    log.wait(Answered)
    module.quirks.missing_ok = 1
    time.sleep(16)  # the poll's 9 s, the probe, and the next polls
    assert not log.all(CallEnded)
    assert not log.all(LineDown)
    module.remote_hangs_up()
    log.wait(CallEnded)


def test_a_list_that_is_refused_says_nothing_about_the_calls(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    module.incoming(CALLER)
    log.wait(Ring)
    driver.answer()
    log.wait(Answered)
    module.quirks.list_errors = 3
    eventually(lambda: module.quirks.list_errors == 0, within_s=15)
    time.sleep(1)
    assert not log.all(CallEnded)


def test_a_module_that_hangs_is_said_to_be_silent_and_found_again(
    module: SimModule, driver: AtModemLine, log: Log
) -> None:
    log.wait(LineUp)
    module.incoming(CALLER)
    log.wait(Ring)
    module.quirks.answer_after_s = 3600.0
    lost = log.wait(LineDown, within_s=20)
    assert lost.reason == "module does not answer"
    module.quirks.answer_after_s = 0.0
    log.wait(LineUp, count=2, within_s=15)


def test_a_port_that_another_program_uses_is_said(module: SimModule, log: Log) -> None:
    first, second = Log(), Log()
    lines = [
        AtModemLine(LineId("sim-1"), AtModemOptions(at_port=str(module.at_path)), sink, SystemClock())
        for sink in (first, second)
    ]
    try:
        lines[0].start()
        first.wait(LineUp)
        lines[1].start()
        assert "in use by another program" in second.wait(LineDown).reason
        lines[0].stop()
        second.wait(LineUp, within_s=15)
    finally:
        for line in lines:
            line.stop()


@pytest.mark.parametrize("name", ["a file", "a folder", "nothing"])
def test_a_port_that_is_none_is_said_and_not_a_crash(tmp_path: Path, log: Log, name: str) -> None:
    (tmp_path / "a file").write_text("no tty")
    (tmp_path / "a folder").mkdir()
    driver = AtModemLine(LineId("sim-1"), AtModemOptions(at_port=str(tmp_path / name)), log, SystemClock())
    driver.start()
    try:
        reason = log.wait(LineDown).reason
        assert ("unplugged" if name == "nothing" else "cannot be opened") in reason
        time.sleep(1.2)
        assert log.kinds() == ["LineDown"]
    finally:
        driver.stop()


def test_a_box_told_to_answer_answers_by_itself_after_the_caller_id(module: SimModule, log: Log) -> None:
    options = AtModemOptions(at_port=str(module.at_path), auto_answer=True)
    driver = AtModemLine(LineId("sim-1"), options, log, SystemClock())
    driver.start()
    try:
        log.wait(LineUp)
        module.incoming(CALLER)
        log.wait(Answered)
        assert log.kinds() == ["LineUp", "Ring", "CallerId", "Answered"]
    finally:
        driver.stop()


def test_the_module_is_told_never_to_answer_by_itself(module: SimModule, driver: AtModemLine, log: Log) -> None:
    log.wait(LineUp)
    assert "ATS0=0" in module.commands
    assert not [command for command in module.commands if command.startswith("ATA")]
