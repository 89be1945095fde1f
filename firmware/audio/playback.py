"""Reading sealed recordings: sound as numpy arrays, and the proof that it is what was recorded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import soundfile

from firmware.audio.chain import first_link, next_link, read_sidecar
from firmware.audio.levels import Samples
from firmware.errors import OffhookError


class PlaybackError(OffhookError):
    """A recording's file is missing or cannot be decoded."""


def read_sound(path: Path, *, from_s: float = 0.0, seconds: float | None = None) -> tuple[Samples, int]:
    """A stretch of a FLAC or Opus recording as frames x channels of s16, and its rate in Hz.

    Opus decodes at 48 kHz or at the rate libsndfile gives. Raises `PlaybackError`.
    """
    try:
        with soundfile.SoundFile(path) as file:
            file.seek(min(file.frames, round(from_s * file.samplerate)))
            frames = -1 if seconds is None else round(seconds * file.samplerate)
            samples: Samples = file.read(frames, dtype="int16", always_2d=True)
            return samples, file.samplerate
    except (OSError, soundfile.LibsndfileError) as error:
        raise PlaybackError(f"recording {path} cannot be read: {error}") from error


def verify_chain(flac: Path, chain_jsonl: Path) -> int | None:
    """The first second (from 0) whose sound or link is not what was recorded; None when all are.

    A chain that is shorter or longer than the sound is bad at the first second that only one of them has. Raises
    `PlaybackError` when a file is missing or unreadable.
    """
    try:
        sidecar = read_sidecar(chain_jsonl.read_bytes())
    except (OSError, ValueError) as error:
        raise PlaybackError(f"chain {chain_jsonl} cannot be read: {error}") from error
    header = sidecar.header
    link = first_link(header.seed)
    n = 0
    try:
        with soundfile.SoundFile(flac) as file:
            for block in file.blocks(header.rate_hz, dtype="int16", always_2d=True):
                digest = hashlib.sha256(block.astype("<i2", copy=False).tobytes()).digest()
                link = next_link(link, n, digest)
                written = sidecar.chunks[n] if n < len(sidecar.chunks) else None
                if written is None or written.sha256 != digest.hex() or written.link != link.hex():
                    return n
                n += 1
    except (OSError, soundfile.LibsndfileError) as error:
        raise PlaybackError(f"recording {flac} cannot be read: {error}") from error
    if n != len(sidecar.chunks):
        return n
    if sidecar.close is not None and sidecar.close.link != link.hex():
        return n
    return None
