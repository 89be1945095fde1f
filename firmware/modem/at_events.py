"""Gives AT lines a meaning: each becomes one frozen event; a line nobody knows stays as `Unknown`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from firmware.model import Direction, Presentation


class CallState(IntEnum):
    """``<stat>`` of +CLCC (3GPP TS 27.007 7.18); 6 exists in SIMCom's pushed form only."""

    ACTIVE = 0
    HELD = 1
    DIALING = 2
    ALERTING = 3
    INCOMING = 4
    WAITING = 5
    GONE = 6


@dataclass(frozen=True, slots=True)
class AtEvent:
    """What one line says."""


@dataclass(frozen=True, slots=True)
class Unknown(AtEvent):
    text: str


@dataclass(frozen=True, slots=True)
class Ringing(AtEvent):
    """RING or +CRING; ``bearer`` is the type after +CRING, upper case (``VOICE``)."""

    bearer: str = ""

    @property
    def voice(self) -> bool:
        """False for data and fax calls. ``VOICE/XXX`` and ``ALT VOICE/XXX`` begin as voice."""
        return not self.bearer or "VOICE" in self.bearer


@dataclass(frozen=True, slots=True)
class CallerLine(AtEvent):
    """+CLIP."""

    number: str | None
    presentation: Presentation
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ListedCall(AtEvent):
    """One +CLCC line, of an answer or pushed."""

    index: int
    direction: Direction
    state: CallState
    mode: int
    number: str | None = None
    name: str | None = None

    @property
    def voice(self) -> bool:
        """Modes 1, 2 and 6 to 9 are data, fax, or unknown: EC25 lists its data session as a call."""
        return self.mode in (0, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class VoiceBegin(AtEvent):
    """VOICE CALL: BEGIN (SIMCom): the call is up."""


@dataclass(frozen=True, slots=True)
class VoiceEnd(AtEvent):
    """VOICE CALL: END (SIMCom), with the length of the call where the module tells it."""

    duration_s: int | None = None


@dataclass(frozen=True, slots=True)
class MissedCall(AtEvent):
    """MISSED_CALL (SIMCom): the ringing stopped unanswered. ``clock`` is the module's own time of day, as text."""

    clock: str
    number: str | None


@dataclass(frozen=True, slots=True)
class CallResult(AtEvent):
    """NO CARRIER, BUSY, NO ANSWER, NO DIALTONE."""

    text: str


@dataclass(frozen=True, slots=True)
class CmeError(AtEvent):
    """+CME ERROR / +CMS ERROR: a code, or a text when the module was set to texts (AT+CMEE=2)."""

    code: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Registration(AtEvent):
    """+CREG, +CGREG, +CEREG or +C5GREG. ``domain`` is the command's name without the plus."""

    domain: str
    stat: int

    @property
    def registered(self) -> bool:
        """At home, roaming, or one of both without CSFB (stat 1, 5, 9, 10)."""
        return self.stat in (1, 5, 9, 10)


@dataclass(frozen=True, slots=True)
class Signal(AtEvent):
    """+CSQ. ``dbm`` is -113 to -51, None when not known."""

    dbm: int | None


@dataclass(frozen=True, slots=True)
class SimState(AtEvent):
    """+CPIN: ``READY``, ``SIM PIN``, ``SIM PUK``, ..."""

    state: str


@dataclass(frozen=True, slots=True)
class WaitingCaller(AtEvent):
    """+CCWA, unsolicited: a second caller knocks."""

    number: str | None
    presentation: Presentation


@dataclass(frozen=True, slots=True)
class Booted(AtEvent):
    """RDY: the module (re)started."""


@dataclass(frozen=True, slots=True)
class DigitHeard(AtEvent):
    """The other side pressed ``digit`` (+RXDTMF, +DTMF, +QTONEDET)."""

    digit: str


@dataclass(frozen=True, slots=True)
class PcmPort(AtEvent):
    """+CPCMREG: 1 while sound flows over the audio port."""

    on: bool


def fields_of(text: str) -> list[str]:
    """The comma-separated values of an answer; quotes are taken off and protect commas. Never raises."""
    return [a if quoted else b.strip() for quoted, a, b in _FIELD.findall(text)] if text else []


_FIELD: Final = re.compile(r'(?:^|,)\s*(?:(")([^"]*)"[^,]*|([^,]*))')


def _int(text: str) -> int | None:
    try:
        return int(text, 10) if text.isascii() else None
    except ValueError:
        return None


def _at(fields: list[str], index: int) -> str:
    return fields[index] if index < len(fields) else ""


def international(number: str, type_of_address: str) -> str | None:
    """The number as people dial it: type 145 is international even where the module leaves out the plus."""
    if not number:
        return None
    return "+" + number if type_of_address == "145" and not number.startswith("+") else number


_VALIDITY: Final = {
    "0": Presentation.VALID,
    "1": Presentation.WITHHELD,
    "2": Presentation.UNAVAILABLE,
    "3": Presentation.UNAVAILABLE,
    "4": Presentation.UNAVAILABLE,
}
"""CLI validity of 3GPP TS 27.007 7.11; 3 is a payphone, 4 any other reason."""


def _presentation(number: str | None, validity: str) -> Presentation:
    if number is not None and validity in {"", "0"}:
        return Presentation.VALID
    if number is None and validity in {"", "0"}:
        return Presentation.UNAVAILABLE  # an empty number without a reason: not known to be withheld
    return _VALIDITY.get(validity, Presentation.UNAVAILABLE)


def _clip(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    if len(f) < 2:
        return None  # number and type are always there, if empty
    number = international(_at(f, 0), _at(f, 1))
    return CallerLine(number, _presentation(number, _at(f, 5)), _at(f, 4) or None)


def _ccwa(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    if not rest.startswith('"'):
        return None  # the answer to AT+CCWA?: status and class
    number = international(_at(f, 0), _at(f, 1))
    return WaitingCaller(number, _presentation(number, _at(f, 4)))


def _clcc(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    head = [_int(value) for value in f[:4]]
    if len(head) < 4 or None in head:
        return None
    index, direction, state, mode = (value or 0 for value in head)
    if direction not in (0, 1) or not 0 <= state <= 6:
        return None
    return ListedCall(
        index=index,
        direction=Direction.INCOMING if direction else Direction.OUTGOING,
        state=CallState(state),
        mode=mode,
        number=international(_at(f, 5), _at(f, 6)),
        name=_at(f, 7) or None,
    )


def _registration(domain: str) -> Callable[[str], AtEvent | None]:
    def parse(rest: str) -> AtEvent | None:
        f = fields_of(rest)
        # The answer begins with <n>,<stat>; the unsolicited form with <stat>, then a quoted or hexadecimal area.
        second_is_stat = len(f) >= 2 and len(f[1]) <= 2 and _int(f[1]) is not None and not _second_quoted(rest)
        stat = _int(f[1]) if second_is_stat else _int(_at(f, 0))
        return None if stat is None else Registration(domain, stat)

    return parse


def _second_quoted(rest: str) -> bool:
    return rest.partition(",")[2].lstrip().startswith('"')


def _csq(rest: str) -> AtEvent | None:
    rssi = _int(_at(fields_of(rest), 0))
    if rssi is None:
        return None
    return Signal(-113 + 2 * rssi if 0 <= rssi <= 31 else None)


def _cpin(rest: str) -> AtEvent | None:
    return SimState(rest.strip().strip('"'))


def _cme(rest: str) -> AtEvent | None:
    return CmeError(_int(rest), rest)


def _cring(rest: str) -> AtEvent | None:
    return Ringing(rest.upper())


def _voice_end(rest: str) -> AtEvent | None:
    match = re.fullmatch(r"(\d{2,})(\d\d)(\d\d)", rest, re.ASCII)
    if match is None:
        return VoiceEnd()
    hours, minutes, seconds = (int(part) for part in match.groups())
    return VoiceEnd(hours * 3600 + minutes * 60 + seconds)


def _missed(rest: str) -> AtEvent | None:
    clock, _, number = rest.partition(" ")
    return MissedCall(clock, number.strip() or None)


def _digit(rest: str) -> AtEvent | None:
    digit = _at(fields_of(rest), 0)
    return DigitHeard(digit) if len(digit) == 1 and digit in "0123456789*#ABCD" else None


def _cpcmreg(rest: str) -> AtEvent | None:
    value = _int(_at(fields_of(rest), 0))
    return None if value is None else PcmPort(value == 1)


_BY_PREFIX: Final[tuple[tuple[str, Callable[[str], AtEvent | None]], ...]] = (
    ("+CLIP:", _clip),
    ("+CLCC:", _clcc),
    ("+CRING:", _cring),
    ("+CCWA:", _ccwa),
    ("+CREG:", _registration("CREG")),
    ("+CGREG:", _registration("CGREG")),
    ("+CEREG:", _registration("CEREG")),
    ("+C5GREG:", _registration("C5GREG")),
    ("+CSQ:", _csq),
    ("+CPIN:", _cpin),
    ("+CME ERROR:", _cme),
    ("+CMS ERROR:", _cme),
    ("+RXDTMF:", _digit),
    ("+DTMF:", _digit),
    ("+CPCMREG:", _cpcmreg),
    ("VOICE CALL: END:", _voice_end),
    ("MISSED_CALL:", _missed),
)

_WHOLE: Final[dict[str, AtEvent]] = {
    "RING": Ringing(),
    "RDY": Booted(),
    "VOICE CALL: BEGIN": VoiceBegin(),
    "VOICE CALL: END": VoiceEnd(),
    **{text: CallResult(text) for text in ("NO CARRIER", "BUSY", "NO ANSWER", "NO DIALTONE", "NO DIAL TONE")},
}


def parse_line(text: str) -> AtEvent:
    """The meaning of one line. Never raises: what does not parse is `Unknown` with its text."""
    whole = _WHOLE.get(text)
    if whole is not None:
        return whole
    for prefix, parse in _BY_PREFIX:
        if text.startswith(prefix):
            return parse(text[len(prefix) :].strip()) or Unknown(text)
    return Unknown(text)
