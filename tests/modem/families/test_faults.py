"""Each fault of telephony facts section 8 on every family that can have it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from firmware.clock import SystemClock
from firmware.events import Answered, CallEnded, CallerId, DialStarted, EndCause, LineAlarm, LineDown, LineUp
from firmware.model import LineId
from firmware.modem.driver import AtModemLine, AtModemOptions
from simulator.sim_card import SimCard
from simulator.sim_module import Quirks, SimModule
from tests.modem.conftest import Listener, Log, eventually
from tests.modem.test_sound import channels, pitch_hz, tone

from .conftest import WITH_PCM, Bench, Play

TRIES = {
    "sim7600": "AT+SPIC", "a7670": "AT+SPIC", "sim800": "AT+SPIC", "ec25": "AT+QPINC", "m95": "AT+QTRPIN",
    "huawei": "AT^CPIN?",
}  # fmt: skip

NOISE = (
    b"\0\0\xff\xfe",
    b"+CLCC: ,,,\r\n",
    b'\r\n+QIND: "ccinfo",\r\n^CEND:\r\nVOICE CALL:\r\n',
    b"\r\r\r\n",
)


def quiet() -> Quirks:
    return Quirks(boot_s=0.05, ring_every_s=1.6)


def test_noise_a_lost_ok_and_a_refused_list_end_no_call(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.take_call()
        for noise in NOISE:
            b.module.says(noise)
        b.module.quirks.list_errors = 2
        b.module.quirks.missing_ok = 1
        eventually(lambda: b.module.quirks.list_errors == 0 and b.module.quirks.missing_ok == 0, within_s=30)
        time.sleep(11)  # the time of an answer without OK, and the next polls
        assert not b.log.all(CallEnded)
        assert not b.log.all(LineDown)
        b.module.remote_hangs_up()
        assert b.log.wait(CallEnded).cause is EndCause.NORMAL

    every_family(scenario, quiet)


def test_a_dial_that_is_taken_and_refused_at_once_failed(every_family: Play) -> None:
    """No voice for this module, or not registered: OK, and NO CARRIER right behind it (T-SIM7600X issue 104)."""

    def scenario(b: Bench) -> None:
        b.module.on_dial = lambda _number: b.module.network_refuses()
        b.line.dial("10086")
        assert b.log.wait(DialStarted).number == "10086"
        assert b.log.wait(CallEnded).cause is EndCause.FAILED
        assert b.log.kinds() == ["LineUp", "DialStarted", "CallEnded"]

    every_family(scenario, quiet)


def test_a_late_module_is_waited_for(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        b.module.incoming("+8613800138000")
        b.log.wait(CallerId)
        b.line.answer()
        b.log.wait(Answered, within_s=15)
        b.module.remote_hangs_up()
        b.log.wait(CallEnded, within_s=15)

    every_family(scenario, lambda: Quirks(boot_s=0.05, ring_every_s=1.6, answer_after_s=0.15))


@pytest.mark.parametrize("tries", [3, 1])
def test_a_pin_is_sent_once_and_never_with_one_try_left(every_family: Play, tries: int, tmp_path) -> None:
    def scenario_of(model: str) -> None:
        card = SimCard(pin="1234", pin_tries=tries, tells_tries_by=TRIES[model])
        folder = tmp_path / model
        folder.mkdir()
        module = SimModule("sim-1", folder, quiet(), model=model)
        module.insert(card)
        log = Log()
        with module:
            line = AtModemLine(LineId("sim-1"), AtModemOptions(at_port=str(module.at_path)), log, SystemClock())
            line.use_pin(lambda _line, _iccid: "1234")
            line.start()
            try:
                sent = lambda: [text for text in module.commands if text.startswith("AT+CPIN=")]  # noqa: E731
                if tries >= 2:
                    log.wait(LineUp, within_s=30)
                    assert sent() == ['AT+CPIN="1234"']
                    module.incoming("+8613800138000")
                    log.wait(CallerId)
                else:
                    told = lambda: [alarm.key for alarm in log.all(LineAlarm) if alarm.raised]  # noqa: E731
                    eventually(lambda: "sim_pin_few_tries" in told(), within_s=30)
                    assert sent() == []
            finally:
                line.stop()

    every_family(lambda b: scenario_of(b.model), quiet)


def test_a_module_left_at_16_khz_is_noticed_and_recorded_at_8(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        listener = Listener(b.line)
        try:
            b.take_call()
            eventually(lambda: b.module.pcm_on, within_s=15)
            b.module.downlink(tone(700, 12, 16000))
            eventually(lambda: len(listener.pcm) > 4 * 8000 * 4, within_s=20)
            assert pitch_hz(channels(listener.pcm)[0][: 4 * 8000]) == pytest.approx(700, abs=3)
        finally:
            listener.close()

    every_family(scenario, lambda: Quirks(boot_s=0.05, ring_every_s=1.6, wide=True), models=WITH_PCM)


def test_a_port_that_takes_no_uplink_costs_the_far_side_nothing(every_family: Play) -> None:
    def scenario(b: Bench) -> None:
        listener = Listener(b.line)
        try:
            b.take_call()
            eventually(lambda: b.module.pcm_on, within_s=15)
            b.module.downlink(tone(900, 20))
            eventually(lambda: len(listener.pcm) > 8000 * 4, within_s=15)
            b.module.quirks.takes_no_uplink = True
            before = len(listener.pcm)
            eventually(lambda: len(listener.pcm) - before > 4 * 8000 * 4, within_s=20)
            b.module.quirks.takes_no_uplink = False
            heard = len(b.module.uplink_heard())
            eventually(lambda: len(b.module.uplink_heard()) - heard > 2 * 16000, within_s=15)
            far, _ = channels(listener.pcm[before : before + 4 * 8000 * 4])
            assert pitch_hz(far) == pytest.approx(900, abs=3)
            steps = np.abs(np.diff(far.astype(int)))
            assert steps.max() < 2 * 8000 * 2 * np.pi * 900 / 8000, "no hole in what the far side says"
            assert listener.error is None
        finally:
            listener.close()

    every_family(scenario, quiet, models=WITH_PCM)
