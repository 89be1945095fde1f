"""A known sound to put on a line, and the question whether a recording holds it."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8000
_BLOCK_S = 0.1
_AMPLITUDE = 0.4


@dataclass(frozen=True, slots=True)
class Heard:
    seconds: float
    """How much of the recording is mostly the tone."""
    of_s: float
    """How long the recording is."""
    level_dbfs: float
    """RMS of the tone where it is heard; -120 when it is not."""


def write(path: Path, tone_hz: float, seconds: float) -> None:
    """A WAV file, mono, 16 bit, at `RATE_HZ`."""
    at_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    samples = (np.sin(2 * np.pi * tone_hz * at_s) * _AMPLITUDE * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())


def listen(path: Path, tone_hz: float) -> Heard:
    """How much of ``tone_hz`` a recording holds: blocks of 100 ms with at least 80 % of their energy at it.

    Raises OSError and `soundfile.LibsndfileError` when it cannot be read.
    """
    samples, rate_hz = soundfile.read(str(path), dtype="float64", always_2d=True)
    mono = samples[:, int(np.argmax(np.square(samples).sum(axis=0)))]
    block = int(rate_hz * _BLOCK_S)
    usable = mono[: len(mono) // block * block].reshape(-1, block)
    at_s = np.arange(block) / rate_hz
    turning = np.exp(-2j * np.pi * tone_hz * at_s)
    energy = np.square(usable).mean(axis=1)
    # The mean square of a sine whose complex amplitude at the tone is this.
    tonal = 2 * np.square(np.abs(usable @ turning) / block)
    heard = (energy > 1e-6) & (tonal > 0.8 * energy)
    level = float(10 * np.log10(tonal[heard].mean())) if heard.any() else -120.0
    return Heard(seconds=float(heard.sum()) * _BLOCK_S, of_s=len(mono) / rate_hz, level_dbfs=level)
