"""Measures what a recording tells of its line: hum, noise, speech, clipping; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FRAME_S = 0.1
_SPEECH_ABOVE_NOISE_DB = 10.0
_QUIETEST_SPEECH_DBFS = -55.0
_VOICE_HZ = (250.0, 3400.0)
_NOISE_PERCENTILE = 10.0
_RAIL = 32700
_FLOOR_DBFS = -96.3


@dataclass(frozen=True, slots=True)
class LineHealth:
    """Levels are dBFS of s16; hum is the mains' fundamental alone, as it stands through half of the recording."""

    hum_50_dbfs: float
    hum_60_dbfs: float
    noise_dbfs: float
    """The quietest tenth of the recording, 250 to 3400 Hz."""
    speech_dbfs: float | None
    """What is well above the noise; None: nothing was."""
    clipped_share: float
    """Of all samples."""


class HealthMeter:
    """Feed it one channel in order, then take `result`."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._frame = round(_FRAME_S * rate_hz)
        self._rest = np.empty(0, dtype=np.int16)
        frequency = np.fft.rfftfreq(rate_hz, 1 / rate_hz)
        self._voice = (frequency >= _VOICE_HZ[0]) & (frequency <= _VOICE_HZ[1])
        self._taper = np.hanning(rate_hz)
        self._hum: list[tuple[float, float]] = []
        self._levels: list[NDArray[np.float64]] = []
        self._clipped = self._samples = 0

    def feed(self, pcm: NDArray[np.int16]) -> None:
        self._samples += len(pcm)
        self._clipped += int((np.abs(pcm.astype(np.int32)) >= _RAIL).sum())
        sound = np.concatenate([self._rest, pcm])
        count = len(sound) // self._rate_hz
        self._rest = sound[count * self._rate_hz :]
        for second in sound[: count * self._rate_hz].reshape(count, self._rate_hz).astype(np.float64):
            spectrum = np.fft.rfft(second * self._taper)
            gain = float(self._taper.sum()) / 2
            self._hum.append((_sine(spectrum, 50, gain), _sine(spectrum, 60, gain)))
            voice = np.fft.rfft(second)
            voice[~self._voice] = 0
            frames = np.fft.irfft(voice, self._rate_hz).reshape(-1, self._frame)
            self._levels.append(np.sqrt((frames**2).mean(axis=1)))

    def result(self) -> LineHealth | None:
        """None: there was less than a second."""
        if not self._levels:
            return None
        hum_50, hum_60 = (float(np.median([pair[n] for pair in self._hum])) for n in (0, 1))
        levels = np.array([_dbfs(float(rms)) for second in self._levels for rms in second])
        noise = float(np.percentile(levels, _NOISE_PERCENTILE))
        speech = levels[levels >= max(noise + _SPEECH_ABOVE_NOISE_DB, _QUIETEST_SPEECH_DBFS)]
        loud = None if len(speech) == 0 else 10 * float(np.log10(np.mean(10 ** (speech / 10))))
        return LineHealth(
            hum_50_dbfs=_dbfs(hum_50),
            hum_60_dbfs=_dbfs(hum_60),
            noise_dbfs=round(noise, 1),
            speech_dbfs=None if loud is None else round(loud, 1),
            clipped_share=round(self._clipped / self._samples, 6),
        )


def _sine(spectrum: NDArray[np.complex128], hz: int, gain: float) -> float:
    """RMS of the sine at ``hz``; one bin is one hertz, mains wander by a tenth."""
    return float(np.abs(spectrum[hz - 1 : hz + 2]).max()) / gain / float(np.sqrt(2))


def _dbfs(rms: float) -> float:
    return _FLOOR_DBFS if rms <= 0.5 else round(20 * float(np.log10(rms / 32768.0)), 1)
