"""Hears dialled digits in the sound of a line, dial tone or speech beneath them notwithstanding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROWS_HZ = (697.0, 770.0, 852.0, 941.0)
_COLUMNS_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
_KEYS = "123A456B789C*0#D"
"""ITU-T Q.23."""

_WINDOW_S = 0.032
_HOP_S = 0.008
_TOLERANCE = 0.022
"""Of the frequency: ITU-T Q.24 wants 1.5 % (1.8 % in North America) heard and 3.5 % not."""
_HIGHEST_TWIST_DB = 9.0
_LOWEST_TWIST_DB = -12.0
"""Column minus row. Q.24 asks for +4 and -8; long loops tilt more."""
_PURITY = 0.55
"""Share of the energy above 600 Hz that the two tones must have: what they have 2 dB above white noise."""
_QUIETEST_RMS = 60.0
"""Of the two tones, steps of 16 bits: about -49 dBm0."""
_PURITY_GOING_ON = 0.35
"""The same while a digit is down: a drop-out of 10 ms, or a word over the key, does not end it."""
_NEEDED_HOPS = 3
"""In a row, of one digit: a tone of 40 ms gives four, one of 20 ms none."""
_CLEAN_PURITY = 0.85
_NEEDED_HOPS_NOISY = 4
"""While none of them was cleaner than that: vowels come this close, but not for so long."""
_THIRD_SHARE = 0.05
"""Of the tones' energy, at most so much in any third tone above 600 Hz: a voice has its other harmonics there."""
_NOISE_PEAK = 9.0
"""So far above its average the loudest of the places in white noise rises, now and then."""
_PITCH_HZ = tuple(range(130, 290, 20))
_PITCH_SHARE = 0.02
"""Of the tones' energy, at most so much at one of these: a voice has its pitch there, dial tone and hum have not."""
_COARSE_PURITY = 0.55
_NEIGHBOURS = 5
_SHORTEST_BATCH_HOPS = 10
"""Frames are looked at by the handful: numpy costs by the call."""
_FULL_HOPS = 3
"""Of them, so many within 3 dB of the loudest: a tone of 20 ms fills one frame, and its neighbours by half."""
_MISSED_HOPS = 3
"""Noise hides a frame now and then: fewer in a row do not begin the count of a digit anew."""
_GONE_HOPS = 3
"""Without it: the digit is over. A drop-out of 10 ms is not a pause (Q.24)."""
_HIGH_PASS_HZ = (560.0, 660.0)
"""Dial tone (350 to 480 Hz) and hum are below, the lowest row is above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    digit: str
    began: int
    """Sample, since the detector's start, at about which the tone began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTone:
    """A digit whose tone is over."""

    digit: str
    began: int
    ended: int
    """Samples since the detector's start, good to about a hundredth of a second."""


class DtmfDetector:
    """Feed it the sound in order, in pieces of any length."""

    def __init__(self, rate_hz: int) -> None:
        self._window = round(_WINDOW_S * rate_hz)
        self._hop = round(_HOP_S * rate_hz)
        self._taper = np.hanning(self._window)
        self._gain = float(self._taper.sum()) / 2
        self._taper_energy = float((self._taper**2).sum())
        row_hz = np.arange(_ROWS_HZ[0] * 0.96, _ROWS_HZ[-1] * 1.04, 5.0)
        column_hz = np.arange(_COLUMNS_HZ[0] * 0.96, _COLUMNS_HZ[-1] * 1.04, 8.0)
        self._rows, self._columns = len(row_hz), len(column_hz)
        self._grid_hz = [*map(float, row_hz), *map(float, column_hz)]
        self._waves = _waves(self._grid_hz, self._taper, rate_hz)
        coarse_hz = (*_ROWS_HZ, *(hz * (1 + off) for hz in _COLUMNS_HZ for off in (-0.015, 0.0, 0.015)))
        self._coarse_waves = _waves(coarse_hz, self._taper, rate_hz)
        self._pitch_waves = _waves(_PITCH_HZ, self._taper, rate_hz)
        self._filter = _high_pass(rate_hz)
        self._bin_hz = rate_hz / self._window
        self._first_bin = int(np.ceil(_HIGH_PASS_HZ[1] / self._bin_hz))
        # White noise above 600 Hz: the part of it that falls on one place of the spectrum.
        self._noise_share = 1.5 * self._bin_hz / (rate_hz / 2 - _HIGH_PASS_HZ[1])
        self._raw = np.zeros(len(self._filter) - 1, dtype=np.float64)
        self._waiting: list[NDArray[np.int16]] = []
        self._waited = 0
        self._sound = np.empty(0, dtype=np.float64)
        self._plain = np.empty(0, dtype=np.float64)
        """The same sound, in step with it, before the filter."""
        self._at = -(len(self._filter) // 2)
        self._candidate: str | None = None
        self._hits = 0
        self._purest = 0.0
        self._misses = 0
        self._levels: list[float] = []
        self._down = False
        self._told: Digit | None = None
        self._last_heard = 0
        self._ended: list[KeyTone] = []

    def take_ended(self) -> list[KeyTone]:
        """The tones that ended since the last call, each told as a digit before."""
        ended, self._ended = self._ended, []
        return ended

    def feed(self, pcm: NDArray[np.int16]) -> list[Digit]:
        """The digits that this sound made certain."""
        self._waiting.append(pcm)
        self._waited += len(pcm)
        if len(self._sound) + self._waited < self._window + _SHORTEST_BATCH_HOPS * self._hop:
            return []
        raw = np.concatenate([self._raw, *self._waiting], dtype=np.float64)
        self._waiting, self._waited = [], 0
        half = len(self._filter) // 2
        self._raw = raw[len(raw) - 2 * half :]
        self._plain = np.concatenate([self._plain, raw[half : len(raw) - half]])
        self._sound = np.concatenate([self._sound, np.convolve(raw, self._filter, "valid")])
        count = (len(self._sound) - self._window) // self._hop + 1
        digits: list[Digit] = []
        for number, (digit, purity, level) in enumerate(
            self._hear(self._frames(self._sound), self._frames(self._plain))
        ):
            if (told := self._next(digit, purity, level, self._at + number * self._hop)) is not None:
                digits.append(told)
        self._plain = self._plain[count * self._hop :]
        self._sound = self._sound[count * self._hop :]
        self._at += count * self._hop
        return digits

    def _frames(self, sound: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.lib.stride_tricks.sliding_window_view(sound, self._window)[:: self._hop]

    def _hear(self, frames: NDArray[np.float64], plain: NDArray[np.float64]) -> list[tuple[str | None, float, float]]:
        """The digit in each frame, if there is one, how pure it is, and its mean square."""
        sound = np.ascontiguousarray(frames, dtype=np.float32)
        energy = ((sound * self._taper) ** 2).sum(axis=1) / self._taper_energy  # mean square
        heard: list[tuple[str | None, float, float]] = [(None, 0.0, 0.0)] * len(frames)
        loud = np.flatnonzero((energy >= _QUIETEST_RMS**2) & self._worth_a_look(sound, energy))
        if len(loud) == 0:
            return heard
        amplitude = _amplitude(sound[loud], self._waves) / self._gain
        row = amplitude[:, : self._rows].argmax(axis=1)
        column = self._rows + amplitude[:, self._rows :].argmax(axis=1)
        every = np.arange(len(loud))
        row_level, column_level = amplitude[every, row], amplitude[every, column]
        tones = (row_level**2 + column_level**2) / 2
        twist_db = 20 * np.log10(np.maximum(column_level, 1e-9) / np.maximum(row_level, 1e-9))
        pure = (tones >= _PURITY_GOING_ON * energy[loud]) & (tones >= _QUIETEST_RMS**2)
        level = (twist_db >= _LOWEST_TWIST_DB) & (twist_db <= _HIGHEST_TWIST_DB)
        for i in np.flatnonzero(pure & level):
            low_hz, high_hz = self._grid_hz[row[i]], self._grid_hz[column[i]]
            noise = max(0.0, float(energy[loud[i]] - tones[i])) * self._noise_share
            pitch = float(_amplitude(plain[loud[i]].astype(np.float32), self._pitch_waves).max()) / self._gain
            if pitch**2 / 2 > max(_PITCH_SHARE * tones[i], _NOISE_PEAK * noise):
                continue
            if self._third(sound[loud[i]], low_hz, high_hz) > max(_THIRD_SHARE * tones[i], _NOISE_PEAK * noise):
                continue
            heard[loud[i]] = (_key(low_hz, high_hz), float(tones[i] / energy[loud[i]]), float(tones[i]))
        return heard

    def _third(self, frame: NDArray[np.float32], low_hz: float, high_hz: float) -> float:
        """Mean square of the loudest tone that is neither of the two."""
        power = np.abs(np.fft.rfft(frame * self._taper)) ** 2 / self._gain**2 / 2
        for hz in (low_hz, high_hz):
            centre = hz / self._bin_hz
            power[max(0, int(np.floor(centre)) - 2) : int(np.ceil(centre)) + 3] = 0.0
        return float(power[self._first_bin :].max())

    def _worth_a_look(self, frames: NDArray[np.float32], energy: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Frames that may hold a digit, by a look at few frequencies, and their neighbours: most of speech is not."""
        if self._down:
            return np.ones(len(frames), dtype=np.bool_)
        power = _amplitude(frames, self._coarse_waves) ** 2 / self._gain**2
        rows = len(_ROWS_HZ)
        tones = (power[:, :rows].max(axis=1) + power[:, rows:].max(axis=1)) / 2
        near = np.convolve(tones >= _COARSE_PURITY * energy, np.ones(2 * _NEIGHBOURS + 1))
        result: NDArray[np.bool_] = near[_NEIGHBOURS : _NEIGHBOURS + len(frames)] > 0
        return result

    def _next(self, digit: str | None, purity: float, level: float, at: int) -> Digit | None:
        """One frame further: tells a digit once, when it has been heard often enough in a row."""
        if digit is not None and purity < _PURITY and not (self._down and digit == self._candidate):
            digit = None
        if digit is not None and digit == self._candidate:
            self._hits, self._misses = self._hits + 1, 0
            self._last_heard = at
            self._purest = max(self._purest, purity)
            if self._down:
                return None
            self._levels.append(level)
            needed = _NEEDED_HOPS if self._purest >= _CLEAN_PURITY else _NEEDED_HOPS_NOISY
            full = sum(one >= max(self._levels) / 2 for one in self._levels)
            if self._hits < needed or full < _FULL_HOPS:
                return None
            self._down = True
            self._told = Digit(digit=digit, began=max(0, at - (self._hits - 2) * self._hop))
            return self._told
        if self._down or (digit is None and self._candidate is not None):
            self._misses += 1
            if self._misses < (_GONE_HOPS if self._down else _MISSED_HOPS):
                return None
        if self._down and self._told is not None:
            ended = self._last_heard + self._window - self._hop
            self._ended.append(KeyTone(digit=self._told.digit, began=self._told.began, ended=ended))
        self._candidate, self._hits, self._misses, self._down = digit, int(digit is not None), 0, False
        self._purest, self._levels = purity, [level]
        return None


def _waves(frequencies_hz: Sequence[float], taper: NDArray[np.float64], rate_hz: int) -> NDArray[np.float32]:
    """Tapered cosines and sines, side by side."""
    angle = 2 * np.pi * np.outer(np.arange(len(taper)) / rate_hz, frequencies_hz)
    return (np.hstack([np.cos(angle), np.sin(angle)]) * taper[:, None]).astype(np.float32)


def _amplitude(frames: NDArray[np.float32], waves: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of each wave is in each frame, whatever its phase."""
    both = frames @ waves
    half = both.shape[-1] // 2
    result: NDArray[np.float32] = np.hypot(both[..., :half], both[..., half:])
    return result


def _key(row_hz: float, column_hz: float) -> str | None:
    for row, low in enumerate(_ROWS_HZ):
        if abs(row_hz - low) <= _TOLERANCE * low:
            for column, high in enumerate(_COLUMNS_HZ):
                if abs(column_hz - high) <= _TOLERANCE * high:
                    return _KEYS[4 * row + column]
    return None


def _high_pass(rate_hz: int) -> NDArray[np.float64]:
    """A linear-phase filter: Kaiser window, 60 dB down below the pass band."""
    low, high = _HIGH_PASS_HZ
    width = (high - low) / rate_hz
    taps = int(np.ceil((60 - 7.95) / (2.285 * 2 * np.pi * width))) | 1
    n = np.arange(taps) - taps // 2
    cut = (low + high) / rate_hz  # twice the edge over the rate
    kernel = -cut * np.sinc(cut * n)
    kernel[taps // 2] += 1.0
    result: NDArray[np.float64] = kernel * np.kaiser(taps, 5.65)
    return result
