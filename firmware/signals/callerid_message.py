"""Reads a caller-ID message (SDMF, MDMF) that was received byte by byte; believes nothing that is not well-formed."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from enum import IntEnum

from firmware.model import Presentation


class MessageType(IntEnum):
    """First byte of a message that names a caller (GR-30; ETSI EN 300 659-3). Others are not for us."""

    SDMF = 0x04
    MDMF = 0x80


class Parameter(IntEnum):
    """Parameters of an MDMF message that are read here (GR-30; ETSI EN 300 659-3)."""

    DATE_TIME = 0x01
    NUMBER = 0x02
    DIALLED_NUMBER = 0x03
    NUMBER_ABSENT = 0x04
    NAME = 0x07
    NAME_ABSENT = 0x08


_KNOWN_PARAMETERS = frozenset({*range(0x01, 0x1B), 0x50})
"""Parameters that some exchange sends (EN 300 659-3 table; 0x50: display information)."""

_NUMBER = re.compile(r"[0-9*#+A-D ()-]{1,24}")
_ABSENCE = {"P": Presentation.WITHHELD, "O": Presentation.UNAVAILABLE}


class BadMessageError(ValueError):
    """The bytes are no caller-ID message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdMessage:
    """What a message says. ``number`` is None unless ``presentation`` is ``VALID``."""

    number: str | None = None
    name: str | None = None
    presentation: Presentation = Presentation.UNAVAILABLE
    month_day: tuple[int, int] | None = None
    hour_minute: tuple[int, int] | None = None
    """The exchange's own wall clock; it sends no year."""


def message_length(head: bytes) -> int | None:
    """Bytes of the whole message, checksum included, that begins with ``head`` (two bytes or more); None: not one."""
    if head[0] not in tuple(MessageType):
        return None
    return head[1] + 3


def parse_message(message: bytes) -> CallerIdMessage:
    """Reads one whole message, checksum included.

    Strict on purpose: the checksum has 8 bits only, and the receiver tries many times. Raises `BadMessageError`.
    """
    if len(message) < 3 or len(message) != message[1] + 3:
        raise BadMessageError(f"the length byte does not fit {len(message)} bytes")
    if sum(message) & 0xFF:
        raise BadMessageError("wrong checksum")
    body = message[2:-1]
    match message[0]:
        case MessageType.SDMF:
            return _sdmf(body)
        case MessageType.MDMF:
            return _mdmf(body)
        case kind:
            raise BadMessageError(f"type {kind:#04x} names no caller")


def parameters(body: bytes, known: Container[int]) -> dict[int, bytes]:
    """The parameters of ``body``, each a kind, a length and that many bytes; the first of a kind counts.

    Raises `BadMessageError` when one is not ``known`` or runs over the end.
    """
    values: dict[int, bytes] = {}
    at = 0
    while at < len(body):
        if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
            raise BadMessageError("a parameter runs over the end")
        kind, value = body[at], body[at + 2 : at + 2 + body[at + 1]]
        if kind not in known:
            raise BadMessageError(f"unknown parameter {kind:#04x}")
        values.setdefault(kind, value)
        at += 2 + len(value)
    return values


def _sdmf(body: bytes) -> CallerIdMessage:
    if len(body) < 9:
        raise BadMessageError("SDMF without a number")
    month_day, hour_minute = _date_time(body[:8])
    number, presentation = _number_or_absence(_text(body[8:]))
    return CallerIdMessage(number=number, presentation=presentation, month_day=month_day, hour_minute=hour_minute)


def _mdmf(body: bytes) -> CallerIdMessage:
    values = parameters(body, _KNOWN_PARAMETERS)
    if not {Parameter.NUMBER, Parameter.NUMBER_ABSENT, Parameter.NAME, Parameter.NAME_ABSENT} & values.keys():
        raise BadMessageError("MDMF says nothing about the caller")
    month_day, hour_minute = None, None
    if Parameter.DATE_TIME in values:
        month_day, hour_minute = _date_time(values[Parameter.DATE_TIME])
    number, presentation = None, Presentation.UNAVAILABLE
    if Parameter.NUMBER in values:
        number, presentation = _number_or_absence(_text(values[Parameter.NUMBER]))
    elif Parameter.NUMBER_ABSENT in values:
        presentation = _ABSENCE.get(_text(values[Parameter.NUMBER_ABSENT]), Presentation.UNAVAILABLE)
    name = _text(values[Parameter.NAME]).strip() if Parameter.NAME in values else ""
    return CallerIdMessage(
        number=number,
        name=None if name in ("", "P", "O") else name,
        presentation=presentation,
        month_day=month_day,
        hour_minute=hour_minute,
    )


def _text(raw: bytes) -> str:
    """Printable text. Exchanges outside GR-30 send Latin-1 letters in names."""
    text = raw.decode("latin-1")
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in text):
        raise BadMessageError("control characters in a text")
    return text


def _number_or_absence(text: str) -> tuple[str | None, Presentation]:
    """The digits without decoration, or why there are none."""
    text = text.strip()
    if text in _ABSENCE:
        return None, _ABSENCE[text]
    if not text:
        return None, Presentation.UNAVAILABLE
    if not _NUMBER.fullmatch(text):
        raise BadMessageError("a number with other characters than digits")
    return re.sub(r"[ ()-]", "", text) or None, Presentation.VALID


def _date_time(raw: bytes) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """MMDDHHMM. Exchanges without a clock send zeros: then there is no date."""
    if len(raw) != 8 or not raw.isdigit():
        raise BadMessageError("the date is not eight digits")
    month, day, hour, minute = (int(raw[i : i + 2]) for i in range(0, 8, 2))
    if month > 12 or day > 31 or hour > 24 or minute > 59:
        raise BadMessageError("no such date")
    if not month or not day:
        return None, None
    return (month, day), (hour, minute)
