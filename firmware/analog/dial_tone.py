"""Hears that the exchange is ready to be dialled: one steady tone or two; no I/O."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_FRAME_S: Final = 0.1
_BAND_HZ: Final = (300.0, 650.0)
"""Dial tones of all national plans (ITU-T E.180: 400 to 450 Hz recommended; 350+440 in North America)."""
_VOICE_HZ: Final = (250.0, 3400.0)
_SHARE: Final = 0.85
_QUIETEST_DBFS: Final = -50.0
_FRAMES: Final = 4
"""Steady for 0.4 s: some countries interrupt theirs, the shortest stretch of tone is 0.2 s in Italy's, before 0.6 s."""


class DialToneWait:
    """Feed it the sound in order until it says yes."""

    def __init__(self, rate_hz: int) -> None:
        self._size = round(_FRAME_S * rate_hz)
        frequency = np.fft.rfftfreq(self._size, 1 / rate_hz)
        self._band = np.flatnonzero((frequency >= _BAND_HZ[0]) & (frequency <= _BAND_HZ[1]))
        self._voice = (frequency >= _VOICE_HZ[0]) & (frequency <= _VOICE_HZ[1])
        self._taper = np.hanning(self._size)
        self._rest = np.empty(0, dtype=np.int16)
        self._steady = 0

    def hear(self, pcm: NDArray[np.int16]) -> bool:
        sound = np.concatenate([self._rest, pcm])
        count = len(sound) // self._size
        self._rest = sound[count * self._size :]
        for frame in sound[: count * self._size].reshape(count, self._size):
            self._steady = self._steady + 1 if self._tone(frame) else 0
            if self._steady >= _FRAMES:
                return True
        return False

    def _tone(self, frame: NDArray[np.int16]) -> bool:
        power = np.abs(np.fft.rfft(frame * self._taper)) ** 2
        voice = float(power[self._voice].sum())
        dbfs = 10 * np.log10(max(voice / (self._size * float((self._taper**2).sum()) / 2) / 32768.0**2, 1e-12))
        if dbfs < _QUIETEST_DBFS:
            return False
        peaks = 0.0
        for _ in range(2):
            best = int(self._band[power[self._band].argmax()])
            peaks += float(power[best - 2 : best + 3].sum())
            power[best - 2 : best + 3] = 0.0
        return peaks >= _SHARE * voice
