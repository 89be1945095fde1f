"""The bridge between a module and a handset on PulseAudio null sinks: both ways, and a handset that is pulled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import alsaaudio
import numpy as np
import numpy.typing as npt
import pytest

from firmware.audio.bridge import PERIOD_FRAMES, Bridge
from simulator.sound import SoundStreet

RATE_HZ = 8000
FRAME = 160


def tone(hz: float, seconds: float) -> npt.NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def pcm(sound: npt.NDArray[np.float32]) -> bytes:
    return (sound * 32767).astype("<i2").tobytes()


def pitch_hz(samples: npt.NDArray[np.int16]) -> float:
    last = samples[-RATE_HZ:].astype(float)
    if not last.any():
        return 0.0
    return float(np.argmax(np.abs(np.fft.rfft(last * np.hanning(len(last))))) * RATE_HZ / len(last))


class Call:
    """What a module does with a bridge during a call: gives a frame each 20 ms and takes as much."""

    def __init__(self, bridge: Bridge, far: bytes) -> None:
        self.bridge = bridge
        self.sent = bytearray()
        self._far = far
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        began_s = time.monotonic()
        for n in range(len(self._far) // (2 * FRAME)):
            if self._stop.wait(max(0.0, began_s + n * 0.02 - time.monotonic())):
                break
            self.bridge.wake()
            self.bridge.hear(self._far[2 * FRAME * n : 2 * FRAME * (n + 1)])
            self.sent += self.bridge.take(2 * FRAME)

    def end(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self.bridge.close()


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundStreet]:
    monkeypatch.setenv("ALSA_CONFIG_PATH", "")  # so that the street's own setting goes when the test is over
    street = SoundStreet(tmp_path / "sound", ("handset", "handset-mic"))
    street.start()
    yield street
    street.stop()


def heard_from(device: str, seconds: float) -> npt.NDArray[np.int16]:
    """What comes out of a sound device."""
    capture = alsaaudio.PCM(
        alsaaudio.PCM_CAPTURE, device=device, rate=RATE_HZ, channels=1, format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=800, periods=8,
    )  # fmt: skip
    got = bytearray()
    while len(got) < seconds * RATE_HZ * 2:
        length, data = capture.read()
        if length > 0:
            got += data
    capture.close()
    return np.frombuffer(bytes(got), dtype="<i2")


@pytest.mark.sound
def test_both_sides_hear_each_other(street: SoundStreet) -> None:
    bridge = Bridge("sim-1", capture="street_handset_mic", playback="street_handset_feed")
    street.wires["handset-mic"].mixer.play(tone(1100, 12))
    call = Call(bridge, pcm(tone(700, 12)))
    try:
        earpiece = heard_from("street_handset", 5.0)
        assert pitch_hz(earpiece) == pytest.approx(700, abs=4)
        assert pitch_hz(np.frombuffer(bytes(call.sent), dtype="<i2")) == pytest.approx(1100, abs=6)
        ear, mic = bridge.health
        assert ear.length_ms > 0
        assert mic.length_ms > 0
    finally:
        call.end()


@pytest.mark.sound
def test_a_handset_that_is_pulled_and_put_back_in_a_call_works_again(street: SoundStreet) -> None:
    bridge = Bridge("sim-1", capture=None, playback="street_handset_feed")
    call = Call(bridge, pcm(tone(700, 25)))
    try:
        assert pitch_hz(heard_from("street_handset", 3.0)) == pytest.approx(700, abs=4)
        street.wires["handset"].unplug()
        time.sleep(1.0)
        street.wires["handset"].plug()
        time.sleep(4.0)
        assert pitch_hz(heard_from("street_handset", 3.0)) == pytest.approx(700, abs=4)
    finally:
        call.end()


def test_a_bridge_without_devices_takes_silence_and_never_blocks() -> None:
    bridge = Bridge("sim-1", capture="no_such_device", playback="no_such_device")
    began_s = time.monotonic()
    for _ in range(100):
        bridge.wake()
        bridge.hear(bytes(2 * FRAME))
        assert bridge.take(2 * PERIOD_FRAMES) == bytes(2 * PERIOD_FRAMES)
    assert time.monotonic() - began_s < 1.0
    bridge.close(5.0)
