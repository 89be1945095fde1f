"""Hours of sound that holds no signal: speech of many synthetic voices, generated music, noise. Not a bench itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.signal import lfilter, resample_poly

RATE_HZ = 8000
_PIECE_S = 60
VOICES = (
    "pt-br", "pl", "nl", "sv", "tr", "hi", "vi", "id", "fi", "hu", "cs", "ro", "el", "da", "nb", "ca", "hr", "sk",
    "lv", "sw", "af", "en-gb-scotland", "en-gb-x-rp", "fr-be", "pt", "ms", "et", "bg", "uk", "sr",
)  # fmt: skip
"""None of them was used while the detectors were made."""
_VARIANTS = ("", "+m1", "+m3", "+m7", "+f1", "+f2", "+f4", "+f5", "+klatt2", "+croak")
_WORDS = (
    "order number seven four two, the second of March, please call me back at nine. Hello, who is speaking? "
    "I should like to change my appointment from Monday to Thursday afternoon, if that is possible. "
    "Oh no, I am sorry, we are closed on Sunday. Let me see, one moment, yes, here it is. "
    "Could you spell the name? M as in mother, O as in orange, E as in easy. Thank you very much, goodbye. "
    "Allo, oui, ja, nein, bueno, pronto, moshi moshi, da, nee, hai. One two three four five six seven eight nine ten. "
    "The parcel is too heavy: eleven and a half kilograms, so the fee is twenty three euros and sixty cents. "
)


def rms_of(level_dbm0: float) -> float:
    """RMS in steps of 16 bits (ITU-T G.711: a sine of full scale has 3.14 dBm0)."""
    return 32767 / np.sqrt(2) * 10 ** ((level_dbm0 - 3.14) / 20)


def to_pcm(sound: np.ndarray) -> np.ndarray:
    return np.clip(np.round(sound), -32768, 32767).astype(np.int16)


def at_level(sound: np.ndarray, level_dbm0: float) -> np.ndarray:
    return sound * rms_of(level_dbm0) / max(1e-9, float(np.sqrt(np.mean(sound**2))))


def speech(minutes: float, seed: int = 0) -> Iterator[np.ndarray]:
    """Pieces of about a minute, each of another voice, pitch, speed and level (-26 to -8 dBm0)."""
    if shutil.which("espeak-ng") is None:
        sys.exit("espeak-ng is missing: apt install espeak-ng")
    random = np.random.default_rng(seed)
    missing = minutes * 60 * RATE_HZ
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "voice.wav"
        while missing > 0:
            voice = VOICES[number % len(VOICES)] + _VARIANTS[(number // 3) % len(_VARIANTS)]
            pitch, speed = random.integers(5, 100), random.integers(120, 240)
            words = _WORDS.split(" ")
            random.shuffle(words)
            text = _WORDS + " ".join(words)
            subprocess.run(
                ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "-w", str(file), text],
                check=True,
                capture_output=True,
            )
            with wave.open(str(file)) as source:
                rate = source.getframerate()
                sound = np.frombuffer(source.readframes(source.getnframes()), np.int16).astype(float)
            sound = resample_poly(sound, RATE_HZ, rate)[: int(missing)]
            missing -= len(sound)
            number += 1
            yield at_level(sound, float(random.uniform(-26, -8)))


_SCALE = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16])


def _note(hz: float, seconds: float, timbre: int, random: np.random.Generator) -> np.ndarray:
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    partials = {0: (1.0,), 1: (1, 0.5, 0.3, 0.2, 0.1), 2: (1, 0.0, 0.4, 0.0, 0.2), 3: (1, 0.8, 0.6, 0.5, 0.4, 0.3)}[
        timbre
    ]
    vibrato = 1 + (0.004 * np.sin(2 * np.pi * 5.5 * t) if timbre == 3 else 0)
    wave_ = sum(
        a * np.sin(2 * np.pi * hz * (k + 1) * t * vibrato + random.uniform(0, 6))
        for k, a in enumerate(partials)
        if hz * (k + 1) < 3800
    )
    attack = np.minimum(1, t / 0.01)
    decay = np.exp(-t * {0: 0.5, 1: 4, 2: 1, 3: 0.3}[timbre]) * np.minimum(1, (seconds - t) / 0.02)
    return wave_ * attack * decay


def music(minutes: float, seed: int = 1) -> Iterator[np.ndarray]:
    """Pieces of a minute: melody, chords, bass and drums in some key, tempo and timbre; flutes and organs are among."""
    random = np.random.default_rng(seed)
    for _ in range(int(np.ceil(minutes * 60 / _PIECE_S))):
        sound = np.zeros(_PIECE_S * RATE_HZ)
        base = 440.0 * 2 ** (random.integers(-14, 4) / 12)
        beat_s = 60 / random.uniform(60, 180)
        lead, pad = random.integers(0, 4), random.integers(0, 4)
        chords_on, drums_on = random.random() < 0.7, random.random() < 0.6
        at = 0.0
        while at < _PIECE_S - 4:
            length = beat_s * random.choice([0.5, 1, 1, 2, 4])
            if random.random() < 0.85:
                _add(sound, at, 1.0 * _note(base * 2 ** (random.choice(_SCALE) / 12), length * 0.95, lead, random))
            at += length
        if chords_on:
            for bar in np.arange(0, _PIECE_S - 4 * beat_s, 4 * beat_s):
                root = random.choice(_SCALE[:6])
                for step in (0, 4, 7):
                    _add(sound, bar, 0.5 * _note(base / 2 * 2 ** ((root + step) / 12), 3.9 * beat_s, pad, random))
                _add(sound, bar, 0.8 * _note(base / 4 * 2 ** (root / 12), 1.9 * beat_s, 1, random))
        if drums_on:
            for hit in np.arange(0, _PIECE_S - 1, beat_s / 2):
                noise = random.normal(0, 1, int(0.08 * RATE_HZ)) * np.exp(-np.arange(int(0.08 * RATE_HZ)) / 120)
                _add(sound, hit, 0.6 * lfilter([1, -0.9], [1], noise))
        yield at_level(sound, float(random.uniform(-24, -10)))


def _add(sound: np.ndarray, at_s: float, piece: np.ndarray) -> None:
    begin = int(at_s * RATE_HZ)
    end = min(len(sound), begin + len(piece))
    sound[begin:end] += piece[: end - begin]


def noise(minutes: float, seed: int = 2) -> Iterator[np.ndarray]:
    """White, pink-ish and impulsive noise at several levels."""
    random = np.random.default_rng(seed)
    for number in range(int(np.ceil(minutes))):
        sound = random.normal(0, 1, 60 * RATE_HZ)
        if number % 3 == 1:
            sound = lfilter([1], [1, -0.95], sound)
        if number % 3 == 2:
            sound *= random.random(len(sound)) < 0.001
        yield at_level(sound, float(random.uniform(-40, -10)))


if __name__ == "__main__":
    print("material for the other benches; nothing to measure here")
