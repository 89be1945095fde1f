"""The lines only Quectel modules say (pure). RQ = RoEdAl/asterisk-chan-quectel src/at_parse.c and at_response.c."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from firmware.model import Direction
from firmware.modem.at_fields import at, fields_of, international, number_at, plain_number, readable, whole_number
from firmware.modem.at_generic import Parse, rssi_dbm
from firmware.modem.at_simcom import DIGITS
from firmware.modem.at_types import (
    Access,
    AtEvent,
    CallState,
    DigitHeard,
    ImsState,
    ModuleSaid,
    NetworkTime,
    PcmPort,
    PushedCall,
    Signal,
    SimInserted,
)  # fmt: skip

_RELEASED: Final = -1
_DSCI_STATES: Final = {
    0: CallState.ACTIVE,
    1: CallState.HELD,
    2: CallState.DIALING,
    3: CallState.ACTIVE,
    4: CallState.INCOMING,
    5: CallState.WAITING,
    6: CallState.GONE,
    7: CallState.ALERTING,
}
_ACTS: Final = {
    "GSM": "gsm", "GPRS": "gprs", "EGPRS": "egprs", "WCDMA": "utran", "HSDPA": "hsdpa", "HSUPA": "hsupa",
    "HSPA+": "hspa", "TDSCDMA": "tdscdma", "LTE": "lte", "CDMA": "cdma", "NR5G": "nr",
}  # fmt: skip


def _qind(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    what = at(f, 0).lower()
    if what == "ccinfo":
        return _ccinfo(f[1:])
    if what == "csq":
        rssi = number_at(f, 1)
        return None if rssi is None else Signal(rssi_dbm(rssi))
    if what == "act":
        return Access(_ACTS.get(at(f, 1).upper()))
    return ModuleSaid(f"+QIND: {rest}") if what in {"ring", "smsfull", "pb done", "sms done"} else None


def _ccinfo(f: list[str]) -> AtEvent | None:
    """``<id>,<dir>,<state>,<mode>,<mpty>,<number>,<type>[,<alpha>]``; state -1 is released."""
    state = number_at(f, 2)
    if state is None:
        return None
    return _pushed(f, CallState.GONE if state == _RELEASED else _state(state), mode=3, number=5, name=7)


def _dsci(rest: str) -> AtEvent | None:
    """``<id>,<dir>,<stat>,<type>,<number>,<num_type>``; the number is not quoted, type 1 and up is not voice.

    Other makers put ``<mpty>`` before the number, quote it, and mean the states of +CLCC (6: ended).
    """
    f = fields_of(rest)
    state = number_at(f, 2)
    if state is None:
        return None
    if at(f, 4) in {"0", "1"} and len(f) > 6:
        known = CallState(state) if 0 <= state <= 6 else None
        return _pushed(f, known, mode=3, number=5, name=99)
    return _pushed(f, _DSCI_STATES.get(state), mode=3, number=4, name=99)


def _state(value: int) -> CallState | None:
    return CallState(value) if 0 <= value <= 5 else None


def _pushed(f: list[str], state: CallState | None, *, mode: int, number: int, name: int) -> AtEvent | None:
    index, direction, call_mode = number_at(f, 0), number_at(f, 1), number_at(f, mode)
    if index is None or direction not in (0, 1) or state is None or call_mode is None:
        return None
    return PushedCall(
        index=index,
        direction=Direction.INCOMING if direction else Direction.OUTGOING,
        state=state,
        mode=call_mode,
        number=international(plain_number(at(f, number)), at(f, number + 1)),
        name=readable(at(f, name)),
    )


def _tone(rest: str) -> AtEvent | None:
    """``56`` is ``8``: decimal ASCII."""
    code = number_at(fields_of(rest), 0)
    return DigitHeard(chr(code)) if code is not None and 0 < code < 128 and chr(code) in DIGITS else None


def _qpcmv(rest: str) -> AtEvent | None:
    value = number_at(fields_of(rest), 0)
    return None if value is None else PcmPort(value == 1)


def _qsimstat(rest: str) -> AtEvent | None:
    inserted = number_at(fields_of(rest), 1)
    return None if inserted is None else SimInserted(inserted == 1)


def _qusim(rest: str) -> AtEvent | None:
    value = number_at(fields_of(rest), 0)
    return None if value is None else SimInserted(value == 1)


def _qcfg(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    if at(f, 0).lower() != "ims" or number_at(f, 1) is None:
        return None
    return ImsState(enabled=number_at(f, 1) == 1, ready=number_at(f, 2) == 1)


def _qnwinfo(rest: str) -> AtEvent | None:
    said = at(fields_of(rest), 0)
    name = next(
        (name for word, name in (("LTE", "lte"), ("NR5G", "nr"), ("WCDMA", "utran"), ("GSM", "gsm")) if word in said),
        None,
    )
    return Access(_ACTS.get(said.upper(), name))


def _qlts(rest: str) -> AtEvent | None:
    """``"2000/01/01,00:00:00+00,1"``: time, quarter hours, summer time."""
    match = re.fullmatch(r'"?([\d/]+,[\d:]+)([+-]\d+)?(?:,\d)?"?', rest.strip(), re.ASCII)
    return NetworkTime(match[1], whole_number(match[2] or "")) if match is not None else None


BY_PREFIX: Final[Mapping[str, Parse]] = {
    "+QIND": _qind,
    "^DSCI": _dsci,
    "+QTONEDET": _tone,
    "+QPCMV": _qpcmv,
    "+QSIMSTAT": _qsimstat,
    "+QUSIM": _qusim,
    "+QCFG": _qcfg,
    "+QNWINFO": _qnwinfo,
    "+QLTS": _qlts,
}

WHOLE: Final[Mapping[str, AtEvent]] = {
    text: ModuleSaid(text) for text in ("POWERED DOWN", "NORMAL POWER DOWN", "Call Ready", "SMS Ready")
}
