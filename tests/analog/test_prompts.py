"""Prompts: found by name only, in any rate, played into a call that the box holds, on a real ALSA device."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from firmware.analog.dialler import CancelledError, speak, tones
from firmware.analog.fxo import FxoLine, FxoOptions
from firmware.clock import SystemClock
from firmware.effects import DriveLine, LineAction, Refuse
from firmware.errors import DeviceError, RequestError
from firmware.events import Answered, DialStarted, DigitsRequested, HangUpRequested, OffHook, PlayRequested, Ring
from firmware.model import LineKind
from firmware.prompts import load_prompt
from firmware.signals.dtmf import DtmfDetector
from tests.analog.hat import PROFILE, Told
from tests.core.story import Story


@pytest.fixture
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OFFHOOK_PROMPTS", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (44_100, 2), (16_000, 1)])
def test_a_prompt_of_any_rate_comes_as_the_line_wants_it(prompts: Path, rate_hz: int, channels: int) -> None:
    t = np.arange(rate_hz) / rate_hz
    wave = (8000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
    soundfile.write(prompts / "welcome.wav", np.stack([wave] * channels, axis=1), rate_hz)
    pcm = np.frombuffer(load_prompt("welcome"), dtype="<i2").astype(float)
    assert len(pcm) == pytest.approx(8000, abs=40)
    spectrum = np.abs(np.fft.rfft(pcm[1000:7000] * np.hanning(6000)))
    assert float(np.argmax(spectrum)) * 8000 / 6000 == pytest.approx(440, abs=2)
    assert float(np.sqrt((pcm[1000:7000] ** 2).mean())) == pytest.approx(8000 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a.wav", "", "x" * 65, "a b"])
def test_only_names_are_taken_never_paths(prompts: Path, name: str) -> None:
    with pytest.raises(RequestError, match="no name of a prompt"):
        load_prompt(name)


def test_what_is_not_there_or_no_sound_says_so(prompts: Path) -> None:
    soundfile.write(prompts / "long.wav", np.zeros(121 * 8000, dtype=np.int16), 8000)
    (prompts / "text.wav").write_text("no sound")
    with pytest.raises(RequestError, match=r"there is no prompt .*there are: long, text"):
        load_prompt("welcome")
    with pytest.raises(RequestError, match="longer than 120 s"):
        load_prompt("long")
    with pytest.raises(RequestError, match="cannot be read as sound"):
        load_prompt("text")


def test_only_a_call_is_played_into_and_only_by_a_line_that_can() -> None:
    story = Story(actions=frozenset({"play", "hang_up"}))
    story.up()
    story.say(1, PlayRequested, request="r1", pcm=b"ab")
    story.say(2, Ring)
    story.say(3, PlayRequested, request="r2", pcm=b"ab")
    story.say(4, OffHook)
    story.say(5, PlayRequested, request="r3", pcm=b"ab")
    story.say(6, HangUpRequested, request="r4")
    assert [(r.request, r.code) for r in story.all(Refuse)] == [("r1", "wrong_phase"), ("r2", "wrong_phase")]
    assert [(d.request, d.action, d.pcm) for d in story.all(DriveLine)] == [
        ("r3", LineAction.PLAY, b"ab"),
        ("r4", LineAction.HANG_UP, b""),
    ]
    deaf = Story()
    deaf.up()
    deaf.say(1, OffHook)
    deaf.say(2, PlayRequested, request="r1", pcm=b"")
    assert [r.code for r in deaf.all(Refuse)] == ["not_supported"]


def test_keys_are_pressed_in_calls_only_and_by_lines_that_can() -> None:
    """An analog line's exchange hears them before anybody answers too; a module takes none until the call is up."""
    for kind, refused in ((LineKind.ANALOG, ["r1"]), (LineKind.SIM, ["r1", "r2"])):
        story = Story(kind, actions=frozenset({"dial", "digits"}))
        story.up()
        story.say(1, DigitsRequested, request="r1", digits="1")
        story.say(2, DialStarted, number="10086")
        story.say(3, DigitsRequested, request="r2", digits="2")
        story.say(4, Answered)
        story.say(5, DigitsRequested, request="r3", digits="3#")
        assert [(r.request, r.code) for r in story.all(Refuse)] == [(r, "wrong_phase") for r in refused]
        assert story.all(DriveLine)[-1].digits == "3#"
    deaf = Story()
    deaf.up()
    deaf.say(1, OffHook)
    deaf.say(2, DigitsRequested, request="r1", digits="1")
    assert [r.code for r in deaf.all(Refuse)] == ["not_supported"]


def test_a_line_that_the_box_does_not_hold_is_not_played_into() -> None:
    line = FxoLine("fxo-1", FxoOptions(profile=PROFILE, playback_device="null"), Told(), SystemClock())
    assert "play" in line.actions
    with pytest.raises(DeviceError, match="does not hold the line"):
        line.play(b"")
    mute = FxoLine("fxo-1", FxoOptions(profile=PROFILE), Told(), SystemClock())
    assert "play" not in mute.actions
    with pytest.raises(DeviceError, match="nothing on this board speaks"):
        mute.play(b"")


def test_the_digits_come_out_of_a_real_sound_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ALSA's own file device behind a rate converter that runs at 48 kHz, as sound cards do."""
    heard = tmp_path / "speaker.wav"
    config = tmp_path / "asound.conf"
    config.write_text(
        "pcm.speaker {\n type plug\n slave {\n  pcm {\n   type file\n   slave.pcm { type null }\n"
        f'   file "{heard}"\n   format "wav"\n  }}\n  rate 48000\n  channels 2\n  format S16_LE\n }}\n}}\n'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", f"/usr/share/alsa/alsa.conf:{config}")
    speak(tones("0123456789*#"), "speaker", threading.Event())
    with soundfile.SoundFile(heard) as file:
        assert (file.samplerate, file.channels) == (48_000, 2)
        sound = file.read(dtype="int16")[:, 0]
    narrow = sound[: len(sound) // 6 * 6].reshape(-1, 6).mean(axis=1).astype(np.int16)
    digits = DtmfDetector(8000).feed(np.concatenate([narrow, np.zeros(800, dtype=np.int16)]))
    assert "".join(d.digit for d in digits) == "0123456789*#"


def test_playing_stops_when_somebody_hangs_up_and_a_missing_device_is_told() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        speak(bytes(16_000), "null", stop)
    with pytest.raises(DeviceError, match="cannot be opened to dial"):
        speak(bytes(16_000), "there_is_no_such_device", threading.Event())


def test_orders_need_a_line_that_is_up() -> None:
    story = Story(actions=frozenset({"play"}))
    story.say(1, PlayRequested, request="r1", pcm=b"")
    assert [r.code for r in story.all(Refuse)] == ["device_lost"]
