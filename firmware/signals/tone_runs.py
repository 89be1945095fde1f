"""Where in the sound of a line a tone is on and off: the first half of hearing tones; `tones` names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

WINDOW_S = 0.064
HOP_S = 0.016
_BATCH_FRAMES = 24
"""Frames are looked at by the handful: numpy costs by the call."""
_VOICE_BAND_HZ = (180.0, 3600.0)
"""Hum is below it and does not count."""
_REACH_HZ = 34.0
"""A tone of one frequency lies within so much of it: two bins of the window, and 1 % of the frequency."""
_MERGE_HZ = 60.0
"""Components closer than that are one band: the window cannot tell them apart."""
_SHARE = 0.6
"""Of the voice band's energy that a tone must have: 2 dB above white noise."""
_WEAKEST_SHARE = 0.08
"""Of a tone's energy that each of its bands must have."""
_QUIETEST_DBM0 = -46.0
_FALL_DB = 9.0
"""So much below its own loudest frame a run has ended: the middle of a frame's taper is 6 dB down."""
_EDGE_DB = 6.0
_HOLD_FRAMES = 3
"""A change that does not last so long is none: a modulated tone dips, and a click is no tone."""
_FLAT_DB = 2.2
_FLAT_BEATING_DB = 4.0
"""Standard deviation of the level within a run. Two close frequencies beat."""
_STEADY_HZ = 5.0
"""Standard deviation of the frequency within a run: a voice glides."""


@dataclass(frozen=True, slots=True)
class Run:
    """A tone was on from sample ``began`` to sample ``ended`` (so far, when ``going_on``)."""

    began: int
    ended: int
    steady: bool
    """Level and frequency stayed where they were, as a voice's never do."""
    going_on: bool = False

    @property
    def length(self) -> int:
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Chord:
    """The frequencies of a tone; ``beating``: its level goes up and down by itself."""

    components_hz: tuple[float, ...]
    tolerance: float = 0.0
    """Of each frequency, beside what every tone is allowed."""
    beating: bool = False

    def bands_hz(self) -> list[tuple[float, float]]:
        """Where its energy lies; components that cannot be told apart share a band."""
        bands: list[tuple[float, float]] = []
        for hz in sorted(self.components_hz):
            reach = _REACH_HZ + hz * self.tolerance
            if bands and hz - bands[-1][1] + _REACH_HZ < _MERGE_HZ:
                bands[-1] = (bands[-1][0], hz + reach)
            else:
                bands.append((hz - reach, hz + reach))
        return bands


@dataclass(slots=True)
class _Track:
    """One chord's runs. Levels are powers in the unit of `_Meter`."""

    chord: Chord
    began: int | None = None
    levels: list[float] = field(default_factory=list)
    hz: list[float] = field(default_factory=list)
    top: float = 0.0
    misses: int = 0


class RunFinder:
    """Feed it the sound in order; it tells the runs of each chord, in samples since its start."""

    def __init__(self, rate_hz: int, chords: Sequence[Chord]) -> None:
        self._window = round(WINDOW_S * rate_hz)
        self._hop = round(HOP_S * rate_hz)
        self._taper = np.hanning(self._window).astype(np.float32)
        frequency = np.fft.rfftfreq(self._window, 1 / rate_hz)
        self._bins = slice(0, int(np.searchsorted(frequency, _VOICE_BAND_HZ[1])) + 1)
        frequency = frequency[self._bins]
        columns = [((frequency >= _VOICE_BAND_HZ[0]) & (frequency <= _VOICE_BAND_HZ[1])).astype(float)]
        self._columns: list[list[int]] = []
        """For each chord: the column of each of its bands; the one after it is the band's moment of frequency."""
        for chord in chords:
            places = []
            for low, high in chord.bands_hz():
                band = ((frequency >= low) & (frequency <= high)).astype(float)
                places.append(len(columns))
                columns += [band, band * frequency]
            self._columns.append(places)
        self._weights = np.stack(columns, axis=1)
        # Parseval: the power that a sine of full scale has in the band of a tapered frame.
        sine = self._window * float((self._taper**2).sum()) * 32767.0**2 / 4
        self._quietest = sine * 10 ** ((_QUIETEST_DBM0 - 3.14) / 10)
        self._tracks = [_Track(chord) for chord in chords]
        self._rest = np.empty(0, dtype=np.int16)
        self._at = 0

    def feed(self, pcm: NDArray[np.int16]) -> list[tuple[int, Run]]:
        """Runs that this sound ended, and those that go on, each with its chord's number."""
        sound = np.concatenate([self._rest, pcm])
        count = (len(sound) - self._window) // self._hop + 1
        if count < _BATCH_FRAMES:
            self._rest = sound
            return []
        frames = np.lib.stride_tricks.sliding_window_view(sound, self._window)[: count * self._hop : self._hop]
        spectrum = np.fft.rfft(frames * self._taper, axis=1)[:, self._bins]
        measured = (spectrum.real**2 + spectrum.imag**2) @ self._weights
        told: list[tuple[int, Run]] = []
        for number, track in enumerate(self._tracks):
            for run in self._follow(track, measured, self._columns[number]):
                told.append((number, run))
        self._rest = sound[count * self._hop :]
        self._at += count * self._hop
        return sorted(told, key=lambda one: one[1].ended)

    def _follow(self, track: _Track, measured: Floats, places: list[int]) -> list[Run]:
        bands = measured[:, places]
        level = bands.sum(axis=1)
        hits = (level >= _SHARE * measured[:, 0]) & (level >= self._quietest)
        if len(places) > 1:
            hits &= bands.min(axis=1) >= _WEAKEST_SHARE * level
        if track.began is None and not hits.any():
            return []
        moment = measured[:, places[0] + 1] / np.maximum(bands[:, 0], 1e-9)
        told = []
        for i, hit in enumerate(hits.tolist()):
            run = self._frame(track, hit, float(level[i]), float(moment[i]), self._at + i * self._hop)
            if run is not None:
                told.append(run)
        if track.began is not None and len(track.levels) >= _HOLD_FRAMES:
            told.append(self._run(track, going_on=True))
        return told

    def _frame(self, track: _Track, hit: bool, level: float, hz: float, at: int) -> Run | None:
        on = hit and (track.began is None or level >= track.top * 10 ** (-_FALL_DB / 10))
        if on:
            if track.began is None:
                track.began, track.levels, track.hz, track.top, track.misses = at, [], [], 0.0, 0
            # What was missed for a moment only belongs to the run.
            track.levels += [level] * (track.misses + 1)
            track.hz += [hz] * (track.misses + 1)
            track.top, track.misses = max(track.top, level), 0
            return None
        if track.began is None:
            return None
        track.misses += 1
        if track.misses < _HOLD_FRAMES:
            return None
        run = self._run(track, going_on=False) if len(track.levels) >= _HOLD_FRAMES else None
        track.began = None
        return run

    def _run(self, track: _Track, *, going_on: bool) -> Run:
        """The run with its edges where the level is half of what it is within."""
        assert track.began is not None
        levels = np.asarray(track.levels)
        loud = np.flatnonzero(levels >= float(np.median(levels)) * 10 ** (-_EDGE_DB / 10))
        first, last = int(loud[0]), int(loud[-1])
        inside = 2 if last - first >= 6 else 0  # the edges rise and fall
        middle = slice(first + inside, last + 1 - inside)
        flat = float(np.std(10 * np.log10(levels[middle]))) <= (_FLAT_BEATING_DB if track.chord.beating else _FLAT_DB)
        steady = float(np.std(track.hz[middle])) <= _STEADY_HZ * (2 if track.chord.beating else 1)
        centre = track.began + self._window // 2
        began, ended = centre + first * self._hop, centre + last * self._hop
        return Run(began - self._hop // 2, ended + self._hop // 2, flat and steady, going_on)
