"""Sound between two clocks: a jitter buffer that keeps its length by resampling ever so slightly (pure)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

TAPS: Final = 16
_PHASES: Final = 64
TARGET_S: Final = 0.040
"""One 20 ms frame that is on its way, one 10 ms period that is about to be taken, and 10 ms for late threads."""
LONGEST_S: Final = 0.060
"""With the usual target, never longer than this for long: people begin to talk over each other (ITU-T G.114)."""
_SLACK_S: Final = LONGEST_S - TARGET_S
_BURST_S: Final = 0.120
"""A thread that was late catches up by itself; so much more than the target is cut at once."""
_RAISE_S: Final = 0.010
_HIGHEST_TARGET_S: Final = 0.120
"""Only after under-runs, on a box that is too busy: a late word is better than a torn one."""
_CALM_S: Final = 60.0
"""After so long without an under-run the target goes one step back; twice as long after each under-run."""
_PPM_PER_S: Final = 80_000.0
"""How hard the length is steered: 1 ms too long makes it run 80 ppm faster. Crystals differ by 200 ppm at most."""
_MOST_PPM: Final = 3000.0
"""A twentieth of a semitone: nobody hears it."""
_SMOOTH_S: Final = 2.0
_FADE: Final = 40


def _table() -> npt.NDArray[np.float32]:
    """Windowed-sinc filters for every 64th of a sample; row 0 passes a sample through unchanged."""
    phase = np.arange(_PHASES + 1)[:, None] / _PHASES
    distance = np.arange(TAPS)[None, :] - (TAPS // 2 - 1) - phase
    window = np.cos(np.pi * distance / (TAPS + 2)) ** 2
    filters = np.sinc(distance) * window
    return np.asarray(filters / filters.sum(axis=1, keepdims=True), dtype=np.float32)


_FILTERS: Final = _table()


class JitterBuffer:
    """`put` what one device gives, `take` what the other needs; times are seconds on any steady clock.

    Its length is the sound in it plus the part of the next piece that the giver must have by now: so it does not depend
    on when, between two pieces, somebody looks. It is steered to ``target_s``. An under-run gives silence until the
    buffer is filled again and makes the target longer; sound that stays 20 ms beyond the target is cut out.
    """

    def __init__(self, *, rate_hz: int = 8000, target_s: float = TARGET_S) -> None:
        self._rate_hz = rate_hz
        self._lowest_target_s = target_s
        self.target_s = target_s
        self.underruns = 0
        self.dropped_frames = 0
        self._patience_s = _CALM_S
        self.correction_ppm = 0.0
        """How much faster than the giver the taker is served now."""
        self.clear()

    def clear(self) -> None:
        """Empty, as before the first `put`; the counters stay."""
        self._sound = np.zeros(TAPS - 1, dtype=np.float32)
        self._position = 0.0
        self._filled = False
        self._smooth_s = self.target_s
        self._put_s: float | None = None
        self._piece_s = 0.0
        self._taken_s: float | None = None
        self._calm_since_s: float | None = None

    @property
    def waiting_frames(self) -> int:
        """Sound in the buffer, without what the resampler keeps."""
        return max(0, len(self._sound) - (TAPS - 1))

    def length_s(self, now_s: float) -> float:
        """How long sound that comes now waits until it is taken."""
        on_its_way_s = min(max(0.0, now_s - self._put_s), self._piece_s) if self._put_s is not None else 0.0
        return self.waiting_frames / self._rate_hz + on_its_way_s

    def put(self, samples: Samples, now_s: float) -> None:
        self._sound = np.concatenate((self._sound, samples.astype(np.float32)))
        self._piece_s = len(samples) / self._rate_hz
        self._put_s = now_s

    def take(self, frames: int, now_s: float) -> Samples:
        """Exactly ``frames`` samples; silence while there is not enough."""
        fresh = not self._filled
        if fresh:
            if self.waiting_frames < self.target_s * self._rate_hz:
                return np.zeros(frames, dtype=np.int16)
            self._fill(now_s)
        self._steer(frames, now_s)
        ratio = 1.0 + self.correction_ppm / 1e6
        where = self._position + ratio * np.arange(frames)
        first = np.floor(where).astype(np.intp)
        if first[-1] + TAPS > len(self._sound):
            return self._run_dry(frames)
        out = _interpolate(self._sound, first, where - first)
        end = self._position + ratio * frames
        whole = int(end)
        self._sound, self._position = self._sound[whole:], end - whole
        return _fade_in(out) if fresh else out

    def _fill(self, now_s: float) -> None:
        """Begins with exactly the target: what came before is old."""
        self._filled, self._calm_since_s, self._taken_s = True, now_s, now_s
        self._cut(round((self.length_s(now_s) - self.target_s) * self._rate_hz))
        self._smooth_s = self.length_s(now_s)

    def _steer(self, frames: int, now_s: float) -> None:
        length_s = self.length_s(now_s)
        weight = min(1.0, frames / self._rate_hz / _SMOOTH_S)
        self._smooth_s += weight * (length_s - self._smooth_s)
        if self._smooth_s > self.target_s + _SLACK_S or length_s > self.target_s + _BURST_S:
            too_much = round((length_s - self.target_s) * self._rate_hz)
            too_much = min(too_much, self.waiting_frames - frames - 1)
            if too_much > 0:
                self.dropped_frames += too_much
                self._cut(too_much)
            self._smooth_s = self.length_s(now_s)
        wanted_ppm = (self._smooth_s - self.target_s) * _PPM_PER_S
        self.correction_ppm = max(-_MOST_PPM, min(_MOST_PPM, wanted_ppm))
        if self._calm_since_s is not None and now_s - self._calm_since_s > self._patience_s:
            self.target_s = max(self._lowest_target_s, self.target_s - _RAISE_S)
            self._calm_since_s = now_s

    def _run_dry(self, frames: int) -> Samples:
        """What is left, faded out, then silence."""
        self.underruns += 1
        self._patience_s *= 2
        self.target_s = min(_HIGHEST_TARGET_S, self.target_s + _RAISE_S)
        middle = TAPS // 2 - 1
        left = self._sound[middle:][:frames]
        out = np.zeros(frames, dtype=np.float32)
        out[: len(left)] = left * np.linspace(1.0, 0.0, len(left), dtype=np.float32)
        put_s, piece_s = self._put_s, self._piece_s
        self.clear()
        self._put_s, self._piece_s = put_s, piece_s
        return _as_samples(out)

    def _cut(self, frames: int) -> None:
        if frames > 0:
            self._sound = self._sound[frames:]


def _interpolate(sound: npt.NDArray[np.float32], first: npt.NDArray[np.intp], part: npt.NDArray[np.float64]) -> Samples:
    windows = np.lib.stride_tricks.sliding_window_view(sound, TAPS)[first]
    phase = part * _PHASES
    row = phase.astype(np.intp)
    rest = (phase - row).astype(np.float32)[:, None]
    filters = _FILTERS[row] * (1 - rest) + _FILTERS[row + 1] * rest
    return _as_samples(np.einsum("ij,ij->i", windows, filters))


def _as_samples(sound: npt.NDArray[np.float32]) -> Samples:
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


def _fade_in(sound: Samples) -> Samples:
    ramp = np.ones(len(sound), dtype=np.float32)
    ramp[:_FADE] = np.linspace(0.0, 1.0, len(ramp[:_FADE]), dtype=np.float32)
    return _as_samples(sound * ramp)
