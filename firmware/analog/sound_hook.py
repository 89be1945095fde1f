"""Finds ringing, off-hook and the end of a call from nothing but the sound of a tapped line; no I/O, no clock.

A tap on a line whose handsets all lie hears next to nothing: ringing current (16 to 30 Hz), a caller ID, clicks. Once a
handset is up there is dial tone, digits or speech. The end is busy tone, dial tone after a talk, or a long silence.
All of it is an estimate: it serves lines without sensors, and lines whose sensors died.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware.model import Instant

_FRAME_S = 0.05
_RING_FRAMES = 4
_VOICE_HZ = (300.0, 3400.0)
_CARRIER_HZ = (1000.0, 2400.0)
_RING_HZ = (14.0, 36.0)
"""Ringing current of all countries (16 to 30 Hz); hum (50, 60 Hz) is above."""
_TONE_HZ = (300.0, 700.0)
"""Dial, busy and congestion tones of ITU-T E.180 and of all national plans are in here."""
_RING_SHARE = 0.6
_RING_DBFS = -40.0
_CARRIER_SHARE = 0.8
_TONE_SHARE = 0.85
_FLOOR_RISES_DB_PER_S = 0.5
_ABOVE_FLOOR_DB = 10.0
_SEEN_FRAMES, _NEEDED_FRAMES = 24, 11
"""Within 1.2 s there must be 0.55 s of something: a click, a word from another pair of the cable, is not a call."""
_AFTER_RING_S = 0.25
_DIAL_TONE_S = 2.0
"""In a call so much of one tone without a break is dial tone: the far end has gone, and the exchange waits."""
_TALK_FIRST_S = 4.0
"""Dial tone in the first seconds is that of the outgoing call itself."""
_CYCLES = 3
"""Of a tone on and off, all alike, make it busy or congestion."""
_PERIOD_S = (0.1, 1.05)
_SAME_HZ = 30.0
_LAID_S = 1.5
"""Busy tone pauses for less than this; when it stays away the handset was put back."""


class Heard(StrEnum):
    RING = "ring"
    RING_PAUSED = "ring_paused"
    OFF_HOOK = "off_hook"
    FAR_END_GONE = "far_end_gone"
    """Busy, congestion or dial tone in a call: it is over, though the handset is still up."""
    ON_HOOK = "on_hook"


@dataclass(frozen=True, slots=True)
class SoundReport:
    """``at`` is when it began, not when that was certain."""

    what: Heard
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTiming:
    silence_s: float = 20.0
    """Nothing heard for so long: the handsets lie. People on hold are silent too; shorter cuts their calls in two."""
    threshold_dbfs: float = -55.0
    """What is quieter than this is never taken for speech."""


class SoundHook:
    """Feed it one channel's sound in order; it tells what became certain."""

    def __init__(self, timing: SoundTiming = SoundTiming(), *, rate_hz: int = 8000) -> None:
        self._timing = timing
        self._size = round(_FRAME_S * rate_hz)
        self._rate_hz = rate_hz
        self._taper = np.hanning(self._size)
        frequency = np.fft.rfftfreq(self._size, 1 / rate_hz)
        self._voice = _within(frequency, _VOICE_HZ)
        self._carrier = _within(frequency, _CARRIER_HZ)
        self._tones = np.flatnonzero(_within(frequency, _TONE_HZ))
        self._tone_hz = frequency[self._tones]
        slow = np.fft.rfftfreq(self._size * _RING_FRAMES, 1 / rate_hz)
        self._ring_bins = _within(slow, _RING_HZ)
        self._all_bins = (slow >= 10.0) & (slow <= _VOICE_HZ[1])
        self._rest = np.empty(0, dtype=np.int16)
        self._slow = np.empty(0, dtype=np.int16)
        self._floor_dbfs: float | None = None
        self._recent: deque[bool] = deque(maxlen=_SEEN_FRAMES)
        self._first_loud: Instant | None = None
        self._off_hook = False
        self._over = False
        self._since: Instant | None = None
        self._last_loud: Instant | None = None
        self._ringing = False
        self._last_ring: Instant | None = None
        self._tone = _ToneCadence()

    @property
    def off_hook(self) -> bool:
        return self._off_hook

    @property
    def ringing(self) -> bool:
        return self._ringing

    def assume(self, off_hook: bool, at: Instant) -> None:
        """What other sensors knew when this detector took over."""
        self._off_hook, self._over = off_hook, False
        self._since = self._last_loud = at if off_hook else None

    def hear(self, pcm: NDArray[np.int16], at: Instant) -> list[SoundReport]:
        """``at`` is the moment of the first sample."""
        begun = at.plus_s(-len(self._rest) / self._rate_hz)
        sound = np.concatenate([self._rest, pcm])
        count = len(sound) // self._size
        self._rest = sound[count * self._size :]
        if count == 0:
            return []
        frames = sound[: count * self._size].reshape(count, self._size)
        power = np.abs(np.fft.rfft(frames * self._taper, axis=1)) ** 2
        voice = power[:, self._voice].sum(axis=1)
        level = 10 * np.log10(np.maximum(voice / (self._size * (self._taper**2).sum() / 2) / 32768.0**2, 1e-12))
        carrier = power[:, self._carrier].sum(axis=1) >= _CARRIER_SHARE * voice
        in_band = power[:, self._tones]
        pitch = (in_band * self._tone_hz).sum(axis=1) / np.maximum(in_band.sum(axis=1), 1e-9)
        tonal = _two_peaks(power, self._tones) >= _TONE_SHARE * voice
        reports: list[SoundReport] = []
        for n in range(count):
            moment = begun.plus_s(n * _FRAME_S)
            reports += self._ring(frames[n], moment)
            reports += self._frame(float(level[n]), bool(carrier[n]), float(pitch[n]) if tonal[n] else None, moment)
        return reports

    def _ring(self, frame: NDArray[np.int16], at: Instant) -> list[SoundReport]:
        self._slow = np.concatenate([self._slow, frame])
        if len(self._slow) < self._size * _RING_FRAMES:
            return []
        window, self._slow = self._slow.astype(np.float64), np.empty(0, dtype=np.int16)
        began = at.plus_s(-(_RING_FRAMES - 1) * _FRAME_S)
        rms = float(np.sqrt((window**2).mean()))
        ringing = False
        if rms > 32768 * 10 ** (_RING_DBFS / 20):
            power = np.abs(np.fft.rfft(window * np.hanning(len(window)))) ** 2
            ringing = bool(power[self._ring_bins].sum() >= _RING_SHARE * power[self._all_bins].sum())
        if ringing:
            self._last_ring = at.plus_s(_FRAME_S)
        if ringing == self._ringing:
            return []
        self._ringing = ringing
        self._recent.clear()
        if not ringing:
            return [SoundReport(Heard.RING_PAUSED, began)]
        reports = [SoundReport(Heard.RING, began)]
        if self._off_hook:  # no line rings while a handset is up: its end was not heard
            reports.insert(0, self._put_back(self._last_loud or began))
        return reports

    def _frame(self, dbfs: float, carrier: bool, tone: float | None, at: Instant) -> list[SoundReport]:
        floor = dbfs if self._floor_dbfs is None else self._floor_dbfs
        self._floor_dbfs = floor = min(max(dbfs, -90.0), floor + _FLOOR_RISES_DB_PER_S * _FRAME_S)
        loud = dbfs > max(floor + _ABOVE_FLOOR_DB, self._timing.threshold_dbfs)
        near_ring = self._last_ring is not None and at.seconds_since(self._last_ring) < _AFTER_RING_S
        if self._off_hook:
            return self._in_call(loud, tone if loud else None, at)
        # A caller ID is a carrier, and comes while the handset lies.
        something = loud and not carrier and not near_ring and not self._ringing
        if something and not any(self._recent):
            self._first_loud = at
        self._recent.append(something)
        if sum(self._recent) < _NEEDED_FRAMES:
            return []
        self._recent.clear()
        self._off_hook, self._over = True, False
        self._since, self._last_loud = at, at
        self._tone = _ToneCadence()
        return [SoundReport(Heard.OFF_HOOK, self._first_loud or at)]

    def _in_call(self, loud: bool, tone: float | None, at: Instant) -> list[SoundReport]:
        assert self._since is not None
        # In a long silence the floor creeps up to the line's own noise; in a talk it stays below the speech.
        if loud:
            self._last_loud = at
        began = self._tone.feed(tone, at)
        dialled = at.seconds_since(self._since) < _TALK_FIRST_S
        if not self._over and self._tone.steady_s >= _DIAL_TONE_S and not dialled and self._tone.began is not None:
            began = self._tone.began if self._tone.began.seconds_since(self._since) > _TALK_FIRST_S else began
        if began is not None and not self._over:
            self._over = True
            return [SoundReport(Heard.FAR_END_GONE, began)]
        last = self._last_loud or self._since
        if not loud and at.seconds_since(last) >= (_LAID_S if self._over else self._timing.silence_s):
            return [self._put_back(last)]
        return []

    def _put_back(self, at: Instant) -> SoundReport:
        self._off_hook = self._over = False
        self._since = self._last_loud = None
        self._recent.clear()
        return SoundReport(Heard.ON_HOOK, at)


class _ToneCadence:
    """One tone on and off, on and off, all alike; or on and on."""

    def __init__(self) -> None:
        self.began: Instant | None = None
        """Of the tone that is on now."""
        self.steady_s = 0.0
        self._pitch = 0.0
        self._ended: Instant | None = None
        self._misses = 0
        self._cycles: deque[tuple[Instant, float, float]] = deque(maxlen=_CYCLES)

    def feed(self, tone: float | None, at: Instant) -> Instant | None:
        """The moment the first of enough equal cycles began, once there are enough."""
        if tone is not None and self.began is None:
            return self._starts(tone, at)
        if tone is None and self.began is not None:
            self._ended, self.steady_s = at, 0.0
            self._pending, self.began = self.began, None
        elif tone is not None and self.began is not None:
            if abs(tone - self._pitch) > _SAME_HZ:
                self._cycles.clear()
                self.began, self._pitch = at, tone
            self.steady_s = at.seconds_since(self.began)
        return None

    def _starts(self, tone: float, at: Instant) -> Instant | None:
        if self._ended is not None:
            on_s, off_s = self._ended.seconds_since(self._pending), at.seconds_since(self._ended)
            alike = abs(tone - self._pitch) <= _SAME_HZ
            fits = all(_PERIOD_S[0] <= s <= _PERIOD_S[1] for s in (on_s, off_s))
            if not alike or not fits:
                self._cycles.clear()
            else:
                self._cycles.append((self._pending, on_s, off_s))
        self.began, self._pitch, self.steady_s, self._ended = at, tone, 0.0, None
        if len(self._cycles) < _CYCLES:
            return None
        ons, offs = [c[1] for c in self._cycles], [c[2] for c in self._cycles]
        equal = all(max(times) - min(times) <= 2.1 * _FRAME_S for times in (ons, offs))
        return self._cycles[0][0] if equal else None


def _within(frequency: NDArray[np.floating[Any]], band: tuple[float, float]) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = (frequency >= band[0]) & (frequency <= band[1])
    return result


def _two_peaks(power: NDArray[np.float64], bins: NDArray[np.int_]) -> NDArray[np.float64]:
    """Energy of the two strongest tones among ``bins``, each with its neighbours."""
    share = np.zeros(len(power))
    left = power.copy()
    rows = np.arange(len(power))
    for _ in range(2):
        best = bins[left[:, bins].argmax(axis=1)]
        for offset in (-2, -1, 0, 1, 2):
            column = best + offset
            share += left[rows, column]
            left[rows, column] = 0.0
    return share
