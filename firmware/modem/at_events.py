"""Gives AT lines a meaning: each becomes one frozen event; a line nobody knows stays as `Unknown`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from firmware.modem import at_generic, at_huawei, at_quectel, at_simcom
from firmware.modem.at_fields import fields_of, international
from firmware.modem.at_generic import Parse
from firmware.modem.at_types import (
    Access,
    AtEvent,
    Booted,
    CallAlerts,
    CallConnected,
    CallerLine,
    CallOriginated,
    CallReleased,
    CallResult,
    CallState,
    CmeError,
    DigitHeard,
    ExtendedSignal,
    ImsState,
    ListedCall,
    Message,
    MissedCall,
    ModuleSaid,
    NetworkTime,
    Operator,
    PcmPort,
    PushedCall,
    Registration,
    Ringing,
    Signal,
    SimInserted,
    SimState,
    Unknown,
    Ussd,
    VoiceBegin,
    VoiceEnd,
    VoiceSupport,
    WaitingCaller,
)  # fmt: skip

__all__ = [
    "BRANDS", "Access", "AtEvent", "Booted", "CallAlerts", "CallConnected", "CallOriginated", "CallReleased",
    "CallResult", "CallState", "CallerLine", "CmeError", "DigitHeard", "ExtendedSignal", "ImsState", "ListedCall",
    "Message", "MissedCall", "ModuleSaid", "NetworkTime", "Operator", "PcmPort", "PushedCall", "Registration",
    "Ringing", "Signal", "SimInserted", "SimState", "Unknown", "Ussd", "VoiceBegin", "VoiceEnd", "VoiceSupport",
    "WaitingCaller", "fields_of", "international", "parse_line",
]  # fmt: skip

_SIMCOM: Final = (at_simcom.BY_PREFIX, at_simcom.WHOLE)
_QUECTEL: Final = (at_quectel.BY_PREFIX, at_quectel.WHOLE)
_HUAWEI: Final = (at_huawei.BY_PREFIX, at_huawei.WHOLE)
_VENDORS: Final[Mapping[str, tuple[Mapping[str, Parse], Mapping[str, AtEvent]]]] = {
    "simcom": _SIMCOM,
    "quectel": _QUECTEL,
    "huawei": _HUAWEI,
    "generic": ({}, {}),
}
BRANDS: Final = tuple(_VENDORS)
"""Whose words can be told apart."""

_BY_PREFIX: Final[Mapping[str | None, Mapping[str, Parse]]] = {
    None: {**at_generic.BY_PREFIX, **_SIMCOM[0], **_QUECTEL[0], **_HUAWEI[0]},
    **{brand: {**at_generic.BY_PREFIX, **words[0]} for brand, words in _VENDORS.items()},
}
_WHOLE: Final[Mapping[str | None, Mapping[str, AtEvent]]] = {
    None: {**at_generic.WHOLE, **_SIMCOM[1], **_QUECTEL[1], **_HUAWEI[1]},
    **{brand: {**at_generic.WHOLE, **words[1]} for brand, words in _VENDORS.items()},
}


def parse_line(text: str, brand: str | None = None) -> AtEvent:
    """The meaning of one line. Never raises: what does not parse is `Unknown` with its text.

    The vendors' words do not collide, so all are understood whatever the module is; with ``brand`` (one of `BRANDS`)
    only that vendor's.
    """
    whole = _WHOLE[brand].get(text)
    if whole is not None:
        return whole
    prefix, colon, rest = text.partition(":")
    parse = _BY_PREFIX[brand].get(prefix) if colon else None
    return (parse(rest.strip()) if parse is not None else None) or Unknown(text)
