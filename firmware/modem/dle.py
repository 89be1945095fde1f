"""The voice modem's byte stream: text, sound and DLE events in one (ITU-T V.253; sans-IO), and its 8-bit sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

DLE: Final = 0x10
_ETX, _SUB = 0x03, 0x1A
_CONNECT: Final = b"CONNECT\r\n"
END: Final = bytes((DLE, _ETX))
"""Ends sound that is sent to the modem; the modem ends its own with it."""
STOP: Final = bytes((DLE, ord("!")))
"""Asks the modem to stop sending sound; it answers with `END`."""


@dataclass(frozen=True, slots=True)
class Text:
    """Bytes of the conversation in AT commands."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Sound:
    """8-bit unsigned samples."""

    data: bytes


@dataclass(frozen=True, slots=True)
class DleEvent:
    """What the modem shields with DLE: ``R`` ring, ``b`` busy, ``d`` dial tone, ``P`` extension lifted, digits ..."""

    code: str


@dataclass(frozen=True, slots=True)
class SoundEnded:
    """The modem's sound is over; what follows is text."""


Piece = Text | Sound | DleEvent | SoundEnded


class DleReader:
    """Feed it what the modem sends. After `expect_sound` the first line that says CONNECT is the last one of text."""

    def __init__(self) -> None:
        self._in_sound = False
        self._expected = False
        self._line = b""
        self._after_dle = False

    @property
    def in_sound(self) -> bool:
        return self._in_sound

    def expect_sound(self) -> None:
        self._expected, self._line = True, b""

    def feed(self, data: bytes) -> list[Piece]:
        pieces: list[Piece] = []
        while data:
            if self._after_dle:
                self._after_dle = False
                self._shielded(data[0], pieces)
                data = data[1:]
                continue
            at = data.find(DLE)
            plain, data = (data, b"") if at < 0 else (data[:at], data[at + 1 :])
            if plain:
                rest = self._plain(plain, pieces)
                if rest:
                    data = rest + (bytes((DLE,)) + data if at >= 0 else b"")
                    continue
            self._after_dle = at >= 0
        return pieces

    def _plain(self, data: bytes, pieces: list[Piece]) -> bytes:
        """Takes bytes without a DLE in them; returns those behind CONNECT, which are sound."""
        if self._in_sound:
            pieces.append(Sound(data))
            return b""
        if not self._expected:
            pieces.append(Text(data))
            return b""
        tail = self._line + data
        at = tail.find(_CONNECT)
        if at < 0:
            self._line = tail[-len(_CONNECT) + 1 :]
            pieces.append(Text(data))
            return b""
        behind = at + len(_CONNECT) - len(self._line)
        pieces.append(Text(data[:behind]))
        self._in_sound, self._expected, self._line = True, False, b""
        return data[behind:]

    def _shielded(self, byte: int, pieces: list[Piece]) -> None:
        if not self._in_sound:
            pieces.append(DleEvent(chr(byte)))
        elif byte == DLE:
            pieces.append(Sound(bytes((DLE,))))
        elif byte == _SUB:
            pieces.append(Sound(bytes((DLE, DLE))))
        elif byte == _ETX:
            self._in_sound = False
            pieces.append(SoundEnded())
        else:
            pieces.append(DleEvent(chr(byte)))


def shield(samples: bytes) -> bytes:
    """Samples as they are sent to the modem."""
    return samples.replace(bytes((DLE,)), bytes((DLE, DLE)))


def to_s16(samples: bytes) -> bytes:
    """8-bit unsigned samples as s16le."""
    wide = (np.frombuffer(samples, dtype=np.uint8).astype(np.int16) - 128) << 8
    return wide.astype("<i2").tobytes()


def to_u8(pcm: bytes) -> bytes:
    """s16le as 8-bit unsigned samples."""
    return ((np.frombuffer(pcm, dtype="<i2").astype(np.int32) >> 8) + 128).astype(np.uint8).tobytes()
