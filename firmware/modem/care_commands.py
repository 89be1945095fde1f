"""What each brand wants to be asked about its SIM and its network, each command with its source."""

from __future__ import annotations

from typing import Final

import attrs

from firmware.modem.engine import Command


@attrs.frozen(kw_only=True)
class CareCommands:
    """Commands that a brand does not know are answered with ERROR, which says nothing and does no harm."""

    tries: Command
    """How many tries are left for PIN and PUK."""
    tries_else: Command | None = None
    """The same for older modules of the brand."""
    iccid: Command
    about: tuple[Command, ...]
    """Asked once, when the module is ready: they switch reports on, and read what does not change."""
    state: tuple[Command, ...]
    """Asked now and then."""


def _ask(text: str, prefix: str = "", timeout_s: float = 5.0) -> Command:
    return Command(text, timeout_s, prefix=prefix or "", free_text=not prefix)


_ABOUT: Final = (
    _ask("AT+CGSN"),  # 3GPP TS 27.007 5.4: IMEI
    _ask("AT+COPS=3,0"),  # TS 27.007 7.3: names, not numbers
    _ask("AT+CNUM", "+CNUM:"),  # TS 27.007 7.1: own number, where the operator wrote it on the card
    _ask("AT+CMGF=0"),  # 3GPP TS 27.005 3.2.3: PDUs, which no character set changes
    _ask("AT+CNMI=2,1"),  # TS 27.005 3.4.1: +CMTI when a message comes
    _ask("AT+CTZU=1"),  # TS 27.007 8.40: the module's clock follows the network
)
_STATE: Final = (
    _ask("AT+CREG?", "+CREG:"),
    _ask("AT+CEREG?", "+CEREG:"),
    _ask("AT+COPS?", "+COPS:"),
    _ask("AT+CSQ", "+CSQ:"),
)
_IMS: Final = _ask("AT+CIREG?", "+CIREG:")  # TS 27.007 8.71
_CLOCK: Final = _ask("AT+CCLK?", "+CCLK:")  # TS 27.007 8.15

BRANDS: Final[dict[str, CareCommands]] = {
    "simcom": CareCommands(
        tries=_ask("AT+SPIC", "+SPIC:"),  # SIM7500_SIM7600 AT manual V3.00 chapter 24; A76XX V1.09
        iccid=_ask("AT+CICCID"),  # same manual; SIM800 says AT+CCID, see generic
        about=(
            *_ABOUT,
            _ask("AT+CLTS=1"),  # RoEdAl/asterisk-chan-quectel src/at_command.c: network time on SIM7600
            _ask("AT+UIMHOTSWAPON=1"),  # manual chapter 24: takes effect after a reset of the module
        ),
        state=(*_STATE, _ask("AT+CPSI?", "+CPSI:"), _IMS, _CLOCK),  # manual 4.2: +CPSI tells the radio
    ),
    "quectel": CareCommands(
        tries=_ask('AT+QPINC="SC"', "+QPINC:"),  # Quectel EC2x AT manual 5.5
        tries_else=_ask("AT+QTRPIN", "+QTRPIN:"),  # Quectel M95 AT manual 5.8
        iccid=_ask("AT+QCCID", "+QCCID:"),  # same manual; RoEdAl/asterisk-chan-quectel
        about=(*_ABOUT, _ask("AT+QSIMSTAT=1")),  # RoEdAl, IchthysMaranatha at_response.c
        state=(*_STATE, _ask("AT+QNWINFO", "+QNWINFO:"), _ask('AT+QCFG="ims"', "+QCFG:"), _CLOCK),
    ),
    "huawei": CareCommands(
        tries=_ask("AT^CPIN?", "^CPIN:"),  # Huawei E-series AT manual
        iccid=_ask("AT^ICCID?", "^ICCID:"),
        about=_ABOUT,
        state=(*_STATE, _CLOCK),
    ),
    "generic": CareCommands(
        tries=_ask("AT+CPINR", "+CPINR:"),  # 3GPP TS 27.007 8.65
        iccid=_ask("AT+CCID"),
        about=_ABOUT,
        state=(*_STATE, _IMS, _CLOCK),
    ),
}


def care_commands(brand: str) -> CareCommands:
    return BRANDS.get(brand, BRANDS["generic"])
