"""Finds a caller-ID message in the sound of a line: Bell 202 and V.23 FSK, 1200 Bd, by trying many receivers at once.

One receiver with a fixed slicer fails on real lines (tilt, clipping, a shifted level); the checksum and the strict
parser tell which of the tries was right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware.signals.callerid_message import BadMessageError, CallerIdMessage, message_length, parse_message
from firmware.signals.countries import CallerIdStandard

Floats = NDArray[np.floating[Any]]

_BAUD = 1200.0
_TONES = {CallerIdStandard.BELL202: (1200.0, 2200.0), CallerIdStandard.V23: (1300.0, 2100.0)}
"""Mark and space, Hz (GR-30; ETSI EN 300 659-1)."""
_WINDOWS_BITS = (1.0, 0.8)
_SLICERS = (0.0, -0.15, 0.15, -0.3, 0.3)
"""Where between space (-1) and mark (+1) a bit changes: a tilted or clipped line moves it."""
_WORKING_RATE_HZ = 32_000
"""27 samples per bit: fine enough to find the middle of one."""
_BAND_HZ = (500.0, 700.0, 2700.0, 3100.0)
"""Edges of the band-pass: hum and the ringing current's harmonics stay below it."""
_MARK_BITS = 8
"""So much mark must come before the first byte; the standards send 80 or more, short ones are heard too."""
_ENOUGH_VOTES = 2
_ENOUGH_TO_REJECT = 4
"""So many receivers must have read the same wrong bytes: then it was a message, and the line spoilt it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FskMessage:
    """A message that was received whole, with a right checksum and a sound structure."""

    message: CallerIdMessage
    raw: bytes
    began: int
    """Sample at which its first byte began."""
    ended: int
    """Sample at which its checksum ended."""
    votes: int
    """How many of the tried receivers agreed before the search ended."""
    standard: CallerIdStandard
    """Of the first receiver that read it; the tones of both standards are near enough for either to hear the other."""

    @property
    def doubtful(self) -> bool:
        """Only one of all receivers read it so."""
        return self.votes < _ENOUGH_VOTES


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedMessage:
    """Bytes that came in like a message, and why they are none."""

    raw: bytes
    reason: str
    began: int
    ended: int
    standard: CallerIdStandard


@dataclass(frozen=True, slots=True)
class _Try:
    raw: bytes
    began: int
    ended: int
    standard: CallerIdStandard
    wrong: str | None
    """Why it is no message; None: it is one."""


def find_message(
    pcm: NDArray[np.int16], rate_hz: int, rejected: list[RejectedMessage] | None = None
) -> FskMessage | None:
    """The caller-ID message in ``pcm``; None when there is none: then ``rejected`` gets what came nearest to one.

    Costs about 40 ms of a desktop's CPU per second of sound, so it is for sound that has a carrier in it
    (`firmware.signals.carrier`), not for everything.
    """
    if len(pcm) < rate_hz // 10:
        return None
    factor = max(1, round(_WORKING_RATE_HZ / rate_hz))
    sound = _clean(pcm.astype(np.float64), rate_hz, factor)
    rate = float(rate_hz * factor)
    tries: dict[bytes, list[_Try]] = {}
    wrong: dict[bytes, list[_Try]] = {}
    for (standard, (mark_hz, space_hz)), window in product(_TONES.items(), _WINDOWS_BITS):
        slope, power = _discriminate(sound, rate, mark_hz, space_hz, window)
        loud = float(np.percentile(power, 95))
        if loud < 1.0:  # below one step of 16 bits: silence
            continue
        level = slope / np.maximum(power, loud * 1e-3)
        for slicer in _SLICERS:
            for found in _messages(level > slicer, power, loud, rate, standard):
                if found.wrong is not None:
                    wrong.setdefault(found.raw, []).append(found)
                    continue
                tries.setdefault(found.raw, []).append(found)
                if len(tries[found.raw]) >= _ENOUGH_VOTES:
                    return _told(tries[found.raw], factor)
    best = max(tries.values(), key=len, default=None)
    if best is not None:
        return _told(best, factor)
    nearest = max(wrong.values(), key=len, default=None)
    if rejected is not None and nearest is not None and len(nearest) >= _ENOUGH_TO_REJECT:
        rejected.append(_not_told(nearest[0], factor))
    return None


def _not_told(one: _Try, factor: int) -> RejectedMessage:
    return RejectedMessage(
        raw=one.raw,
        reason=one.wrong or "",
        began=one.began // factor,
        ended=one.ended // factor,
        standard=one.standard,
    )


def _told(votes: list[_Try], factor: int) -> FskMessage:
    first = votes[0]
    return FskMessage(
        message=parse_message(first.raw),
        raw=first.raw,
        began=first.began // factor,
        ended=first.ended // factor,
        votes=len(votes),
        standard=first.standard,
    )


def _clean(sound: Floats, rate_hz: int, factor: int) -> Floats:
    """Band-pass and raise the sampling rate ``factor`` times, in one pass through the spectrum."""
    count = len(sound)
    padded = 1 << (count - 1).bit_length()
    spectrum = np.fft.rfft(sound - sound.mean(), padded)
    frequency = np.fft.rfftfreq(padded, 1 / rate_hz)
    spectrum *= np.interp(frequency, _BAND_HZ, (0.0, 1.0, 1.0, 0.0))
    wide = np.zeros(padded * factor // 2 + 1, dtype=complex)
    wide[: len(spectrum)] = spectrum
    return np.fft.irfft(wide)[: count * factor] * factor


def _discriminate(
    sound: Floats, rate: float, mark_hz: float, space_hz: float, window_bits: float
) -> tuple[Floats, Floats]:
    """Mark minus space, and mark plus space, in sliding windows; both as amplitudes."""
    width = max(3, round(rate / _BAUD * window_bits))
    turns = np.arange(len(sound)) / rate

    def amplitude(hz: float) -> Floats:
        shifted = sound * np.exp(-2j * np.pi * hz * turns)
        total = np.cumsum(np.concatenate([np.zeros(width), shifted]))
        result: Floats = np.abs(total[width:] - total[:-width]) / width
        return result

    mark, space = amplitude(mark_hz), amplitude(space_hz)
    return mark - space, mark + space


def _messages(
    bits: NDArray[np.bool_], power: Floats, loud: float, rate: float, standard: CallerIdStandard
) -> Iterator[_Try]:
    """Every row of bytes that starts after a stretch of mark and is as long as it says; not all are messages."""
    bit = rate / _BAUD
    lead = int(bit * _MARK_BITS)
    edges = np.flatnonzero(bits[:-1] & ~bits[1:]) + 1
    edges = edges[(edges >= lead) & (edges < len(bits) - int(bit * 32))]
    ones = np.concatenate([[0], np.cumsum(bits)])
    edges = edges[ones[edges] - ones[edges - lead] >= lead * 0.97]
    energy = np.concatenate([[0.0], np.cumsum(power)])
    edges = edges[energy[edges] - energy[edges - lead] >= loud * 0.1 * lead]
    for edge in edges:
        read = _read_message(bits, int(edge), bit)
        if read is None:
            continue
        raw, ended = read
        wrong = None
        try:
            parse_message(raw)
        except BadMessageError as error:
            wrong = str(error)
        yield _Try(raw, int(edge), ended, standard, wrong)


def _read_message(bits: NDArray[np.bool_], start: int, bit: float) -> tuple[bytes, int] | None:
    """Bytes of 8N1 from the start bit at ``start`` on, as many as the second byte says, and where they end."""
    raw = bytearray()
    wanted: int | None = None
    centres = bit * (np.arange(10) + 0.5)
    at = float(start)
    while wanted is None or len(raw) < wanted:
        places = (at + centres).astype(np.int64)
        if places[-1] >= len(bits):
            return None
        values = bits[places]
        if values[0] or not values[9]:
            return None
        raw.append(int(np.packbits(values[1:9][::-1])[0]))
        if len(raw) == 1 and message_length(bytes((raw[0], 0))) is None:
            return None
        if len(raw) == 2:
            wanted = message_length(bytes(raw))
        # The sender may put up to ten mark bits between bytes: the next start bit is the next fall to space.
        search = int(at + bit * 9.5)
        falls = np.flatnonzero(~bits[search : search + int(bit * 12)])
        if len(falls) == 0:
            if wanted is None or len(raw) < wanted:
                return None
            break
        at = float(search + falls[0])
    return bytes(raw), min(len(bits), int(places[-1] + bit))
