"""What modules say about their SIM, network and messages, line by line (pure; never raises)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from firmware.modem.gsm_text import unpack_7bit
from firmware.sim import Registration

_STATS: Final = {
    0: Registration.OFF, 1: Registration.HOME, 2: Registration.SEARCHING, 3: Registration.DENIED,
    4: Registration.UNKNOWN, 5: Registration.ROAMING, 6: Registration.SMS_ONLY, 7: Registration.SMS_ONLY,
    8: Registration.EMERGENCY_ONLY, 9: Registration.HOME, 10: Registration.ROAMING, 11: Registration.EMERGENCY_ONLY,
}  # fmt: skip
"""3GPP TS 27.007 7.2; 9 and 10 are home and roaming with CSFB not preferred, 11 restricted local services."""

_RADIOS: Final = {0: "gsm", 1: "gsm", 3: "gsm", 2: "umts", 4: "umts", 5: "umts", 6: "umts", 7: "lte", 9: "lte",
                  11: "nr", 13: "lte"}  # fmt: skip
"""<AcT> of +COPS, 3GPP TS 27.007 7.3."""


def registration(stat: int) -> Registration:
    return _STATS.get(stat, Registration.UNKNOWN)


def tries_left(line: str) -> tuple[int | None, int | None]:
    """Tries for PIN and PUK that are left, from whatever the brand calls it; None where it does not tell.

    ``+SPIC: 3,10,0,10`` (SIMCom: pin1, puk1, pin2, puk2), ``+QPINC: "SC",3,10`` (Quectel),
    ``+QTRPIN: 3,3,10,10`` (Quectel M95: pin1, pin2, puk1, puk2),
    ``^CPIN: READY,10,3,10,3`` or ``^CPIN: SIM PIN,3,10,3,10,3`` (Huawei: puk, pin, puk2, pin2 last),
    ``+CPINR: SIM PIN,3,3`` (3GPP TS 27.007 8.65).
    """
    name, _, rest = line.partition(":")
    numbers = [int(n) for n in re.findall(r"(?<![\w\"])\d{1,2}(?!\w)", rest)]
    if name == "+SPIC" and len(numbers) >= 2:
        return numbers[0], numbers[1]
    if name == "+QPINC" and '"SC"' in rest and len(numbers) >= 2:
        return numbers[0], numbers[1]
    if name == "+QTRPIN" and len(numbers) >= 4:
        return numbers[0], numbers[2]
    if name == "^CPIN" and len(numbers) >= 4:
        puk, pin = numbers[-4:-2]
        return pin, puk
    if name == "+CPINR" and numbers:
        return (numbers[0], None) if "PIN" in rest and "PIN2" not in rest else (None, None)
    return None, None


def iccid(line: str) -> str | None:
    """``+ICCID: 8986…``, ``+CCID: "8986…"``, ``+QCCID: 8986…F`` or the bare digits: ITU-T E.118, 18 to 20 digits."""
    found = re.search(r"\b(89\d{16,18})F?\b", line)
    return found[1] if found else None


def imei(line: str) -> str | None:
    found = re.fullmatch(r"(?:\+CGSN:\s*)?\"?(\d{15})\"?", line)
    return found[1] if found else None


def operator(line: str) -> tuple[str | None, str | None] | None:
    """Name and radio of ``+COPS: 0,0,"CHINA MOBILE",7``; hex UCS2 names are decoded. None: another line."""
    found = re.fullmatch(r"\+COPS:\s*\d(?:,\d,\"?([^\",]*)\"?(?:,(\d+))?)?", line)
    if found is None:
        return None
    name = _from_ucs2(found[1]) if found[1] else None
    return name or None, _RADIOS.get(int(found[2])) if found[2] else None


def own_number(line: str) -> str | None:
    """``+CNUM: "name","+8613800138000",145`` (3GPP TS 27.007 7.1)."""
    found = re.fullmatch(r'\+CNUM:\s*(?:"[^"]*")?,"(\+?[\d*#]{3,})",(\d+).*', line)
    if found is None:
        return None
    return "+" + found[1] if found[2] == "145" and not found[1].startswith("+") else found[1]


def ims(line: str) -> bool | None:
    """``+CIREG: 0,1,5`` (3GPP TS 27.007 8.71: bit 1 of ext_info is voice) or ``+QCFG: "ims",1,1`` (Quectel)."""
    found = re.fullmatch(r"\+CIREG:\s*\d,([01])(?:,([0-9A-Fa-f]+))?", line)
    if found is not None:
        return found[1] == "1" and (found[2] is None or bool(int(found[2], 16) & 1))
    found = re.fullmatch(r'\+QCFG:\s*"ims",\d(?:,([01]))?', line)
    if found is not None:
        return found[1] == "1"
    return None


def radio(line: str) -> str | None:
    """``+CPSI: LTE,Online,…``, ``+CNSMOD: 0,8``, ``+QNWINFO: "FDD LTE",…``, ``+QIND: "act","LTE"`` (Quectel)."""
    found = re.match(r'\+(?:CPSI:\s*|QNWINFO:\s*"|QIND:\s*"act",")([^",]+)', line)
    if found is not None:
        word = found[1].upper()
        for name, words in {"lte": ("LTE",), "umts": ("WCDMA", "HSPA", "HSDPA", "HSUPA", "UMTS"),
                            "gsm": ("GSM", "GPRS", "EDGE"), "nr": ("NR5G", "NR")}.items():  # fmt: skip
            if any(each in word for each in words):
                return name
        return None
    found = re.fullmatch(r"\+CNSMOD:\s*(?:\d,)?(\d+)", line)
    if found is None:
        return None
    return {1: "gsm", 2: "gsm", 3: "gsm", 4: "umts", 5: "umts", 6: "umts", 7: "umts", 8: "lte"}.get(int(found[1]))


def ussd(line: str) -> tuple[int, str] | None:
    """State and text of ``+CUSD: 0,"…",15`` (3GPP TS 27.007 7.15; coding: TS 23.038 5). None: another line."""
    found = re.fullmatch(r'\+CUSD:\s*(\d)(?:,"?(.*?)"?(?:,(\d+))?)?', line, re.DOTALL)
    if found is None:
        return None
    text, coding = found[2] or "", int(found[3] or 15)
    if coding in (17, 72) or coding & 0xEC == 0x48:  # UCS2
        text = _from_ucs2(text)
    elif re.fullmatch(r"(?:[0-9A-F]{2}){6,}", text):
        text = unpack_7bit(bytes.fromhex(text))  # Huawei sticks give the packed septets
    return int(found[1]), text.strip()


def message_place(line: str) -> int | None:
    """The index of ``+CMTI: "SM",3``: a message came."""
    found = re.fullmatch(r'\+CMTI:\s*"\w+",(\d+)', line)
    return int(found[1]) if found else None


def network_time_utc_ms(line: str) -> int | None:
    """``+CCLK: "26/11/22,09:30:05+32"`` as UTC; None where the module's clock was never set (1970, 1980, 2004).

    The time is local and the zone counts quarters of an hour (3GPP TS 27.007 8.15); quotes may be missing.
    """
    found = re.fullmatch(r'\+CCLK:\s*"?(\d\d)/(\d\d)/(\d\d),(\d\d):(\d\d):(\d\d)([+-]\d{1,2})?"?', line)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    if not 24 <= year < 70:
        return None
    zone = timezone(timedelta(minutes=15 * int(found[7] or 0)))
    try:
        moment = datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    return round(moment.astimezone(UTC).timestamp() * 1000)


def sim_came(line: str) -> bool | None:
    """True: a card was put in, False: it was taken out (hot swap); None: another line.

    ``+SIMCARD: NOT AVAILABLE``, ``+CPIN: SIM REMOVED`` (SIMCom), ``+QSIMSTAT: 1,0`` (Quectel), ``+CPIN: NOT READY``.
    """
    if re.fullmatch(r"\+SIMCARD:\s*NOT AVAILABLE|\+CPIN:\s*(?:SIM REMOVED|NOT INSERTED|NOT READY)|SIM REMOVED", line):
        return False
    found = re.fullmatch(r"\+QSIMSTAT:\s*\d,([01])", line)
    if found is not None:
        return found[1] == "1"
    return True if line in {"+CPIN: SIM INSERTED", "SIM INSERTED", "+QUSIM: 1"} else None


def _from_ucs2(text: str) -> str:
    """Hex UCS2 as text; anything else as it is: some firmware sends plain text in spite of AT+CSCS."""
    if len(text) >= 4 and len(text) % 4 == 0 and re.fullmatch(r"[0-9A-Fa-f]+", text):
        return bytes.fromhex(text).decode("utf-16-be", "replace")
    return text
