"""Reads the caller-ID frame of Japan's exchanges (Number Display) that was received byte by byte.

Seven data bits and even parity in each byte; DLE SOH, header, DLE STX, 40h, length, parameters, DLE ETX, and a CRC-16
(polynomial of ITU-T V.41, LSB first) over all from the header to ETX, parity bits included. As independent receivers
read it: Asterisk (callerid.c) and spandsp (adsi.c, JCLIP); NTT's own reference was not at hand.
"""

from __future__ import annotations

from enum import IntEnum

from firmware.model import Presentation
from firmware.signals.callerid_message import BadMessageError, CallerIdMessage, parameters

_SOH, _STX, _ETX, _HEADER, _DLE = 0x01, 0x02, 0x03, 0x07, 0x10
_CALL_SETUP = 0x40
_HEAD = bytes([_DLE | 0x80, _SOH | 0x80])
"""With their parity bits."""
_LONGEST = 160
"""The length has seven bits."""
_OVERHEAD = 11
"""DLE SOH header DLE STX type length ... DLE ETX CRC CRC."""


class _Parameter(IntEnum):
    NUMBER = 0x02
    NUMBER_ABSENT = 0x04
    NAME = 0x07
    DIALLED_NUMBER = 0x09
    NUMBER_KIND = 0x21
    DIALLED_NUMBER_KIND = 0x22


_KNOWN = frozenset({*range(0x01, 0x10), *range(0x20, 0x28)})
_ABSENCE = {
    "P": Presentation.WITHHELD,
    "C": Presentation.UNAVAILABLE,  # a public telephone
    "O": Presentation.UNAVAILABLE,
    "S": Presentation.UNAVAILABLE,
}


def frame_goes_on(raw: bytes) -> bool | None:
    """Whether more bytes belong to the frame that begins with ``raw``; None: it begins like no frame."""
    if raw != _HEAD[: len(raw)] and not raw.startswith(_HEAD):
        return None
    if len(raw) >= _LONGEST:
        return None
    ends = _etx(raw)
    return ends is None or len(raw) < ends + 2


def parse_frame(raw: bytes) -> CallerIdMessage:
    """Reads one whole frame. Raises `BadMessageError`."""
    ends = _etx(raw)
    if not raw.startswith(_HEAD) or ends is None or len(raw) != ends + 2:
        raise BadMessageError("not a whole frame")
    if crc16(raw[len(_HEAD) :]):
        raise BadMessageError("wrong CRC")
    if any(byte.bit_count() % 2 for byte in raw[:ends]):
        raise BadMessageError("wrong parity")
    plain = bytes(byte & 0x7F for byte in raw[:ends])
    if plain[2:6] != bytes([_HEADER, _DLE, _STX, _CALL_SETUP]):
        raise BadMessageError("a frame that names no caller")
    length, content = plain[6], plain[7:-2]
    if length != len(content):
        content = _unstuffed(content)
    if length != len(content):
        raise BadMessageError("the length does not fit the frame")
    return _content(content)


def crc16(data: bytes) -> int:
    """0 for bytes that end with their CRC (low byte first)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc


def _etx(raw: bytes) -> int | None:
    """Where the frame's DLE ETX ends. A DLE among the parameters may be doubled, or be part of the length's span."""
    if len(raw) < _OVERHEAD - 2:
        return None
    by_length = 7 + (raw[6] & 0x7F)
    at = 7
    while at + 1 < len(raw):
        if raw[at] & 0x7F == _DLE:
            follows = raw[at + 1] & 0x7F
            if follows == _ETX and at >= by_length:
                return at + 2
            if follows == _DLE:
                at += 1
        at += 1
    return None


def _unstuffed(content: bytes) -> bytes:
    doubled = bytes([_DLE, _DLE])
    return content.replace(doubled, bytes([_DLE]))


def _content(content: bytes) -> CallerIdMessage:
    values = parameters(content, _KNOWN)
    name = _printable(values.get(_Parameter.NAME, b""))
    if _Parameter.NUMBER in values:
        number = values[_Parameter.NUMBER].decode("ascii")
        if not 1 <= len(number) <= 32 or not set(number) <= set("0123456789*#"):
            raise BadMessageError("a number with other characters than digits")
        return CallerIdMessage(number=number, name=name, presentation=Presentation.VALID)
    if _Parameter.NUMBER_ABSENT in values:
        reason = values[_Parameter.NUMBER_ABSENT].decode("ascii")
        if reason not in _ABSENCE:
            raise BadMessageError("no such reason for a missing number")
        return CallerIdMessage(name=name, presentation=_ABSENCE[reason])
    raise BadMessageError("the frame says nothing about the caller")


def _printable(value: bytes) -> str | None:
    """Names in Japanese letters are not read: how they are written is not known here."""
    text = value.decode("ascii").strip()
    return text if text and text.isprintable() else None
