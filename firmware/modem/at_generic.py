"""The lines of 3GPP TS 27.007 and ITU-T V.250, as every module says them (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from firmware.model import Direction
from firmware.modem.at_fields import (
    at,
    fields_of,
    international,
    number_at,
    plain_number,
    presentation,
    readable,
    whole_number,
)
from firmware.modem.at_types import (
    AtEvent,
    Booted,
    CallerLine,
    CallResult,
    CallState,
    CmeError,
    ExtendedSignal,
    ListedCall,
    Message,
    NetworkTime,
    Operator,
    Registration,
    Ringing,
    Signal,
    SimState,
    Ussd,
    WaitingCaller,
)  # fmt: skip

Parse = Callable[[str], AtEvent | None]
"""Takes what follows the colon; None when it is not what it should be."""

_MOST_STAT: Final = 11
_MOST_ACCESS: Final = 15


def _clip(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    if len(f) < 2:
        return None  # number and type are always there, if empty
    number = international(plain_number(at(f, 0)), at(f, 1))
    validity = number_at(f, 5)
    return CallerLine(number, presentation(number, validity), readable(at(f, 4)), validity)


def _ccwa(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    if not rest.startswith('"'):
        return None  # the answer to AT+CCWA?: status and class
    number = international(plain_number(at(f, 0)), at(f, 1))
    validity = number_at(f, 4)
    return WaitingCaller(number, presentation(number, validity), validity)


def _clcc(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    head = [whole_number(value) for value in f[:4]]
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
        number=international(plain_number(at(f, 5)), at(f, 6)),
        name=readable(at(f, 7)),
        validity=number_at(f, 9),
        multiparty=at(f, 4) == "1",
    )


def _registration(domain: str) -> Parse:
    def parse(rest: str) -> AtEvent | None:
        f = fields_of(rest)
        # The answer begins with <n>,<stat>; what comes by itself with <stat>, then a quoted or hexadecimal area.
        second = number_at(f, 1) if len(at(f, 1)) <= 3 and not _second_quoted(rest) else None
        is_answer = second is not None and second <= _MOST_STAT
        stat = second if is_answer else number_at(f, 0)
        if stat is None or not 0 <= stat <= _MOST_STAT:
            return None
        place = f[2:] if is_answer else f[1:]
        with_routing_area = domain == "CEREG" and len(place) == 4 and number_at(place, 3) is not None
        if with_routing_area:  # Huawei and Sierra put a routing area code between area and cell
            place = [place[0], *place[2:]]
        access = number_at(place, 2)
        return Registration(
            domain,
            stat,
            report=number_at(f, 0) if is_answer else None,
            area=at(place, 0) or None,
            cell=at(place, 1) or None,
            access=access if access is not None and 0 <= access <= _MOST_ACCESS else None,
        )

    return parse


def _second_quoted(rest: str) -> bool:
    return rest.partition(",")[2].lstrip().startswith('"')


def rssi_dbm(rssi: int | None) -> int | None:
    """dBm of the 0 to 31 of +CSQ (3GPP TS 27.007 8.5); None for 99 and what is out of range."""
    return -113 + 2 * rssi if rssi is not None and 0 <= rssi <= 31 else None


def _csq(rest: str) -> AtEvent | None:
    rssi = number_at(fields_of(rest), 0)
    return None if rssi is None else Signal(rssi_dbm(rssi))


def _cesq(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    values = [number_at(f, index) for index in range(6)]
    if len(f) < 6 or None in values:
        return None
    rxlev, _, rscp, ecno, rsrq, rsrp = (value if value is not None else 255 for value in values)
    return ExtendedSignal(
        rxlev_dbm=-111 + rxlev if rxlev <= 63 else None,
        rscp_dbm=-121 + rscp if rscp <= 96 else None,
        ecno_db=-24.5 + ecno / 2 if ecno <= 49 else None,
        rsrq_db=-20 + rsrq / 2 if rsrq <= 34 else None,
        rsrp_dbm=-141 + rsrp if rsrp <= 97 else None,
    )


def _cpin(rest: str) -> AtEvent | None:
    return SimState(rest.strip().strip('"'))


def _error(domain: str) -> Parse:
    return lambda rest: CmeError(whole_number(rest), rest, domain)


def _cring(rest: str) -> AtEvent | None:
    return Ringing(rest.upper())


def _cmti(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    index = number_at(f, 1)
    return None if index is None or index < 0 else Message(at(f, 0), index)


def _cusd(rest: str) -> AtEvent | None:
    status = whole_number(rest.partition(",")[0].strip())
    if status is None:
        return None
    quoted = rest.partition(",")[2]
    begin, end = quoted.find('"'), quoted.rfind('"')  # texts may hold quotes of their own
    if begin < 0 or end <= begin:
        return Ussd(status, quoted.strip() or None)
    return Ussd(status, quoted[begin + 1 : end], whole_number(quoted[end + 1 :].strip(" ,")))


def _cclk(rest: str) -> AtEvent | None:
    clock = rest.strip().strip('"')
    sign = max(clock.rfind("+"), clock.rfind("-"))
    if "/" not in clock or ":" not in clock:
        return None
    return NetworkTime(clock[:sign], whole_number(clock[sign:])) if sign > 0 else NetworkTime(clock)


def _cops(rest: str) -> AtEvent | None:
    f = fields_of(rest)
    mode = number_at(f, 0)
    return None if mode is None else Operator(mode, readable(at(f, 2)), number_at(f, 3))


BY_PREFIX: Final[Mapping[str, Parse]] = {
    "+CLIP": _clip,
    "+CLCC": _clcc,
    "+CRING": _cring,
    "+CCWA": _ccwa,
    "+CREG": _registration("CREG"),
    "+CGREG": _registration("CGREG"),
    "+CEREG": _registration("CEREG"),
    "+C5GREG": _registration("C5GREG"),
    "+CSQ": _csq,
    "+CESQ": _cesq,
    "+CPIN": _cpin,
    "+CME ERROR": _error("CME"),
    "+CMS ERROR": _error("CMS"),
    "+CMTI": _cmti,
    "+CUSD": _cusd,
    "+CCLK": _cclk,
    "+COPS": _cops,
}

WHOLE: Final[Mapping[str, AtEvent]] = {
    "RING": Ringing(),
    "RDY": Booted(),
    **{text: CallResult(text) for text in ("NO CARRIER", "BUSY", "NO ANSWER", "NO DIALTONE", "NO DIAL TONE")},
}
