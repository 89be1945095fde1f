"""Puts the sounds on a line together: voices, tones and line noise, one block after the other."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RATE_HZ = 8000

Sound = npt.NDArray[np.float32]
"""Mono samples at 8 kHz, full scale is 1."""

_NOISE_RMS = 10 ** (-66 / 20)  # a quiet subscriber line: never digital silence


def level(dbfs: float) -> float:
    """The factor of a level in dBFS."""
    return float(10 ** (dbfs / 20))


@dataclass
class _Playing:
    sound: Sound
    position: int
    loop: bool


class Playback:
    """One sound on the mixer: `stop` ends it early, `wait` blocks until it has been said or stopped."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self.whole = False
        """It was played to its end."""

    def stop(self) -> None:
        self._done.set()

    def wait(self, deadline_s: float) -> bool:
        """True when the sound was played to its end within ``deadline_s``."""
        return self._done.wait(deadline_s) and self.whole

    @property
    def done(self) -> bool:
        return self._done.is_set()


class Mixer:
    """The sounds of one wire. `play` may be called from any thread, `block` from the one that feeds the device."""

    def __init__(self, seed: int = 1, noise: bool = True) -> None:
        rng = np.random.default_rng(seed)
        self._noise = (rng.standard_normal(RATE_HZ * 3) * (_NOISE_RMS if noise else 0)).astype(np.float32)
        self._noise_at = 0
        self.muted = False
        """The sound card delivers digital silence: a broken input, or a plug in the wrong hole."""
        self._lock = threading.Lock()
        self._playing: list[tuple[Playback, _Playing]] = []

    def play(self, sound: Sound, *, loop: bool = False) -> Playback:
        """Starts ``sound`` now; with ``loop`` it goes on until its `Playback.stop`."""
        playback = Playback()
        with self._lock:
            self._playing.append((playback, _Playing(sound, 0, loop)))
        return playback

    def silence(self) -> None:
        """Ends every sound (the wire was cut, or everybody hung up)."""
        with self._lock:
            for playback, _ in self._playing:
                playback.stop()
            self._playing.clear()

    def block(self, frames: int) -> bytes:
        """The next ``frames`` samples as s16le."""
        start = self._noise_at
        self._noise_at = (start + frames) % (len(self._noise) - frames)
        mix = self._noise[start : start + frames].copy()
        with self._lock:
            still = []
            for playback, playing in self._playing:
                if playback.done:
                    continue
                if self._add(mix, playing):
                    still.append((playback, playing))
                else:
                    playback.whole = True
                    playback.stop()
            self._playing = still
        if self.muted:
            mix[:] = 0
        pcm: npt.NDArray[np.int16] = (np.clip(mix, -1, 1) * 32767).astype("<i2")
        return pcm.tobytes()

    @staticmethod
    def _add(mix: Sound, playing: _Playing) -> bool:
        """Adds what comes next of a sound; False when it is at its end."""
        at, sound = 0, playing.sound
        while at < len(mix):
            piece = sound[playing.position : playing.position + len(mix) - at]
            mix[at : at + len(piece)] += piece
            at += len(piece)
            playing.position += len(piece)
            if playing.position >= len(sound):
                if not playing.loop:
                    return False
                playing.position = 0
        return True
