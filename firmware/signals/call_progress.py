"""What tones and voices say of a call: the far end rings, answers, is busy, has hung up. An estimate from sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from firmware.signals.countries import CountryProfile, Disconnect, ToneName
from firmware.signals.tones import HeardTone, ToneDetector

_VOICE_RMS = 130.0
"""-42 dBm0 in steps of 16 bits."""
_VOICE_S = 0.6
"""So much sound that is no tone after the last ringback is somebody who answered."""
_AFTER_RINGBACK_S = 0.8
"""Longer than a whole cycle of the ringback it must be away: its next burst is known when it has ended."""
_FRAME_S = 0.1


class Progress(StrEnum):
    ALERTING = "alerting"
    ANSWERED = "answered"
    BUSY = "busy"
    FAILED = "failed"
    """Congestion: the network has no way."""
    FAR_END_GONE = "far_end_gone"
    SILENT = "silent"
    """Nothing was heard for so long that the far end must have gone."""


@dataclass(frozen=True, slots=True)
class ProgressReport:
    what: Progress
    at: int
    """Sample, since the start, at which it began."""


class CallProgress:
    """Feed it the sound of a call in order. ``outgoing``: it has not been answered yet, as far as is known."""

    def __init__(
        self, rate_hz: int, country: CountryProfile, *, outgoing: bool, silence_s: float | None = None
    ) -> None:
        """``silence_s``: after so long without any sound the far end has gone; None: silence ends nothing."""
        self._rate_hz = rate_hz
        self._tones = ToneDetector(rate_hz, country)
        self._outgoing = outgoing
        self._dial_tone_ends = Disconnect.DIAL_TONE in country.disconnect
        cycles_s = [sum(t.cadence.ms) / 1000 for t in country.tone(ToneName.RINGBACK)]
        self._ringback_away = round((max(cycles_s, default=6.0) + _AFTER_RINGBACK_S) * rate_hz)
        self._frame = round(_FRAME_S * rate_hz)
        self._rest = np.empty(0, dtype=np.int16)
        self._at = 0
        self._alerted = False
        self._voice: list[int] = []
        """Where, after the last ringback, there was sound."""
        self._over = False
        self._silence = None if silence_s is None else round(silence_s * rate_hz)
        self._last_sound = 0

    def feed(self, pcm: NDArray[np.int16]) -> list[ProgressReport]:
        """What this sound made certain; nothing more once the call is over."""
        if self._over:
            return []
        reports = [r for tone in self._tones.feed(pcm) for r in self._tone(tone)]
        if self._outgoing and self._alerted:
            reports += self._voices(pcm)
        else:
            self._at += len(pcm)
        return reports if self._over or self._silence is None else [*reports, *self._silent(pcm)]

    def _silent(self, pcm: NDArray[np.int16]) -> Sequence[ProgressReport]:
        if len(pcm) and float(pcm.std()) >= _VOICE_RMS:
            self._last_sound = self._at
        assert self._silence is not None
        if self._at - self._last_sound < self._silence:
            return ()
        self._over = True
        return [ProgressReport(Progress.SILENT, self._last_sound)]

    def _tone(self, tone: HeardTone) -> Sequence[ProgressReport]:
        if tone.name is ToneName.RINGBACK and self._outgoing and not self._alerted:
            self._alerted = True
            return [ProgressReport(Progress.ALERTING, tone.began)]
        ends = tone.name in (ToneName.BUSY, ToneName.CONGESTION)
        ends |= tone.name is ToneName.DIAL and self._dial_tone_ends and not self._outgoing
        if not tone.lasting or not ends:
            return ()
        self._over = True
        what = Progress.FAR_END_GONE
        if self._outgoing and not self._alerted:
            what = Progress.BUSY if tone.name is ToneName.BUSY else Progress.FAILED
        return [ProgressReport(what, tone.began)]

    def _voices(self, pcm: NDArray[np.int16]) -> list[ProgressReport]:
        """Sound since the ringback stayed away, that is no other tone: somebody answered when it began."""
        sound = np.concatenate([self._rest, pcm])
        start = self._at - len(self._rest)
        count = len(sound) // self._frame
        frames = sound[: count * self._frame].reshape(count, self._frame).astype(np.float64)
        rms = frames.std(axis=1)
        self._voice += [start + int(i) * self._frame for i in np.flatnonzero(rms >= _VOICE_RMS)]
        self._rest = sound[count * self._frame :]
        self._at += len(pcm)
        last = self._tones.last_heard
        ringback = last.get(ToneName.RINGBACK, 0)
        self._voice = [at for at in self._voice if at > ringback + self._frame]
        known = max((at for name, at in last.items() if name is not ToneName.RINGBACK), default=0)
        if self._at - ringback < self._ringback_away or known > ringback:
            return []
        if len(self._voice) * _FRAME_S < _VOICE_S:
            return []
        self._outgoing = False
        return [ProgressReport(Progress.ANSWERED, self._voice[0])]
