"""Reads any sound file for the decoders: each channel by itself, at the telephone's own sampling rate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import click
import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 8000
_BLOCK_FRAMES = 16_384


def channels_of(file: Path) -> int:
    """How many channels it has. Raises `click.BadParameter` when it is no sound file."""
    try:
        return int(soundfile.info(str(file)).channels)
    except (soundfile.LibsndfileError, OSError) as error:
        raise click.BadParameter(f"{file} cannot be read as sound: {error}", param_hint="FILE") from None


def blocks(file: Path, channel: int) -> Iterator[NDArray[np.int16]]:
    """One channel (from 0) at `RATE_HZ`, in pieces."""
    with soundfile.SoundFile(str(file)) as source:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        for block in source.blocks(_BLOCK_FRAMES, dtype="int16", always_2d=True):
            one = np.ascontiguousarray(block[:, channel])
            if source.samplerate == RATE_HZ:
                yield one
                continue
            frame = av.AudioFrame.from_ndarray(one.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = source.samplerate
            yield from _samples(resampler, frame)
        if source.samplerate != RATE_HZ:
            yield from _samples(resampler, None)


def _samples(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> Iterator[NDArray[np.int16]]:
    for out in resampler.resample(frame):
        yield out.to_ndarray().reshape(-1).astype(np.int16)
