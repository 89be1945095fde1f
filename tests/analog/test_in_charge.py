"""The box in charge of a line: takes it, waits for current and dial tone, dials, flashes, and refuses when it must."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from firmware.analog.dial_tone import DialToneWait
from firmware.analog.dialler import CancelledError, Outlet, dial, tones
from firmware.analog.fxo import FxoLine, FxoOptions
from firmware.analog.line_timing import loop_timing
from firmware.analog.profile import Debounce
from firmware.clock import SystemClock
from firmware.errors import DeviceError
from firmware.events import (
    CallEnded,
    DialStarted,
    EndCause,
    LineDown,
    LineUp,
    OffHook,
    OnHook,
    PrimaryAnswer,
    PrimaryAnswerOver,
    Ring,
    RingPaused,
)
from firmware.model import Instant
from firmware.signals.countries import Disconnect, ToneName, profiles
from firmware.signals.dtmf import DtmfDetector
from firmware.signals.pulse_dial import PulseDialDetector
from firmware.worker import Worker
from simulator import fsk
from tests.analog.hat import Hat, Told

RELAY = 16


@pytest.fixture
def hat():
    hat = Hat()
    yield hat
    hat.close()


class Office:
    """Draws loop current through the hook relay of port 1, as a line with battery does."""

    def __init__(self, hat):
        self.hat, self.battery, self.loop = hat, True, []
        self.worker = Worker("office", self.run)
        self.worker.start()

    def run(self, stop):
        shown = False
        while not stop.is_set():
            relay = [level for pin, level in list(self.hat.chip.outputs) if pin == RELAY]
            closed = bool(relay and relay[-1]) and self.battery
            if closed != shown:
                shown = closed
                self.loop.append((closed, time.monotonic()))
                self.hat.show("off_hook", closed)
            time.sleep(0.001)


@pytest.fixture
def office(hat):
    office = Office(hat)
    yield office
    office.worker.stop()


def wait_for(told, *kinds, deadline_s=15.0):
    until = time.monotonic() + deadline_s
    while not all(kind in told.kinds for kind in kinds):
        assert time.monotonic() < until, told.kinds
        time.sleep(0.02)


def pulses(loop):
    """What an exchange counts."""
    detector, digits = PulseDialDetector(), []
    for closed, at in loop:
        digits += detector.feed(closed, Instant(round(at * 1e9), 0))
    digits += detector.advance(Instant(round((loop[-1][1] + 1) * 1e9), 0))
    return "".join(d.digit for d in digits)


def test_it_dials_by_pulses_and_hangs_up(hat, office):
    line, told = hat.line(dial="pulses", audio_device="there-is-none")
    told.wait(LineUp)
    began = time.monotonic()
    line.dial("31-0")
    assert time.monotonic() - began < 0.2
    wait_for(told, DialStarted, OffHook)
    with pytest.raises(DeviceError, match=r"in use|already"):
        line.dial("110")
    until = time.monotonic() + 12
    while len(office.loop) < 1 + 2 * 14 and time.monotonic() < until:
        time.sleep(0.05)
    assert pulses(office.loop) == "310"
    line.hang_up()
    wait_for(told, OnHook)
    assert told.kinds == [LineUp, DialStarted, OffHook, OnHook]
    assert [e.number for e in told.events if isinstance(e, DialStarted)] == ["310"]


def test_without_battery_it_says_so_and_lets_go(hat, office):
    office.battery = False
    line, told = hat.line(dial="pulses")
    told.wait(LineUp)
    line.dial("110")
    wait_for(told, DialStarted, CallEnded)
    assert told.events[-1].cause is EndCause.FAILED
    assert [level for pin, level in hat.chip.outputs if pin == RELAY][-1] == 0


def test_it_does_not_dial_into_a_talk(hat):
    line, told = hat.line(dial="pulses")
    told.wait(LineUp)
    hat.show("off_hook", True)
    wait_for(told, OffHook)
    with pytest.raises(DeviceError, match="in use"):
        line.dial("110")
    with pytest.raises(DeviceError, match="does not hold"):
        line.flash()


def test_a_flash_is_no_hang_up(hat, office):
    line, told = hat.line()
    told.wait(LineUp)
    line.answer()
    wait_for(told, OffHook)
    line.flash()
    time.sleep(1.5)
    assert told.kinds == [LineUp, OffHook]
    assert [closed for closed, _ in office.loop] == [True, False, True]
    assert 0.05 < office.loop[2][1] - office.loop[1][1] < 0.2


def test_its_tones_are_heard_as_what_was_dialled():
    pcm = np.frombuffer(tones("1234567890*#ABCD"), dtype="<i2")
    detector = DtmfDetector(8000)
    heard = [d.digit for at in range(0, len(pcm), 800) for d in detector.feed(pcm[at : at + 800])]
    heard += [d.digit for d in detector.feed(np.zeros(1600, dtype=np.int16))]
    assert "".join(heard) == "1234567890*#ABCD"


def test_hanging_up_stops_the_dialling():
    relay, stop = [], threading.Event()
    closed = threading.Event()
    closed.set()
    stop.set()
    outlet = Outlet(seize=relay.append, loop_closed=closed, ears=lambda: None, speaker=None)
    with pytest.raises(CancelledError):
        dial("110", outlet, by_pulses=True, seized=lambda: None, stop=stop)
    assert relay == [True, False]


def test_stars_cannot_be_pulsed():
    closed = threading.Event()
    closed.set()
    outlet = Outlet(seize=lambda _: None, loop_closed=closed, ears=lambda: None, speaker=None)
    with pytest.raises(DeviceError, match="pulses"):
        dial("*21#", outlet, by_pulses=True, seized=lambda: None, stop=threading.Event())


@pytest.mark.parametrize("code", sorted(profiles()))
def test_dial_tone_is_heard_in_every_country(code):
    dice = np.random.default_rng(8)
    dial_tones = profiles()[code].tone(ToneName.DIAL)
    assert dial_tones
    for tone in dial_tones:
        ms = tone.cadence.ms or (3000,)
        t = np.arange(8000 * 6) / 8000
        wave = sum(np.sin(2 * np.pi * f * t) for f in tone.frequencies_hz) / len(tone.frequencies_hz)
        if tone.modulated_by_hz:
            wave = wave * (1 + 0.8 * np.sin(2 * np.pi * tone.modulated_by_hz * t)) / 1.8
        gate, at = np.zeros(len(t)), 0
        while at < len(t):
            for n, length in enumerate(ms):
                gate[at : at + length * 8] = n % 2 == 0
                at += length * 8
        pcm = (wave * gate * 3000 + dice.standard_normal(len(t)) * 20).astype(np.int16)
        assert DialToneWait(8000).hear(pcm), (code, tone)


def test_speech_and_silence_are_no_dial_tone():
    dice = np.random.default_rng(8)
    noise = (dice.standard_normal(8000 * 60) * 2000).astype(np.int16)
    assert not DialToneWait(8000).hear(noise)
    assert not DialToneWait(8000).hear(np.zeros(8000 * 60, dtype=np.int16))


def test_a_break_that_may_be_a_flash_never_ends_a_call():
    for country in profiles().values():
        timing = loop_timing(Debounce(), country)
        assert timing.hook.on_hook_ms > country.flash_ms[1], country.code
        if timing.open_loop_ms is not None:
            assert country.flash_ms[1] < timing.open_loop_ms < timing.hook.on_hook_ms, country.code
    long_flash = replace(profiles()["GB"], flash_ms=(80, 230), disconnect=frozenset({Disconnect.LOOP_OPEN}))
    timing = loop_timing(Debounce(), long_flash)
    assert timing.open_loop_ms is not None
    assert timing.open_loop_ms > 230 + 50, "a slow finger is no end of a call"
    asked = loop_timing(Debounce(), profiles()["US"], on_hook_ms=700, open_loop_ms=0, reversal_ends=True)
    assert (asked.hook.on_hook_ms, asked.open_loop_ms, asked.reversal_ends) == (700, None, True)


def test_a_line_that_is_cut_is_told_and_found_again(hat, tmp_path, monkeypatch):
    """A board that senses battery."""
    (tmp_path / "fed.toml").write_text(
        'title = "Fed"\n[[ports]]\nring = { pin = 5 }\noff_hook = { pin = 6 }\nbattery = { pin = 19 }\n'
        'audio = { device = "null" }\n'
    )
    monkeypatch.setenv("OFFHOOK_HATS", str(tmp_path))
    for pin, level in ((5, False), (6, False), (19, True)):
        hat.chip.drive(pin, level)
    told = Told()
    line = FxoLine("fxo-1", FxoOptions(profile="fed", hook_by_sound="never"), told, SystemClock())
    hat.lines.append(line)
    line.start()
    told.wait(LineUp)
    hat.chip.drive(6, True)
    wait_for(told, OffHook)
    hat.chip.drive(19, False)  # somebody cuts the cable in mid-call
    hat.chip.drive(6, False)
    wait_for(told, OnHook, LineDown)
    assert "cut" in told.events[-1].reason
    hat.chip.drive(19, True)
    until = time.monotonic() + 5
    while told.kinds.count(LineUp) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert told.kinds == [LineUp, OffHook, OnHook, LineDown, LineUp]


_FED = """
pcm.told {{
  type file
  slave.pcm {{ type null }}
  file "/dev/null"
  infile "{sound}"
  format "raw"
}}
"""


@pytest.fixture
def exchange(office, tmp_path, monkeypatch):
    """An ALSA device on which Japan's exchange says who calls, half a second after the line was taken."""
    message = fsk.signal(fsk.frame("0312345678"), frequencies_hz=fsk.V23_HZ, seizure_bits=0, mark_bits=72)
    said = (np.concatenate([np.zeros(4000), message, np.zeros(8000)]) * 32767).astype("<i2")
    os.mkfifo(tmp_path / "line.raw")
    (tmp_path / "asound.conf").write_text(_FED.format(sound=tmp_path / "line.raw"))
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    wire = os.open(tmp_path / "line.raw", os.O_RDWR)

    def speak(stop):
        while not stop.wait(0.02) and not office.loop:
            pass
        for at in range(0, len(said), 2000):
            os.write(wire, said[at : at + 2000].tobytes())
            if stop.wait(0.25):
                return

    worker = Worker("exchange", speak)
    worker.start()
    yield "told"
    worker.stop()
    os.close(wire)


@pytest.mark.parametrize("hears", [True, False])
def test_in_japan_it_answers_the_short_rings_itself(hat, office, exchange, hears):
    device = exchange if hears else "there-is-none"
    line, told = hat.line(country="JP", fetch_caller_id=True, audio_device=device)
    told.wait(LineUp)
    hat.ring(0.5)
    time.sleep(0.5)
    assert office.loop == [], "one short ring may be the start of a longer one"
    hat.ring(0.3)
    wait_for(told, PrimaryAnswer)
    with pytest.raises(DeviceError, match="who calls"):
        line.answer()
    wait_for(told, PrimaryAnswerOver)
    held_s = office.loop[1][1] - office.loop[0][1]
    assert [closed for closed, _ in office.loop] == [True, False]
    assert held_s < 4.4, "it hears the message, or holds the line for as long as one lasts"
    line.answer()
    wait_for(told, OffHook)
    assert [kind for kind in told.kinds if kind not in (Ring, RingPaused)] == [
        *(LineUp, PrimaryAnswer, PrimaryAnswerOver, OffHook)
    ]


def test_a_board_that_cannot_answer_is_not_told_to(tmp_path):
    board = tmp_path / "ears.toml"
    board.write_text(
        'title = "Ears"\n[[ports]]\nring = { pin = 5 }\noff_hook = { pin = 6 }\naudio = { device = "null" }\n'
    )
    with pytest.raises(ValueError, match="needs a board with a hook relay"):
        FxoOptions(profile=str(board), fetch_caller_id=True)
