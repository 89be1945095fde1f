"""Hook, keys and sound of a handset for the SIM."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.clock import SystemClock
from firmware.events import Answered, AnswerRequested, CallEnded, DialRequested, HangUpRequested, LineUp, Ring
from firmware.model import LineId
from firmware.modem.driver import AtModemLine, AtModemOptions
from firmware.modem.handset_dial import DIAL_AFTER_S, Answer, Dial, HandsetDial, HangUp, SendDigit
from firmware.modem.handset_keys import EVENT
from firmware.sim import CallMarked, Mark
from simulator.sim_module import Quirks, SimModule
from tests.modem.conftest import Listener, Log, eventually


def test_lifting_answers_and_putting_back_hangs_up() -> None:
    dial = HandsetDial()
    assert dial.lifted(ringing=True) == Answer()
    assert dial.put_back(in_call=True) == HangUp()
    assert dial.lifted(ringing=False) is None
    assert dial.put_back(in_call=False) is None


def test_digits_dial_after_a_pause_or_a_hash_and_go_into_a_call() -> None:
    dial = HandsetDial()
    for n, digit in enumerate("10086"):
        assert dial.digit(digit, float(n), ringing=False, in_call=False) is None
    assert dial.on_time(4 + DIAL_AFTER_S - 0.1) is None
    assert dial.on_time(4 + DIAL_AFTER_S) == Dial("10086")
    assert dial.on_time(99) is None
    for digit in "112":
        dial.digit(digit, 0.0, ringing=False, in_call=False)
    assert dial.digit("#", 0.1, ringing=False, in_call=False) == Dial("112")
    assert dial.digit("5", 1.0, ringing=False, in_call=True) == SendDigit("5")
    assert dial.digit("5", 1.0, ringing=True, in_call=False) is None


def test_a_code_may_begin_and_end_with_a_hash() -> None:
    dial = HandsetDial()
    for digit in "*#06#":
        assert dial.digit(digit, 0.0, ringing=False, in_call=False) is None
    assert dial.on_time(DIAL_AFTER_S) == Dial("*#06#")


def test_a_button_answers_hangs_up_and_dials_what_was_typed() -> None:
    dial = HandsetDial()
    assert dial.button(ringing=True, in_call=False) == Answer()
    assert dial.button(ringing=False, in_call=True) == HangUp()
    assert dial.button(ringing=False, in_call=False) is None
    dial.digit("1", 0.0, ringing=False, in_call=False)
    assert dial.button(ringing=False, in_call=False) == Dial("1")


@pytest.fixture
def module(tmp_path: Path) -> Iterator[SimModule]:
    with SimModule("sim-1", tmp_path, Quirks(boot_s=0.1)) as module:
        yield module


def press(keys: Path, *codes: int) -> None:
    fd = os.open(keys, os.O_WRONLY)
    for code in codes:
        os.write(fd, EVENT.pack(0, 0, 1, code, 1) + EVENT.pack(0, 0, 1, code, 0))
    os.close(fd)


def test_keys_of_a_usb_handset_answer_hang_up_and_dial(module: SimModule, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    os.mkfifo(keys)
    hold = os.open(keys, os.O_RDWR)
    log = Log()
    options = AtModemOptions(at_port=str(module.at_path), handset_keys=str(keys))
    driver = AtModemLine(LineId("sim-1"), options, log, SystemClock())
    driver.start()
    try:
        log.wait(LineUp)
        module.incoming("+8613800138000")
        log.wait(Ring)
        press(keys, 169)  # KEY_PHONE
        log.wait(AnswerRequested)
        driver.answer()  # what the runtime makes of it
        log.wait(Answered)
        press(keys, 6)  # KEY_5
        eventually(lambda: module.dtmf_sent == "5")
        press(keys, 169)
        log.wait(HangUpRequested)
        driver.hang_up()
        eventually(lambda: module.state == "idle")
        time.sleep(0.5)
        press(keys, 2, 2, 3, 28)  # 1 1 2 Enter
        assert log.wait(DialRequested).number == "112"
    finally:
        driver.stop()
        os.close(hold)


def test_digital_silence_at_the_start_of_a_call_rearms_the_sound_once_and_says_so(
    module: SimModule, tmp_path: Path
) -> None:
    log = Log()
    options = AtModemOptions(at_port=str(module.at_path), audio_port=str(module.pcm_path))
    driver = AtModemLine(LineId("sim-1"), options, log, SystemClock())
    driver.start()
    listener = Listener(driver)
    try:
        log.wait(LineUp)
        module.incoming("+8613800138000")
        log.wait(Ring)
        driver.answer()
        log.wait(Answered)
        mark = log.wait(CallMarked)
        assert mark.mark is Mark.SOUND_REARMED
        assert mark.after_s == pytest.approx(3.0, abs=1.5)
        time.sleep(5)
        assert len(log.all(CallMarked)) == 1
        assert module.state == "active"
    finally:
        listener.close()
        driver.stop()


def test_a_degraded_end_point_is_cured_between_two_calls(module: SimModule, tmp_path: Path) -> None:
    module.quirks.cpcmreg_errors = 4
    log = Log()
    options = AtModemOptions(at_port=str(module.at_path), audio_port=str(module.pcm_path))
    driver = AtModemLine(LineId("sim-1"), options, log, SystemClock())
    driver.start()
    listener = Listener(driver)
    try:
        log.wait(LineUp)
        for call in (1, 2):
            module.incoming("+8613800138000")
            log.wait(Ring, count=call)
            driver.answer()
            log.wait(Answered, count=call)
            eventually(lambda: module.pcm_on, within_s=15)
            assert "AT+CRESET" not in module.commands
            module.remote_hangs_up()
            log.wait(CallEnded, count=call)
        eventually(lambda: "AT+CRESET" in module.commands)
        log.wait(LineUp, count=2, within_s=20)
    finally:
        listener.close()
        driver.stop()
