"""Looks for a caller-ID message in sound that comes in pieces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firmware.signals.callerid_fsk import FskMessage, RejectedMessage, find_message
from firmware.signals.carrier import CarrierGate, Stretch

_MARGIN_S = 0.1
"""Searched before and after the carrier: its first bits may be too weak for the gate."""
_LONGEST_S = 4.0
"""Longer than the longest message: 300 bits of seizure, 180 of mark, 258 bytes."""


class CallerIdSearch:
    """Feed it the sound in order; positions are samples since its start. It finds one message after the other."""

    def __init__(self, rate_hz: int, *, ntt: bool = False) -> None:
        """``ntt``: for messages as Japan's exchanges send them."""
        self._rate_hz = rate_hz
        self._ntt = ntt
        self._gate = CarrierGate(rate_hz)
        self._sound = np.empty(0, dtype=np.int16)
        self._sound_from = 0
        self._found_until = 0
        self._rejected: list[RejectedMessage] = []

    def feed(self, pcm: NDArray[np.int16]) -> FskMessage | None:
        """The first new message that is whole with this sound."""
        self._sound = np.concatenate([self._sound, pcm])
        found: FskMessage | None = None
        for stretch in self._gate.feed(pcm):
            found = found or self._search(stretch)
        self._forget()
        return found

    def take_rejected(self) -> list[RejectedMessage]:
        """What came in like a message since the last call and was none; a carrier that is over tells of it once."""
        rejected, self._rejected = self._rejected, []
        return rejected

    def _search(self, stretch: Stretch) -> FskMessage | None:
        margin = round(_MARGIN_S * self._rate_hz)
        first = max(stretch.began - margin, self._found_until, self._sound_from)
        piece = self._sound[first - self._sound_from : stretch.ended + margin - self._sound_from]
        rejected: list[RejectedMessage] = []
        message = find_message(piece, self._rate_hz, rejected, ntt=self._ntt)
        if message is None:
            if stretch.over and self._found_until <= stretch.began:
                self._rejected += [replace(r, began=first + r.began, ended=first + r.ended) for r in rejected]
            return None
        self._found_until = first + message.ended
        return replace(message, began=first + message.began, ended=first + message.ended)

    def _forget(self) -> None:
        excess = len(self._sound) - round((_LONGEST_S + 2 * _MARGIN_S) * self._rate_hz)
        if excess > 0:
            self._sound = self._sound[excess:]
            self._sound_from += excess
