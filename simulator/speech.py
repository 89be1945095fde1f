"""The people who talk: prompts spoken by espeak-ng, another voice on each side, made once and kept in a cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from firmware.errors import OffhookError
from simulator.mixer import RATE_HZ, Sound, level

_BAND_HZ = (300.0, 3400.0)
_SPEECH_RMS_DBFS = -23.0
_ESPEAK_DEADLINE_S = 30.0


class SpeechError(OffhookError):
    """espeak-ng is missing or did not speak."""


@dataclass(frozen=True)
class Prompt:
    """One sentence in one voice. ``id`` starts with the side that says it: ``r`` remote, ``l`` local."""

    id: str
    voice: str
    pitch: int
    speed: int
    text: str


def _voices(prefix: str, voices: tuple[tuple[str, int, int], ...], texts: tuple[str, ...]) -> tuple[Prompt, ...]:
    return tuple(Prompt(f"{prefix}{n + 1:02d}", *voices[n % len(voices)], text) for n, text in enumerate(texts))


REMOTE = _voices(
    "r",
    (("en-us+f3", 62, 165), ("en-gb+f2", 70, 150), ("en-us+f4", 55, 175)),
    (
        "Good morning, I am calling about the order from last Tuesday.",
        "Hello, could you put me through to the workshop, please?",
        "Yes, we would like to have the delivery on Friday before noon.",
        "My customer number is four seven one one, dash, eight.",
        "Hi there, the washing machine you sold us is leaking again.",
        "Could somebody call me back about the invoice for October?",
        "We are standing in front of your door and nobody opens.",
        "I want to book a table for six people this Saturday evening.",
        "Thank you, that sounds wonderful, we will be there by nine.",
        "The lorry has broken down near Hangzhou, it will be late.",
        "Please tell the accountant that the bank has confirmed it.",
        "I have been waiting for your answer since the middle of June.",
    ),
)
LOCAL = _voices(
    "l",
    (("en-gb", 38, 160), ("en-us", 30, 150), ("en-gb-scotland", 45, 170)),
    (
        "Offhook trading, front desk speaking, how may I help you?",
        "One moment please, I have to look that up in the computer.",
        "I am sorry about that, a technician will come this afternoon.",
        "Our shop is open on weekdays between eight and half past six.",
        "The parcel left the warehouse yesterday, here is the number.",
        "May I have your name and the best time to reach you?",
        "No problem at all, I have changed the address for you.",
        "Let me repeat that: two boxes of paper and one black toner.",
        "My colleague is at lunch, she will be back in twenty minutes.",
        "You will get a written offer by mail before the weekend.",
        "We can lend you another machine until yours is repaired.",
        "Thank you very much for calling, and have a pleasant day.",
    ),
)
PROMPTS = {prompt.id: prompt for prompt in (*REMOTE, *LOCAL)}


def cache_folder() -> Path:
    """Where spoken prompts are kept: ``$XDG_CACHE_HOME/offhook-street``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "offhook-street"


@lru_cache(maxsize=64)
def say(prompt_id: str) -> Sound:
    """The prompt's sound at 8 kHz, telephone band, -23 dBFS RMS. Raises `SpeechError`."""
    prompt = PROMPTS[prompt_id]
    key = hashlib.sha256(repr((prompt, _BAND_HZ, _SPEECH_RMS_DBFS)).encode()).hexdigest()[:16]
    path = cache_folder() / f"{prompt.id}-{key}.npy"
    if path.exists():
        cached: Sound = np.load(path).astype(np.float32, copy=False)
        return cached
    sound = _speak(prompt)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        np.save(file, sound)
    Path(file.name).replace(path)
    return sound


def say_all() -> None:
    """Makes every prompt, so that nobody waits for espeak-ng in mid-call."""
    for prompt_id in PROMPTS:
        say(prompt_id)


def _speak(prompt: Prompt) -> Sound:
    program = shutil.which("espeak-ng")
    if program is None:
        raise SpeechError("espeak-ng is not installed: the street has no voices. Install the package espeak-ng")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "said.wav"
        command = [program, "-v", prompt.voice, "-p", str(prompt.pitch), "-s", str(prompt.speed)]
        done = subprocess.run(  # noqa: S603  # fixed arguments
            [*command, "-w", str(wav), prompt.text],
            capture_output=True,
            text=True,
            timeout=_ESPEAK_DEADLINE_S,
            check=False,
        )
        if done.returncode != 0 or not wav.exists():
            raise SpeechError(f"espeak-ng did not say prompt {prompt.id}: {done.stderr.strip() or done.returncode}")
        samples, rate_hz = soundfile.read(wav, dtype="float64", always_2d=True)
    narrow = to_line(samples[:, 0], rate_hz)
    loud = np.flatnonzero(np.abs(narrow) > 0.02 * np.max(np.abs(narrow)))
    narrow = narrow[loud[0] : loud[-1] + 1]
    narrow *= level(_SPEECH_RMS_DBFS) / np.sqrt(np.mean(narrow**2))
    said: Sound = np.clip(narrow, -0.9, 0.9).astype(np.float32)
    return said


def to_line(samples: npt.NDArray[np.float64], rate_hz: int) -> npt.NDArray[np.float64]:
    """``samples`` as a telephone line carries them: 8 kHz, 300 to 3400 Hz."""
    frames = round(len(samples) * RATE_HZ / rate_hz)
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    spectrum[(frequency < _BAND_HZ[0]) | (frequency > _BAND_HZ[1])] = 0
    bins = frames // 2 + 1
    spectrum = spectrum[:bins] if len(spectrum) >= bins else np.pad(spectrum, (0, bins - len(spectrum)))
    narrow: npt.NDArray[np.float64] = np.fft.irfft(spectrum, frames) * (frames / len(samples))
    return narrow
