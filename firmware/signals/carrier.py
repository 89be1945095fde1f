"""Tells cheaply where in the sound there may be FSK, so that the costly search runs there only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FRAME_S = 0.05
_CARRIER_BAND_HZ = (1000.0, 2400.0)
_VOICE_BAND_HZ = (300.0, 3600.0)
"""Hum and ringing current are below it and do not count."""
_DOMINANCE = 0.65
"""Share of the voice band's energy: FSK at 6 dB SNR has 0.9, white noise 0.42, most vowels less."""
_SILENCE_RMS = 25.0
"""-56 dBm0 in steps of 16 bits; caller ID comes at -40 dBm0 or more."""
_HOLD_FRAMES = 2
_SHORTEST_S = 0.2
"""The shortest message (SDMF of 8 + 1 characters, 80 bits of mark) lasts 0.23 s."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples in which there is something like a carrier."""

    began: int
    ended: int
    over: bool
    """False: it goes on."""


class CarrierGate:
    """Feed it the sound in order; it says where carriers are, in samples since its start."""

    def __init__(self, rate_hz: int, *, look_every_s: float = 1.3) -> None:
        """A carrier that goes on is told of every ``look_every_s`` too: speech may follow without a pause."""
        self._frame = round(rate_hz * _FRAME_S)
        self._look_every = round(look_every_s * rate_hz)
        self._shortest = round(_SHORTEST_S * rate_hz)
        frequency = np.fft.rfftfreq(self._frame, 1 / rate_hz)
        self._carrier = (frequency >= _CARRIER_BAND_HZ[0]) & (frequency <= _CARRIER_BAND_HZ[1])
        self._voice = (frequency >= _VOICE_BAND_HZ[0]) & (frequency <= _VOICE_BAND_HZ[1])
        self._taper = np.hanning(self._frame)
        self._rest = np.empty(0, dtype=np.int16)
        self._at = 0
        self._began: int | None = None
        self._ended = 0
        self._next_look = 0

    def feed(self, pcm: NDArray[np.int16]) -> list[Stretch]:
        sound = np.concatenate([self._rest, pcm])
        count = len(sound) // self._frame
        self._rest = sound[count * self._frame :]
        if count == 0:
            return []
        frames = sound[: count * self._frame].reshape(count, self._frame) * self._taper
        energy = np.abs(np.fft.rfft(frames, axis=1)) ** 2
        voice = energy[:, self._voice].sum(axis=1)
        carrier = energy[:, self._carrier].sum(axis=1)
        # Parseval, for a Hann window: the energy that a steady tone of this RMS has in a frame.
        silence = _SILENCE_RMS**2 * self._frame * float((self._taper**2).sum()) / 2
        hits = (carrier >= _DOMINANCE * voice) & (carrier >= silence)
        told: list[Stretch] = []
        for hit in hits:
            told += self._frame_heard(bool(hit))
        return told

    def _frame_heard(self, hit: bool) -> list[Stretch]:
        began_now, self._at = self._at, self._at + self._frame
        if hit:
            if self._began is None:
                self._began, self._next_look = began_now, began_now + self._look_every
            self._ended = self._at
            if self._at < self._next_look:
                return []
            self._next_look += self._look_every
            return [Stretch(self._began, self._at, over=False)]
        if self._began is None or self._at - self._ended < _HOLD_FRAMES * self._frame:
            return []
        stretch, self._began = Stretch(self._began, self._ended, over=True), None
        return [stretch] if stretch.ended - stretch.began >= self._shortest else []
