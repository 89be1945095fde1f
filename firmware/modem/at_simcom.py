"""The lines only SIMCom modules say (pure). S76, MM, RQ, SL: see dialects/sim7600.toml and sim800.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from firmware.modem.at_fields import at, fields_of, number_at
from firmware.modem.at_generic import Parse
from firmware.modem.at_types import Access, AtEvent, DigitHeard, MissedCall, ModuleSaid, PcmPort, VoiceBegin, VoiceEnd

DIGITS: Final = "0123456789*#ABCD"

_CNSMOD: Final = {
    0: None, 1: "gsm", 2: "gprs", 3: "egprs", 4: "utran", 5: "hsdpa", 6: "hsupa", 7: "hspa", 8: "lte",
}  # fmt: skip
"""S76 4.2 AT+CNSMOD."""


def _voice_call(rest: str) -> AtEvent | None:
    word, _, length = rest.partition(":")
    if word.strip() == "BEGIN" and not length:
        return VoiceBegin()
    if word.strip() != "END":
        return None
    match = re.fullmatch(r"\s*(\d{2,9})(\d\d)(\d\d)", length, re.ASCII)
    if match is None:
        return VoiceEnd()
    hours, minutes, seconds = (int(part) for part in match.groups())
    return VoiceEnd(hours * 3600 + minutes * 60 + seconds)


def _missed(rest: str) -> AtEvent | None:
    clock, _, number = rest.partition(" ")
    return MissedCall(clock, number.strip() or None)


def digit(rest: str) -> AtEvent | None:
    """``8`` or, on SIM800, ``1,40``: digit and milliseconds (SL)."""
    f = fields_of(rest)
    said = at(f, 0)
    return DigitHeard(said, number_at(f, 1)) if len(said) == 1 and said in DIGITS else None


def _cpcmreg(rest: str) -> AtEvent | None:
    value = number_at(fields_of(rest), 0)
    return None if value is None else PcmPort(value == 1)


def _cnsmod(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    mode = number_at(f, 1) if len(f) > 1 else number_at(f, 0)  # the answer begins with <n>
    return Access(_CNSMOD[mode]) if mode in _CNSMOD else None


BY_PREFIX: Final[Mapping[str, Parse]] = {
    "VOICE CALL": _voice_call,
    "MISSED_CALL": _missed,
    "+RXDTMF": digit,
    "+DTMF": digit,
    "+CPCMREG": _cpcmreg,
    "+CNSMOD": _cnsmod,
}

WHOLE: Final[Mapping[str, AtEvent]] = {
    text: ModuleSaid(text) for text in ("SMS DONE", "PB DONE", "SMS Ready", "Call Ready", "START")
}
