"""Reads the records of a Whozz Calling line monitor out of its serial stream (sans-IO).

Formats: CallerID.com, "Whozz Calling? 2, 4, and 8 Line Deluxe Units" product manual, data format and detail mode. One
record is one line: ``01 I S 0000 G A2 09/26 11:28 AM 800-555-1212   AT&T INFORMATIO`` tells of a call, and in detail
mode ``01 R     11/07 17:45:04`` of what the line does: R ring, F off-hook, N on-hook, H hook flash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from firmware.model import Direction, Presentation

LONGEST_RECORD_BYTES: Final = 256
"""The longest one of the manual has 80; what is longer is noise, or another device."""


class Doing(StrEnum):
    """What detail mode tells."""

    RING = "R"
    OFF_HOOK = "F"
    ON_HOOK = "N"
    FLASH = "H"


@dataclass(frozen=True, slots=True)
class Detail:
    """The line ``line`` (as numbered on the monitor) did something. The monitor's own clock is not believed."""

    line: int
    what: Doing


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call began or ended. ``number`` and ``name`` are the caller's, or of an outgoing call what was dialled."""

    line: int
    direction: Direction
    begins: bool
    duration_s: int
    checksum_ok: bool
    number: str | None
    name: str | None
    presentation: Presentation


@dataclass(frozen=True, slots=True)
class Strange:
    """A line that is no record. ``why`` is a phrase for the journal; it never quotes a number."""

    why: str


Record = Detail | CallRecord | Strange

_DETAIL: Final = re.compile(r"(\d\d) ([RFNH]) {1,12}\d\d/\d\d \d\d:\d\d(?::\d\d)?(?: [AP]M)?", re.ASCII)
_CALL: Final = re.compile(
    r"(\d\d) ([IO]) ([SE]) (\d{4}) ([GB]) ([A-Z]\d) [ \d]\d/[ \d]\d [ \d]\d:\d\d [AP]M "
    r"([ -~]{1,14})(?: ([ -~]{1,15}))?",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"\+?[0-9*#]{1,20}", re.ASCII)
_REASONS: Final = {
    "private": Presentation.WITHHELD,
    "out-of-area": Presentation.UNAVAILABLE,
    "unavailable": Presentation.UNAVAILABLE,
}


class RecordReader:
    """Feed it bytes in pieces of any size; it gives whole records, oldest first."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[Record]:
        *lines, rest = re.split(rb"[\r\n]", self._rest + data)
        records: list[Record] = []
        for line in lines:
            if not self._skipping and line.strip():
                records.append(parse(line.decode("latin-1").strip("\0 ")))
            self._skipping = False
        if len(rest) > LONGEST_RECORD_BYTES:
            if not self._skipping:
                records.append(Strange(f"more than {LONGEST_RECORD_BYTES} bytes without an end of line"))
            self._skipping, rest = True, b""
        self._rest = rest
        return records


def parse(text: str) -> Record:
    """One line without its end. Never raises: what is no record is `Strange`."""
    if (detail := _DETAIL.fullmatch(text)) is not None:
        return Detail(int(detail[1]), Doing(detail[2]))
    call = _CALL.fullmatch(text)
    if call is None:
        return Strange(f"a line of {len(text)} characters that is no record")
    checksum_ok = call[5] == "G"
    number, presentation = _number(call[7].strip()) if checksum_ok else (None, Presentation.UNKNOWN)
    return CallRecord(
        line=int(call[1]),
        direction=Direction.INCOMING if call[2] == "I" else Direction.OUTGOING,
        begins=call[3] == "S",
        duration_s=int(call[4]),
        checksum_ok=checksum_ok,
        number=number,
        name=((call[8] or "").strip() or None) if checksum_ok else None,
        presentation=presentation,
    )


def _number(field: str) -> tuple[str | None, Presentation]:
    """The number field without its dashes; words in it say why there is no number."""
    bare = re.sub(r"[-() .]", "", field)
    if _NUMBER.fullmatch(bare):
        return bare, Presentation.VALID
    return None, _REASONS.get(field.lower(), Presentation.UNKNOWN)
