"""SIMCom modules as their manuals and public logs describe them. Nothing here comes from the box's dialects.

S76 = "SIM7500_SIM7600 Series AT Command Manual V3.00"; A76 = "A76XX Series AT Command Manual V1.09"; MM = ModemManager,
tests of src/plugins/simtech (logged lines); CP = callpilot field notes; SL = Sim800l issue 31; PG = python-gsmmodem
issue 112 (log).
"""

from __future__ import annotations

from typing import Final

from simulator.module_firmware import Firmware, Manual
from simulator.module_state import CLCC_STAT, Party, State

_COMMON: Final = frozenset({"+DDET", "+CNSMOD", "+AUTOCSQ", "+EXUNSOL", "+CLTS", "+CMICGAIN", "+COUTGAIN"})


def _pushed(module: Firmware, call: Party) -> list[str]:
    """S76 5.2, A76 7.2.6, MM: after AT+CLCC=1 each change is pushed; 6 = gone."""
    if module.settings.get("+CLCC") != "1":
        return []
    return [module.clcc(call, CLCC_STAT.get(call.state, 6))]


def _lte_changed(module: Firmware, call: Party, was_up: bool) -> list[str]:
    """S76, A76: VOICE CALL: BEGIN at the answer; VOICE CALL: END: HHMMSS at the end (MM: 000041 is 41 s)."""
    lines = _pushed(module, call)
    if call.state is State.ACTIVE and not call.begun:
        call.begun = True
        lines.append("VOICE CALL: BEGIN")
    if call.state is State.IDLE and was_up:
        seconds = call.seconds(module.now_s())
        lines.append(f"VOICE CALL: END: {seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}")
    return lines


def _lte_missed(call: Party) -> list[str]:
    """MM test: `MISSED_CALL: 11:01AM 07712345678`."""
    return [f"MISSED_CALL: 11:01AM {call.number or ''}"]


def _rxdtmf(module: Firmware, digit: str) -> list[str]:
    """MM test: `+RXDTMF: 8`, after AT+DDET=1."""
    return [f"+RXDTMF: {digit}"] if module.settings.get("+DDET", "0").startswith("1") else []


def _clcc_push(module: Firmware, value: str) -> list[str]:
    """AT+CLCC=1; older firmware says ERROR."""
    if not module.quirks.pushes_calls:
        return ["ERROR"]
    module.settings["+CLCC"] = value
    return ["OK"]


def _clcc(module: Firmware, value: str) -> list[str]:
    return _clcc_push(module, value) if value else module.list_calls()


def _cpcmreg(module: Firmware, value: str) -> list[str]:
    """S76 5.2.46: the PCM port can be opened in a call only."""
    if not value.startswith("1"):
        module.pcm = False
        return ["OK"]
    return module.sound_on() if module.first(State.ACTIVE) is not None else ["ERROR"]


def _ath(module: Firmware, _value: str) -> list[str]:
    """S76 2.2.7: ATH ends voice calls only after AT+CVHU=0."""
    return module.hang_up() if module.settings["+CVHU"] == "0" else ["OK"]


SIM7600: Final = Manual(
    name="sim7600",
    identity={
        "+CGMI": "SIMCOM INCORPORATED",  # S76 3.2
        "+CGMM": "SIMCOM_SIM7600E-H",
        "+CGMR": "+CGMR: LE20B04SIM7600M22",
        "+CGSN": "861477031234567",
        "+CEER": "+CEER: No cause information available",
    },
    boot=("RDY", "+CPIN: READY", "SMS DONE", "PB DONE"),  # S76 1.6
    settable=_COMMON | {"+CPCMFRM"},
    changed=_lte_changed,
    missed=_lte_missed,
    digit=_rxdtmf,
    doubles_cr=True,  # MM tests
    handlers={
        "+CLCC": _clcc,
        "+CPCMREG": _cpcmreg,
        "+CPCMREG?": lambda module, _value: [f"+CPCMREG: {int(module.pcm)}", "OK"],
        "H": _ath,
    },
)

A7670: Final = Manual(
    name="a7670",
    identity={
        "+CGMI": "INCORPORATED",  # LilyGo-Modem-Series issue 441
        "+CGMM": "A7670SA-FASE",
        "+CGMR": "+CGMR: A011B02A7670M6_F",
        "+CGSN": "862636050001234",
    },
    boot=("RDY", "+CPIN: READY", "SMS DONE", "PB DONE"),
    settable=_COMMON,
    changed=_lte_changed,
    missed=lambda _call: [],
    analog=True,  # RQ README: A7670E, SIM800C, SIM900
    digit=_rxdtmf,
    handlers={"+CLCC": _clcc, "H": _ath},
)


def _2g_changed(module: Firmware, call: Party, was_up: bool) -> list[str]:  # noqa: ARG001 - a manual's shape
    return _pushed(module, call)


def _dtmf(module: Firmware, digit: str) -> list[str]:
    """SL: `+DTMF: 1,40` where AT+DDET's third value asks for the length."""
    how = module.settings.get("+DDET", "0").split(",")
    if how[0] != "1":
        return []
    return [f"+DTMF: {digit},40" if how[2:3] == ["1"] else f"+DTMF: {digit}"]


SIM800: Final = Manual(
    name="sim800",
    identity={
        "+CGMI": "SIMCOM_Ltd",
        "+CGMM": "SIMCOM_SIM800L",
        "+CGMR": "Revision:1418B05SIM800L24",
        "+CGSN": "865067020000123",
    },
    boot=("RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready"),
    settable=_COMMON,
    changed=_2g_changed,
    analog=True,
    digit=_dtmf,
    handlers={
        "+CLCC": _clcc,
        "+CEREG": lambda _module, _value: ["ERROR"],
        "+CEREG?": lambda _module, _value: ["ERROR"],
    },
)
