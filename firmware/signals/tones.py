"""Names the tones on a line as its country makes them: dial, ringback, busy, congestion, SIT, call waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from firmware.signals.countries import CountryProfile, Tone, ToneName
from firmware.signals.tone_runs import Chord, Run, RunFinder

_TOLERANCE = 0.10
_TOLERANCE_S = 0.025
"""Of each time of a cadence (E.180 allows 10 %), and what the measurement itself is off."""
_SHORT_CYCLE_S = 2.0
"""A cadence whose cycle is shorter must be heard one cycle longer."""
_MOST_ELEMENTS = 13
_CONTINUOUS_S = 1.6
_LASTING_ELEMENTS = 9
"""Times on and off in a row, five of them on, after which a busy tone is no chance."""
_LASTING_CONTINUOUS_S = 6.0
_SIT_HZ = (950.0, 1400.0, 1800.0)
"""E.180: within 50 Hz; the segments of North America's eight variants lie within 3 % of these."""
_SIT_TOLERANCE = 0.03
_SIT_SEGMENT_S = (0.2, 0.45)
_SIT_GAP_S = 0.07
_HISTORY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardTone:
    """A tone that is certain now. Told again, with ``lasting``, when it goes on: then it is no chance."""

    name: ToneName
    began: int
    """Sample, since the detector's start, at which the first of its bursts that were counted began."""
    ended: int
    """Until when it was heard so far."""
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class _Pattern:
    name: ToneName
    chord: int
    times_s: tuple[float, ...]
    elements: int
    """So many times on and off in a row make it certain. 0: a continuous tone."""


class ToneDetector:
    """Feed it the sound in order, in pieces of any length."""

    def __init__(self, rate_hz: int, country: CountryProfile) -> None:
        self._rate_hz = rate_hz
        chords: list[Chord] = []
        tones: list[tuple[ToneName, int, tuple[float, ...]]] = []
        for name, tone in country.tones:
            chord = _chord(tone)
            if chord not in chords:
                chords.append(chord)
            tones.append((name, chords.index(chord), tuple(ms / 1000 for ms in tone.cadence.ms)))
        self._patterns = [
            _Pattern(name, chord, times, _elements(name, chord, times, tones)) for name, chord, times in tones
        ]
        self._continuous_s = [_continuous_s(chord, tones) for chord in range(len(chords))]
        self._sit = len(chords)
        chords += [Chord((hz,), tolerance=_SIT_TOLERANCE) for hz in _SIT_HZ]
        self._finder = RunFinder(rate_hz, chords)
        self._history: list[deque[Run]] = [deque(maxlen=_HISTORY) for _ in chords]
        self.last_heard: dict[ToneName, int] = {}
        """For each tone: the sample until which it was heard last, told or not."""
        self._told: dict[int, tuple[ToneName, int, bool]] = {}
        """For each chord: what was told of it last, from where on, and whether as lasting."""

    def feed(self, pcm: NDArray[np.int16]) -> list[HeardTone]:
        """The tones that this sound made certain."""
        heard: list[HeardTone] = []
        for chord, run in self._finder.feed(pcm):
            if chord >= self._sit:
                heard += self._sit_heard(chord, run)
            elif run.going_on:
                heard += self._continuous(chord, run)
            else:
                self._history[chord].append(run)
                heard += [*self._continuous(chord, run), *self._cadenced(chord)]
        return heard

    def _continuous(self, chord: int, run: Run) -> list[HeardTone]:
        length_s = run.length / self._rate_hz
        if not run.steady or length_s < self._continuous_s[chord]:
            return []
        name = next((p.name for p in self._patterns if p.chord == chord and not p.times_s), None)
        lasting = length_s >= _LASTING_CONTINUOUS_S
        return self._tell(chord, name, run.began, run.ended, lasting=lasting)

    def _cadenced(self, chord: int) -> list[HeardTone]:
        """Looks whether the last run ends a cadence; of several that fit, the nearest one is meant."""
        runs = self._history[chord]
        times = _times_s(runs, self._rate_hz)
        best: tuple[float, _Pattern, int] | None = None
        for pattern in (p for p in self._patterns if p.chord == chord and p.times_s):
            matched, error = _match(times, pattern.times_s)
            used = list(runs)[-(matched // 2 + 1) :]
            if matched < pattern.elements or not all(run.steady for run in used):
                continue
            if best is None or error < best[0] - 1e-9:
                best = (error, pattern, matched)
        if best is None:
            return []
        _, pattern, matched = best
        lasting = matched >= max(_LASTING_ELEMENTS, pattern.elements + 2)
        return self._tell(chord, pattern.name, runs[-(matched // 2 + 1)].began, runs[-1].ended, lasting=lasting)

    def _tell(
        self, chord: int, name: ToneName | None, began: int, ended: int, *, lasting: bool = False
    ) -> list[HeardTone]:
        """Each tone once, and once more when it lasts."""
        if name is None:
            return []
        self.last_heard[name] = ended
        before = self._told.get(chord)
        same = before is not None and before[0] is name and began <= before[1]
        if same and before is not None and (before[2] or not lasting):
            self._told[chord] = (name, ended, before[2])
            return []
        self._told[chord] = (name, ended, lasting)
        certain = HeardTone(name=name, began=began, ended=ended)
        if not lasting:
            return [certain]
        return [*([] if same else [certain]), replace(certain, lasting=True)]

    def _sit_heard(self, chord: int, run: Run) -> list[HeardTone]:
        if run.going_on:
            return []
        self._history[chord].append(run)
        if chord != self._sit + 2:
            return []
        steps = [run]
        for earlier in (chord - 1, chord - 2):
            near = [r for r in self._history[earlier] if abs(steps[0].began - r.ended) <= _SIT_GAP_S * self._rate_hz]
            if not near:
                return []
            steps.insert(0, near[-1])
        shortest, longest = (s * self._rate_hz for s in _SIT_SEGMENT_S)
        if not all(shortest <= step.length <= longest and step.steady for step in steps):
            return []
        return [HeardTone(name=ToneName.SIT, began=steps[0].began, ended=run.ended)]


def _chord(tone: Tone) -> Chord:
    if tone.modulated_by_hz is not None:
        hz, by = tone.frequencies_hz[0], tone.modulated_by_hz
        return Chord((hz - by, hz, hz + by), beating=True)
    gaps = np.diff(sorted(tone.frequencies_hz))
    return Chord(tone.frequencies_hz, beating=bool(len(gaps)) and bool(gaps.min() < 100.0))


def _times_s(runs: Sequence[Run], rate_hz: int) -> list[float]:
    """On, off, on, ..., on."""
    times: list[float] = []
    for before, run in zip([None, *runs], runs, strict=False):
        if before is not None:
            times.append((run.began - before.ended) / rate_hz)
        times.append(run.length / rate_hz)
    return times


def _off_by(measured_s: float, wanted_s: float) -> float:
    """1 is just within the tolerance."""
    return abs(measured_s - wanted_s) / (_TOLERANCE * wanted_s + _TOLERANCE_S)


def _match(times_s: Sequence[float], pattern_s: tuple[float, ...]) -> tuple[int, float]:
    """How many of the last times are those of the pattern, on at the end, and how far they are off on average."""
    best = (0, 0.0)
    for last in range(0, len(pattern_s), 2):
        errors: list[float] = []
        for back, measured in enumerate(reversed(times_s)):
            error = _off_by(measured, pattern_s[(last - back) % len(pattern_s)])
            if error > 1.0:
                break
            errors.append(error)
        matched = len(errors) - (1 - len(errors) % 2)  # begins with a time on
        if matched > best[0]:
            best = (matched, sum(errors[:matched]) / matched)
    return best


def _elements(
    name: ToneName, chord: int, times_s: tuple[float, ...], tones: list[tuple[ToneName, int, tuple[float, ...]]]
) -> int:
    """How many times must match until it can be no other tone of this network that has the same frequencies."""
    if not times_s:
        return 0
    needed = len(times_s) + 1
    if len(times_s) == 2 and sum(times_s) < _SHORT_CYCLE_S:
        needed += 2
    others = [times for kind, other, times in tones if other == chord and kind is not name and times]
    while needed < _MOST_ELEMENTS and any(_holds(times_s, other, needed) for other in others):
        needed += 2
    return needed


def _holds(times_s: tuple[float, ...], other: tuple[float, ...], elements: int) -> bool:
    """Whether somewhere in another cadence there are so many times that could be this one's."""
    if len(other) == len(times_s):
        return False  # as near as that, the nearest one is meant
    endless = other * (2 + elements // len(other))
    ends = range(elements, elements + len(other) + 1)
    return any(end % 2 and _match(endless[:end], times_s)[0] >= elements for end in ends)


def _continuous_s(chord: int, tones: list[tuple[ToneName, int, tuple[float, ...]]]) -> float:
    """Longer than every burst of a tone of the same frequencies."""
    bursts = [s for _, other, times in tones if other == chord for s in times[::2]]
    return max([_CONTINUOUS_S, *(s * (1 + _TOLERANCE) + 0.3 for s in bursts)])
