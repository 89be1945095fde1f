"""The sound of calls on a simulated SIM7600: who is heard where, at which rate, and what happens when it breaks."""

from __future__ import annotations

import os
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from firmware.clock import SystemClock
from firmware.errors import AudioDeviceError
from firmware.events import Answered, CallEnded, CallerId, LineDown, LineUp
from firmware.model import ChannelRole, LineId
from firmware.modem.driver import AtModemLine, AtModemOptions
from firmware.modem.pcm_source import PcmSource
from simulator.sim_module import Quirks, SimModule
from simulator.sound import SoundStreet

from .conftest import Listener, Log, eventually

FAR_HZ = 700
NEAR_HZ = 1100


def tone(hz: float, seconds: float, rate_hz: int = 8000) -> bytes:
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return (8000 * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes()


def pitch_hz(samples: npt.NDArray[np.int16], rate_hz: int = 8000) -> float:
    """The strongest tone in the last second; 0 for silence."""
    last = samples[-rate_hz:].astype(float)
    if not last.any():
        return 0.0
    return float(np.argmax(np.abs(np.fft.rfft(last * np.hanning(len(last))))) * rate_hz / len(last))


def channels(pcm: bytes) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    both = np.frombuffer(pcm, dtype="<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


@pytest.fixture
def listener(driver: AtModemLine) -> Iterator[Listener]:
    listener = Listener(driver)
    yield listener
    listener.close()


def take_call(module: SimModule, driver: AtModemLine, log: Log) -> None:
    calls = len(log.all(Answered))
    module.incoming("+8613800138000")
    log.wait(CallerId, count=calls + 1)
    driver.answer()
    log.wait(Answered, count=calls + 1)


def test_the_far_side_is_channel_0_and_what_is_sent_channel_1(
    module: SimModule, driver: AtModemLine, log: Log, listener: Listener
) -> None:
    log.wait(LineUp)
    assert listener.source.roles == (ChannelRole.REMOTE, ChannelRole.LOCAL)
    take_call(module, driver, log)
    module.downlink(tone(FAR_HZ, 6))
    eventually(lambda: len(listener.pcm) > 3 * 8000 * 4)
    far, near = channels(listener.pcm)
    assert pitch_hz(far) == pytest.approx(FAR_HZ, abs=2)
    assert not near.any(), "without a handset silence is sent"


def test_what_is_sent_keeps_the_pace_of_what_comes(
    module: SimModule, driver: AtModemLine, log: Log, listener: Listener
) -> None:
    log.wait(LineUp)
    take_call(module, driver, log)
    eventually(lambda: module.pcm_on)
    time.sleep(3)
    sent_s = len(module.uplink_heard()) / 16000
    assert sent_s == pytest.approx(len(listener.pcm) / 4 / 8000, abs=0.25)
    assert sent_s == pytest.approx(3, abs=0.4)


def test_blocks_are_stamped_with_the_moment_they_were_heard(
    module: SimModule, driver: AtModemLine, log: Log, listener: Listener
) -> None:
    log.wait(LineUp)
    take_call(module, driver, log)
    time.sleep(3)
    first, last = listener.blocks[0], listener.blocks[-1]
    frames = sum(block.frames for block in listener.blocks[:-1])
    assert last.at.seconds_since(first.at) == pytest.approx(frames / 8000, abs=0.15)


def test_the_second_call_has_sound_too_and_the_port_is_quiet_between(
    module: SimModule, driver: AtModemLine, log: Log, listener: Listener
) -> None:
    log.wait(LineUp)
    for call in (1, 2):
        take_call(module, driver, log)
        before = len(listener.pcm)
        module.downlink(tone(FAR_HZ * call, 6))
        eventually(lambda before=before: len(listener.pcm) - before > 2 * 8000 * 4)
        assert pitch_hz(channels(listener.pcm)[0]) == pytest.approx(FAR_HZ * call, abs=2)
        module.remote_hangs_up()
        log.wait(CallEnded, count=call)
        time.sleep(1.5)
        after = len(listener.pcm)
        time.sleep(1)
        assert len(listener.pcm) == after
    assert module.commands.count("AT+CPCMREG=1") == 2
    assert module.commands.count("AT+CPCMREG=0") == 2


class TestDegradedPort:
    @pytest.fixture
    def quirks(self) -> Quirks:
        return Quirks(boot_s=0.1, cpcmreg_errors=3)

    def test_a_module_that_refuses_its_sound_at_first_is_asked_again(
        self, module: SimModule, driver: AtModemLine, log: Log, listener: Listener
    ) -> None:
        log.wait(LineUp)
        take_call(module, driver, log)
        eventually(lambda: len(listener.pcm) > 8000 * 4)
        assert module.commands.count("AT+CPCMREG=1") == 4


class TestStuckPort:
    @pytest.fixture
    def quirks(self) -> Quirks:
        return Quirks(boot_s=0.1, pcm_stuck=1)

    def test_sound_that_is_on_but_does_not_come_is_switched_on_again_in_the_same_call(
        self, module: SimModule, driver: AtModemLine, log: Log, listener: Listener
    ) -> None:
        log.wait(LineUp)
        take_call(module, driver, log)
        eventually(lambda: len(listener.pcm) > 8000 * 4, within_s=8)
        assert "AT+CPCMREG=0,1" in module.commands
        assert not log.all(CallEnded)


class TestWideSound:
    @pytest.fixture
    def quirks(self) -> Quirks:
        return Quirks(boot_s=0.1, wide=True)

    def test_16_khz_is_noticed_and_converted(
        self, module: SimModule, driver: AtModemLine, log: Log, listener: Listener
    ) -> None:
        log.wait(LineUp)
        take_call(module, driver, log)
        eventually(lambda: module.pcm_on)
        began_s = time.monotonic()
        module.downlink(tone(FAR_HZ, 8, 16000))
        time.sleep(4)
        heard_s = len(listener.pcm) / 4 / 8000
        assert heard_s == pytest.approx(time.monotonic() - began_s, abs=0.4)
        assert pitch_hz(channels(listener.pcm)[0]) == pytest.approx(FAR_HZ, abs=2)
        assert len(module.uplink_heard()) / 32000 == pytest.approx(heard_s, abs=0.6)


def test_a_pulled_module_ends_the_sound_with_an_error_that_says_what_is_gone(
    module: SimModule, driver: AtModemLine, log: Log, listener: Listener
) -> None:
    log.wait(LineUp)
    take_call(module, driver, log)
    eventually(lambda: len(listener.pcm) > 1600)
    module.unplug()
    log.wait(LineDown)
    eventually(lambda: listener.error is not None)
    assert isinstance(listener.error, AudioDeviceError)
    assert "sim-1-pcm" in str(listener.error)


def test_a_port_that_is_no_tty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no tty")
    with pytest.raises(AudioDeviceError, match="cannot be opened"):
        PcmSource("sim-1", port=str(tmp_path / "file"), clock=SystemClock()).open()


def test_a_missing_port_says_what_to_do(tmp_path: Path) -> None:
    source = PcmSource("sim-1", port=str(tmp_path / "nothing"), clock=SystemClock())
    with pytest.raises(AudioDeviceError, match=r"nothing of sim-1 cannot be opened.*plug the module in"):
        source.open()
    with pytest.raises(AudioDeviceError, match="not open"):
        source.read()


def test_a_port_in_use_is_refused(module: SimModule) -> None:
    first = PcmSource("sim-1", port=str(module.pcm_path), clock=SystemClock())
    first.open()
    try:
        with pytest.raises(AudioDeviceError, match="stop the program"):
            PcmSource("sim-2", port=str(module.pcm_path), clock=SystemClock()).open()
    finally:
        first.close()


def test_sound_that_begins_at_the_end_of_a_quiet_second_is_kept() -> None:
    module, port = os.openpty()
    tty.setraw(port)
    source = PcmSource("sim-1", port=os.ttyname(port), clock=SystemClock())
    source.open()
    frames = 0

    def speak(count: int) -> None:
        for _ in range(count):
            os.write(module, bytes(320))
            time.sleep(0.02)

    def read(seconds: float) -> None:
        nonlocal frames
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            block = source.read()
            frames += block.frames if block is not None else 0

    first_call = threading.Thread(target=speak, args=(60,))
    first_call.start()
    read(2.0)
    first_call.join()
    while source.read() is not None:  # so that the next read begins now
        pass
    second_call = threading.Timer(0.94, speak, args=(10,))
    second_call.start()
    read(2.2)
    second_call.join()
    source.close()
    os.close(module)
    os.close(port)
    assert frames == 70 * 160


def test_a_quiet_port_reads_as_none_within_a_second(module: SimModule) -> None:
    source = PcmSource("sim-1", port=str(module.pcm_path), clock=SystemClock())
    source.open()
    began_s = time.monotonic()
    assert source.read() is None
    assert 0.9 < time.monotonic() - began_s < 1.3
    source.close()


@pytest.mark.sound
def test_a_handset_is_heard_by_the_caller_and_on_channel_1(
    module: SimModule, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALSA_CONFIG_PATH", "")  # so that the street's own setting goes when the test is over
    street = SoundStreet(tmp_path / "sound", ("sim-1-mic",))
    street.start()
    options = AtModemOptions(
        at_port=str(module.at_path), audio_port=str(module.pcm_path), handset_capture="street_sim1_mic"
    )
    driver = AtModemLine(LineId("sim-1"), options, log, SystemClock())
    driver.start()
    listener = Listener(driver)
    try:
        log.wait(LineUp)
        take_call(module, driver, log)
        module.downlink(tone(FAR_HZ, 10))
        street.wires["sim-1-mic"].mixer.play(np.frombuffer(tone(NEAR_HZ, 10), dtype="<i2").astype(np.float32) / 32768)
        time.sleep(5)
        far, near = channels(listener.pcm)
        assert pitch_hz(far) == pytest.approx(FAR_HZ, abs=2)
        assert pitch_hz(near) == pytest.approx(NEAR_HZ, abs=3)
        heard = np.frombuffer(module.uplink_heard(), dtype="<i2")
        assert pitch_hz(heard) == pytest.approx(NEAR_HZ, abs=3)
    finally:
        listener.close()
        driver.stop()
        street.stop()
