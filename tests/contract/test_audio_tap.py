"""The tap keeps the drivers' contract on a real ALSA device: ringing, speech and silence are all it is told by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware.ports import LineDriver
from simulator.mixer import RATE_HZ, Playback, Sound
from simulator.sound import SoundStreet, device_name
from tests.contract.suite import LineDriverContract

pytestmark = [pytest.mark.sound, pytest.mark.soak]  # 100 s: `make soak`


def _ringing() -> Sound:
    """1 s of ringing current behind a tap's diodes, 1 s of silence."""
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    return np.where(t < 1, np.clip(3 * np.sin(2 * np.pi * 25 * t), -0.6, 0.6), 0).astype(np.float32)


def _speech() -> Sound:
    """Loud, broad, in syllables."""
    dice = np.random.default_rng(8)
    t = np.arange(3 * RATE_HZ) / RATE_HZ
    noise = np.convolve(dice.standard_normal(len(t) + 5), np.ones(6) / 6, "valid")
    return (noise * np.clip(np.sin(2 * np.pi * 3 * t) + 0.6, 0, 1) * 0.2).astype(np.float32)


class TapBench:
    """A sound card on a transformer, and what is heard on the line."""

    name = "audio-tap"
    wrong_options: tuple[dict[str, Any], ...] = (
        {},
        {"audio_device": ""},
        {"audio_device": "plughw:1", "silence_s": 0.1},
        {"audio_device": "plughw:1", "audio_channel": 2, "audio_channels": 2},
    )

    def __init__(self, folder: Path) -> None:
        self._street = SoundStreet(folder / "sound", ("tap-1",))
        self._street.start()
        self._wire = self._street.wires["tap-1"]
        self._wire.unplug()
        self.options: dict[str, Any] = {"audio_device": device_name("tap-1"), "silence_s": 1.3}
        self._playing: Playback | None = None
        self._sound: Sound | None = None

    def plug(self) -> None:
        if not self._wire.plugged:
            self._wire.plug()
            self._play(self._sound)  # the line does not know that nobody hears it

    def unplug(self) -> None:
        self._wire.unplug()

    def ring(self) -> None:
        self._play(_ringing())

    def give_up(self) -> None:
        self._play(None)

    def answer(self, driver: LineDriver) -> None:
        self._play(_speech())

    def end(self) -> None:
        self._play(None)

    def close(self) -> None:
        self._street.stop()

    def _play(self, sound: Sound | None) -> None:
        if self._playing is not None:
            self._playing.stop()
        self._sound = sound
        self._playing = None if sound is None else self._wire.mixer.play(sound, loop=True)


class TestAudioTap(LineDriverContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[TapBench]:
        before = os.environ.get("ALSA_CONFIG_PATH")
        bench = TapBench(tmp_path)
        yield bench
        bench.close()
        if before is None:
            os.environ.pop("ALSA_CONFIG_PATH", None)
        else:
            os.environ["ALSA_CONFIG_PATH"] = before
