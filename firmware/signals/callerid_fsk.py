"""Finds a caller-ID message in the sound of a line: Bell 202 and V.23 FSK, 1200 Bd, by trying many receivers at once.

One receiver with a fixed slicer fails on real lines (tilt, clipping, a shifted level); the checksum and the strict
parser tell which of the tries was right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware.signals.callerid_message import (
    BadMessageError,
    CallerIdMessage,
    MessageType,
    message_length,
    parse_message,
)
from firmware.signals.callerid_ntt import frame_goes_on, parse_frame
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


def _message_goes_on(raw: bytes) -> bool | None:
    length = message_length(raw if len(raw) > 1 else bytes((raw[0], 0)))
    return None if length is None else len(raw) < max(2, length)


@dataclass(frozen=True, slots=True)
class _Framing:
    """How bytes make a message."""

    tones: dict[CallerIdStandard, tuple[float, float]]
    goes_on: Callable[[bytes], bool | None]
    """Whether more bytes follow these; None: they begin no message."""
    parse: Callable[[bytes], CallerIdMessage]


_MESSAGES = _Framing(_TONES, _message_goes_on, parse_message)
_FRAMES = _Framing({CallerIdStandard.NTT: _TONES[CallerIdStandard.V23]}, frame_goes_on, parse_frame)


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
    def format(self) -> str:
        """``SDMF``, ``MDMF``, or ``NTT``."""
        return _format(self.raw, self.standard)

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

    @property
    def format(self) -> str:
        """``SDMF``, ``MDMF``, or ``NTT``."""
        return _format(self.raw, self.standard)


def _format(raw: bytes, standard: CallerIdStandard) -> str:
    return "NTT" if standard is CallerIdStandard.NTT else MessageType(raw[0]).name


@dataclass(frozen=True, slots=True)
class _Try:
    raw: bytes
    began: int
    ended: int
    standard: CallerIdStandard
    message: CallerIdMessage | None
    wrong: str = ""
    """Why it is no message."""


def find_message(
    pcm: NDArray[np.int16], rate_hz: int, rejected: list[RejectedMessage] | None = None, *, ntt: bool = False
) -> FskMessage | None:
    """The caller-ID message in ``pcm``; None when there is none: then ``rejected`` gets what came nearest to one.

    ``ntt``: as Japan's exchanges send it, and in no other form.

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
    framing = _FRAMES if ntt else _MESSAGES
    for (standard, (mark_hz, space_hz)), window in product(framing.tones.items(), _WINDOWS_BITS):
        slope, power = _discriminate(sound, rate, mark_hz, space_hz, window)
        loud = float(np.percentile(power, 95))
        if loud < 1.0:  # below one step of 16 bits: silence
            continue
        level = slope / np.maximum(power, loud * 1e-3)
        for slicer in _SLICERS:
            for found in _messages(level > slicer, power, loud, rate, (standard, framing)):
                if found.message is None:
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
        reason=one.wrong,
        began=one.began // factor,
        ended=one.ended // factor,
        standard=one.standard,
    )


def _told(votes: list[_Try], factor: int) -> FskMessage:
    first = votes[0]
    assert first.message is not None
    return FskMessage(
        message=first.message,
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
    bits: NDArray[np.bool_], power: Floats, loud: float, rate: float, how: tuple[CallerIdStandard, _Framing]
) -> Iterator[_Try]:
    """Every row of bytes that starts after a stretch of mark and is as long as it says; not all are messages."""
    standard, framing = how
    bit = rate / _BAUD
    lead = int(bit * _MARK_BITS)
    edges = np.flatnonzero(bits[:-1] & ~bits[1:]) + 1
    edges = edges[(edges >= lead) & (edges < len(bits) - int(bit * 32))]
    ones = np.concatenate([[0], np.cumsum(bits)])
    edges = edges[ones[edges] - ones[edges - lead] >= lead * 0.97]
    energy = np.concatenate([[0.0], np.cumsum(power)])
    edges = edges[energy[edges] - energy[edges - lead] >= loud * 0.1 * lead]
    for edge in edges:
        read = _read_message(bits, int(edge), bit, framing.goes_on)
        if read is None:
            continue
        raw, ended = read
        try:
            yield _Try(raw, int(edge), ended, standard, framing.parse(raw))
        except BadMessageError as error:
            yield _Try(raw, int(edge), ended, standard, None, str(error))


def _read_message(
    bits: NDArray[np.bool_], start: int, bit: float, goes_on: Callable[[bytes], bool | None]
) -> tuple[bytes, int] | None:
    """Bytes of 8N1 from the start bit at ``start`` on, as many as belong to the message, and where they end."""
    raw = bytearray()
    centres = bit * (np.arange(10) + 0.5)
    at = float(start)
    while True:
        places = (at + centres).astype(np.int64)
        if places[-1] >= len(bits):
            return None
        values = bits[places]
        if values[0] or not values[9]:
            return None
        raw.append(int(np.packbits(values[1:9][::-1])[0]))
        match goes_on(bytes(raw)):
            case None:
                return None
            case False:
                return bytes(raw), min(len(bits), int(places[-1] + bit))
        # The sender may put up to ten mark bits between bytes: the next start bit is the next fall to space.
        search = int(at + bit * 9.5)
        falls = np.flatnonzero(~bits[search : search + int(bit * 12)])
        if len(falls) == 0:
            return None
        at = float(search + falls[0])
