"""The small change of AT answers: comma-separated values, numbers, UCS2 text, telephone numbers (pure)."""

from __future__ import annotations

import re
from typing import Final

from firmware.model import Presentation

_FIELD: Final = re.compile(r'(?:^|,)\s*(?:(")([^"]*)"[^,]*|([^,]*))')
_UCS2: Final = re.compile(r"(?:[0-9A-Fa-f]{4})+")
_UCS2_NUMBER: Final = re.compile(r"(?:002[3AaBb]|003[0-9]){2,}")

VALIDITY: Final = {
    0: Presentation.VALID,
    1: Presentation.WITHHELD,
    2: Presentation.UNAVAILABLE,
    3: Presentation.UNAVAILABLE,
    4: Presentation.UNAVAILABLE,
}
"""CLI validity of 3GPP TS 27.007 7.11; 3 is a payphone, 4 any other reason."""


def fields_of(text: str) -> list[str]:
    """The comma-separated values of an answer; quotes are taken off and protect commas. Never raises."""
    return [a if quoted else b.strip() for quoted, a, b in _FIELD.findall(text)] if text else []


def whole_number(text: str) -> int | None:
    """``text`` as a decimal number, None when it is none."""
    try:
        return int(text, 10) if text.isascii() and len(text) <= 12 and "_" not in text else None
    except ValueError:
        return None


def at(fields: list[str], index: int) -> str:
    """The field at ``index``; empty when the answer is shorter."""
    return fields[index] if index < len(fields) else ""


def number_at(fields: list[str], index: int) -> int | None:
    return whole_number(at(fields, index))


def international(number: str, type_of_address: str) -> str | None:
    """The number as people dial it: type 145 is international even where the module leaves out the plus."""
    if not number:
        return None
    return "+" + number if type_of_address == "145" and not number.startswith("+") else number


def plain_number(text: str) -> str:
    """A telephone number, also where AT+CSCS="UCS2" made hexadecimal of it."""
    if _UCS2_NUMBER.fullmatch(text):
        return bytes.fromhex(text).decode("utf-16-be")
    return text


def readable(text: str) -> str | None:
    """A name as people read it: hexadecimal UCS2 (AT+CSCS="UCS2") is decoded, plain text stays; None when empty.

    Some firmwares send plain text in spite of UCS2, so only what is valid hexadecimal of whole characters, and decodes
    to printable text, is taken for it; all digits, or four letters, only where they are Chinese characters.
    """
    if not text or not _UCS2.fullmatch(text):
        return text or None
    decoded = bytes.fromhex(text).decode("utf-16-be", "replace")
    doubtful = text.isdigit() or text.isalpha()
    if not decoded.isprintable() or "\ufffd" in decoded or (doubtful and not all(map(_is_chinese, decoded))):
        return text
    return decoded


def _is_chinese(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"


def presentation(number: str | None, validity: int | None) -> Presentation:
    """Whether the number may be shown. An empty one without a reason is not known to be withheld."""
    if validity in {None, 0}:
        return Presentation.VALID if number is not None else Presentation.UNAVAILABLE
    assert validity is not None
    return VALIDITY.get(validity, Presentation.UNAVAILABLE)
