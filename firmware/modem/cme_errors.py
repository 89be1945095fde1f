"""What the numbers of +CME ERROR and +CMS ERROR mean (3GPP TS 27.007 9.2, 3GPP TS 27.005 3.2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CME: Final[Mapping[int, str]] = {
    0: "phone failure", 1: "no connection to phone", 2: "phone adaptor link reserved", 3: "operation not allowed",
    4: "operation not supported", 5: "PH-SIM PIN required", 6: "PH-FSIM PIN required", 7: "PH-FSIM PUK required",
    10: "SIM not inserted", 11: "SIM PIN required", 12: "SIM PUK required", 13: "SIM failure", 14: "SIM busy",
    15: "SIM wrong", 16: "incorrect password", 17: "SIM PIN2 required", 18: "SIM PUK2 required", 20: "memory full",
    21: "invalid index", 22: "not found", 23: "memory failure", 24: "text string too long",
    25: "invalid characters in text string", 26: "dial string too long", 27: "invalid characters in dial string",
    30: "no network service", 31: "network timeout", 32: "network not allowed - emergency calls only",
    40: "network personalization PIN required", 41: "network personalization PUK required",
    42: "network subset personalization PIN required", 43: "network subset personalization PUK required",
    44: "service provider personalization PIN required", 45: "service provider personalization PUK required",
    46: "corporate personalization PIN required", 47: "corporate personalization PUK required", 100: "unknown",
    103: "illegal MS", 106: "illegal ME", 107: "GPRS services not allowed", 111: "PLMN not allowed",
    112: "location area not allowed", 113: "roaming not allowed in this location area",
    132: "service option not supported", 133: "requested service option not subscribed",
    134: "service option temporarily out of order", 148: "unspecified GPRS error", 149: "PDP authentication failure",
    150: "invalid mobile class", 515: "device busy",
}  # fmt: skip
"""515 is Huawei's own (PyPI python-gsmmodem)."""

CMS: Final[Mapping[int, str]] = {
    300: "ME failure", 301: "SMS service of ME reserved", 302: "operation not allowed", 303: "operation not supported",
    304: "invalid PDU mode parameter", 305: "invalid text mode parameter", 310: "SIM not inserted",
    311: "SIM PIN required", 312: "PH-SIM PIN required", 313: "SIM failure", 314: "SIM busy", 315: "SIM wrong",
    316: "SIM PUK required", 317: "SIM PIN2 required", 318: "SIM PUK2 required", 320: "memory failure",
    321: "invalid memory index", 322: "memory full", 330: "SMSC address unknown", 331: "no network service",
    332: "network timeout", 340: "no +CNMA acknowledgement expected", 500: "unknown error",
}  # fmt: skip


def meaning(domain: str, code: int | None, text: str) -> tuple[int | None, str]:
    """The number and its meaning; a module that was set to texts (AT+CMEE=2) gives the number by its text."""
    table = CMS if domain == "CMS" else CME
    if code is not None:
        return code, table.get(code, "unknown code")
    by_text = {words.lower(): number for number, words in table.items()}
    return by_text.get(text.lower()), text
