"""Prompts: sound files of the admin's that a line plays into a call. Only these are played, whoever asks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import numpy as np

from firmware.errors import RequestError

PROMPT_FOLDER: Final = "/etc/offhook/prompts"
RATE_HZ: Final = 8000
LONGEST_S: Final = 120.0


def prompt_folder() -> Path:
    """Where they are; ``OFFHOOK_PROMPTS`` names another place."""
    return Path(os.environ.get("OFFHOOK_PROMPTS", PROMPT_FOLDER))


def load_prompt(name: str) -> bytes:
    """The prompt called ``name`` (``<name>.wav``, any rate and channels) as s16le mono 8 kHz.

    Raises `RequestError` ``bad_request`` when there is none of that name, or it cannot be played.
    """
    folder = prompt_folder()
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise RequestError("bad_request", f"{name!r} is no name of a prompt: letters, digits, - and _, without .wav")
    path = folder / f"{name}.wav"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.wav"))) or "none"
        raise RequestError("bad_request", f"there is no prompt {path}; there are: {there}")
    return _sound(path)


def _sound(path: Path) -> bytes:
    import av  # noqa: PLC0415 - a box that plays nothing needs neither
    import soundfile  # noqa: PLC0415

    try:
        with soundfile.SoundFile(path) as file:
            if file.frames > LONGEST_S * file.samplerate:
                raise RequestError("bad_request", f"{path} is longer than {LONGEST_S:g} s: cut it")
            mono = file.read(dtype="int16", always_2d=True).astype(np.int32).mean(axis=1).astype(np.int16)
            rate_hz = file.samplerate
    except (OSError, soundfile.LibsndfileError) as error:
        raise RequestError("bad_request", f"{path} cannot be read as sound: {error}") from error
    if rate_hz == RATE_HZ:
        return bytes(mono.astype("<i2").tobytes())
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    frame = av.AudioFrame.from_ndarray(mono.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate_hz
    pieces = [out.to_ndarray().reshape(-1) for given in (frame, None) for out in resampler.resample(given)]
    return bytes(np.concatenate(pieces).astype("<i2").tobytes())
