"""A voice modem's calls on a simulated one: who calls, what is heard and said, dialling, other telephones, a wedge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.clock import SystemClock
from firmware.errors import DeviceError
from firmware.events import CallEnded, CallerId, DialStarted, EndCause, LineDown, LineUp, OffHook, OnHook, Ring
from firmware.model import LineId, Presentation
from firmware.modem.dle import END, DleEvent, DleReader, Sound, SoundEnded, Text, shield, to_s16, to_u8
from firmware.modem.voice_modem import VoiceModemLine, VoiceModemOptions
from firmware.worker import Worker
from simulator.voice_modem import VoiceModem
from tests.contract.heard import Heard


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[VoiceModem]:
    modem = VoiceModem(tmp_path / "modem")
    modem.plug()
    yield modem
    modem.close()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def line(modem: VoiceModem, heard: Heard) -> Iterator[VoiceModemLine]:
    line = VoiceModemLine(LineId("pots-1"), VoiceModemOptions(port=str(modem.path)), heard, SystemClock())
    line.start()
    heard.wait(LineUp)
    yield line
    line.stop()


def _until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("spaced", [True, False])
@pytest.mark.parametrize("caller_first", [True, False])
def test_the_caller_is_told_once(
    modem: VoiceModem, line: VoiceModemLine, heard: Heard, spaced: bool, caller_first: bool
) -> None:
    modem.quirks.spaced, modem.quirks.caller_first = spaced, caller_first
    modem.quirks.number_then_out_of_area = True
    modem.ring("02155550001", name="SMITH JOHN")
    heard.wait(Ring, count=2)
    modem.give_up()
    callers = [e for e in heard.of(CallerId) if isinstance(e, CallerId)]
    assert [(c.number, c.name, c.presentation) for c in callers] == [("02155550001", "SMITH JOHN", Presentation.VALID)]
    first = CallerId if caller_first else Ring
    assert isinstance(heard.of(CallerId, Ring)[0], first)


@pytest.mark.parametrize(("said", "presentation"), [("P", Presentation.WITHHELD), ("O", Presentation.UNAVAILABLE)])
def test_reasons_are_no_numbers(
    modem: VoiceModem, line: VoiceModemLine, heard: Heard, said: str, presentation: Presentation
) -> None:
    modem.ring(said)
    caller = heard.wait(CallerId)
    assert isinstance(caller, CallerId)
    assert (caller.number, caller.presentation) == (None, presentation)


@pytest.mark.parametrize("late_ok_s", [0.0, 0.1])
def test_what_the_line_carries_is_heard_sample_by_sample(
    modem: VoiceModem, line: VoiceModemLine, heard: Heard, late_ok_s: float
) -> None:
    modem.quirks.late_ok_s = late_ok_s  # not to be taken for the answer to the next command
    modem.remote = bytes(range(256))  # every value, DLE among them
    source = line.audio_source()
    assert source is not None
    source.open()
    blocks: list[bytes] = []

    def read(stop: object) -> None:
        while len(blocks) < 10:
            block = source.read()
            if block is not None:
                blocks.append(block.pcm)

    reader = Worker("reader", read)
    reader.start()
    modem.ring()
    heard.wait(Ring)
    line.answer()
    reader.join(5.0)
    line.hang_up()
    heard.wait(OnHook)
    got = (np.frombuffer(b"".join(blocks), "<i2") >> 8) + 128
    assert np.array_equal(got, (got[0] + np.arange(len(got))) % 256)
    assert not modem.holds_line


def test_dialling_playing_and_hanging_up(modem: VoiceModem, line: VoiceModemLine, heard: Heard) -> None:
    line.dial("+86 (10) 8888-0000")
    dialled = heard.wait(DialStarted)
    assert isinstance(dialled, DialStarted)
    assert dialled.number == "861088880000"
    _until(lambda: "AT+VRX" in modem.commands)
    prompt = (np.sin(np.arange(4000) / 5) * 20000).astype("<i2").tobytes()
    line.play(prompt)
    _until(lambda: len(modem.heard) == 4000)
    assert bytes(modem.heard) == to_u8(prompt)
    _until(lambda: modem.commands[-1] == "AT+VRX")
    line.send_digits("12#")
    _until(lambda: modem.commands[-2:] == ["AT+VTS=1,2,#", "AT+VRX"])
    line.hang_up()
    heard.wait(OnHook)
    assert modem.commands[-1] == "AT+VLS=0"
    assert len(heard.of(OnHook, CallEnded)) == 1


def test_a_busy_number_is_busy(modem: VoiceModem, line: VoiceModemLine, heard: Heard) -> None:
    modem.far_end_busy = True
    line.dial("10086")
    ended = heard.wait(CallEnded)
    assert isinstance(ended, CallEnded)
    assert ended.cause is EndCause.BUSY
    _until(lambda: not modem.holds_line)


def test_another_telephone_in_use_forbids_dialling(modem: VoiceModem, line: VoiceModemLine, heard: Heard) -> None:
    modem.event("P")
    heard.wait(OffHook)
    with pytest.raises(DeviceError, match="in use"):
        line.dial("10086")
    modem.event("p")
    heard.wait(OnHook)
    with pytest.raises(DeviceError, match="no telephone number"):
        line.dial("ten")


def test_a_modem_that_wedges_in_a_call_is_lost_and_found_again(
    modem: VoiceModem, line: VoiceModemLine, heard: Heard
) -> None:
    modem.ring()
    heard.wait(Ring)
    line.answer()
    heard.wait(OffHook)
    modem.quirks.wedged = True
    lost = heard.wait(LineDown, within_s=15)
    assert isinstance(lost, LineDown)
    assert "unplug" in lost.reason
    modem.quirks.wedged = False
    heard.wait(LineUp, count=2, within_s=15)
    assert len(heard.of(LineDown)) == 1


@given(st.binary(max_size=400), st.lists(st.integers(1, 7), max_size=50))
def test_sound_and_events_come_apart_whatever_the_pieces(sound: bytes, sizes: list[int]) -> None:
    stream = b"\r\nCONNECT\r\n" + shield(sound) + b"\x10b" + END + b"\r\nOK\r\n"
    reader, pieces, at = DleReader(), [], 0
    reader.expect_sound()
    for size in [*sizes, len(stream)]:
        pieces += reader.feed(stream[at : at + size])
        at += size
    assert b"".join(p.data for p in pieces if isinstance(p, Sound)) == sound
    assert b"".join(p.data for p in pieces if isinstance(p, Text)) == b"\r\nCONNECT\r\n\r\nOK\r\n"
    assert [p for p in pieces if isinstance(p, DleEvent | SoundEnded)] == [DleEvent("b"), SoundEnded()]


@given(st.binary(max_size=400))
def test_no_bytes_raise_and_samples_survive(data: bytes) -> None:
    reader = DleReader()
    reader.expect_sound()
    reader.feed(data)
    assert to_u8(to_s16(data)) == data
