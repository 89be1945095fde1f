"""The lines only Huawei sticks say (pure). CD = wdoekes/asterisk-chan-dongle at_response.c; MM = ModemManager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from firmware.modem.at_fields import fields_of, number_at
from firmware.modem.at_generic import Parse, rssi_dbm
from firmware.modem.at_simcom import digit
from firmware.modem.at_types import (
    Access,
    AtEvent,
    CallAlerts,
    CallConnected,
    CallOriginated,
    CallReleased,
    ModuleSaid,
    Signal,
    VoiceSupport,
)  # fmt: skip

_MODES: Final = {0: None, 2: "cdma", 3: "gsm", 4: "hdr", 5: "utran", 6: None, 7: "lte", 15: "tdscdma"}
"""^MODE's first value (CD at_response.c, MM); 8 is no service."""


def _numbers(rest: str) -> list[int | None]:
    f = fields_of(rest)
    return [number_at(f, index) for index in range(len(f))]


def _orig(rest: str) -> AtEvent | None:
    match _numbers(rest):
        case [int(index), int(kind), *_]:
            return CallOriginated(index, kind)
    return None


def _conf(rest: str) -> AtEvent | None:
    match _numbers(rest):
        case [int(index), *_]:
            return CallAlerts(index)
    return None


def _conn(rest: str) -> AtEvent | None:
    match _numbers(rest):
        case [int(index), int(kind), *_]:
            return CallConnected(index, kind)
    return None


def _cend(rest: str) -> AtEvent | None:
    """``<id>,<seconds>,<end_status>[,<cause>]``: the cause may be missing or empty, and so may the seconds."""
    match _numbers(rest):
        case [int(index), seconds, int(status), *more] if seconds is None or seconds >= 0:
            return CallReleased(index, seconds, status, more[0] if more else None)
    return None


def _rssi(rest: str) -> AtEvent | None:
    rssi = number_at(fields_of(rest), 0)
    return None if rssi is None else Signal(rssi_dbm(rssi))


def _mode(rest: str) -> AtEvent | None:
    mode = number_at(fields_of(rest), 0)
    return None if mode is None else Access(_MODES.get(mode))


def _cvoice(rest: str) -> AtEvent | None:
    match _numbers(rest):
        case [int(voice), *more]:
            return VoiceSupport(voice == 0, more[0] if more else None)
    return None


def _noise(name: str) -> Parse:
    return lambda rest: ModuleSaid(f"{name}:{rest}")


BY_PREFIX: Final[Mapping[str, Parse]] = {
    "^ORIG": _orig,
    "^CONF": _conf,
    "^CONN": _conn,
    "^CEND": _cend,
    "^DDTMF": digit,
    "^RSSI": _rssi,
    "^MODE": _mode,
    "^CVOICE": _cvoice,
    **{
        name: _noise(name)
        for name in ("^BOOT", "^SRVST", "^SIMST", "^CSNR", "^SMMEMFULL", "^STIN", "^HCSQ", "^DSFLOWRPT")
    },
}

WHOLE: Final[Mapping[str, AtEvent]] = {}
