"""Quectel modules as public drivers and logs describe them. Nothing here comes from the box's dialects.

RQ = RoEdAl/asterisk-chan-quectel src/at_parse.c (quoted lines); IQ = IchthysMaranatha/asterisk-chan-quectel README and
at_command.c; VC = MengMengCode/VoCat issue 71; PP = the-modem-distro/pinephone_modem_sdk.
"""

from __future__ import annotations

from typing import Final

from simulator.module_firmware import Firmware, Manual
from simulator.module_state import CLCC_STAT, Party


def _ec_changed(module: Firmware, call: Party, was_up: bool) -> list[str]:  # noqa: ARG001 - a manual's shape
    """RQ: `+QIND: "ccinfo",2,0,3,0,0,"XXXXXXXXX",129`, state -1 = released; after AT+QINDCFG="ccinfo",1."""
    if not module.settings.get('+QINDCFG "CCINFO"', "0").startswith("1"):
        return []
    state = CLCC_STAT.get(call.state, -1)
    number = f'"{call.number or ""}",{call.type_of_address}'
    return [f'+QIND: "ccinfo",{call.index},{0 if call.outgoing else 1},{state},0,0,{number}']


def _tone(module: Firmware, digit: str) -> list[str]:
    """RQ: `+QTONEDET: 56` is 8."""
    return [f"+QTONEDET: {ord(digit)}"] if module.settings.get("+QTONEDET") == "1" else []


def _qindcfg(module: Firmware, value: str) -> list[str]:
    name, _, rest = value.partition(",")
    if name.upper() == '"CCINFO"' and not module.quirks.pushes_calls:
        return ["ERROR"]
    module.settings[f"+QINDCFG {name.upper()}"] = rest
    return ["OK"]


def _qurccfg(module: Firmware, value: str) -> list[str]:
    """PP issue 2: with another port than the one listened to, no RING is ever seen."""
    module.quirks.urcs_elsewhere = value.rsplit(",", maxsplit=1)[-1].strip('"').lower() not in {"usbat", "all"}
    return ["OK"]


def _qpcmv(module: Firmware, value: str) -> list[str]:
    """IQ: armed for the next or the running call; every call needs it again. Needs AT+QAUDMOD=3 and the GPS off."""
    if not value.startswith("1"):
        module.pcm = False
        return ["OK"]
    answer = module.sound_on()
    module.pcm_way = value.partition(",")[2]
    if module.pcm_way != "0":
        return answer  # IQ README: 2 is its own USB sound card, which needs neither
    ready = module.settings.get("+QAUDMOD") == "3" and module.settings.get("+QGPSCFG", "").endswith('"none"')
    module.pcm_flows = module.pcm_flows and ready
    return answer


def _clcc(module: Firmware, value: str) -> list[str]:
    return ["ERROR"] if value else module.list_calls()


EC25: Final = Manual(
    name="ec25",
    identity={"+CGMI": "Quectel", "+CGMM": "EC25", "+CGMR": "EC25EFAR06A06M4G", "+CGSN": "866758040001234"},
    boot=("RDY", "+QUSIM: 1", "+CPIN: READY"),
    settable=frozenset({"+QTONEDET", "+QSIMSTAT", "+QAUDMOD", "+QGPSCFG", "+QMIC", "+QRXGAIN", "^DSCI"}),
    changed=_ec_changed,
    digit=_tone,
    first_index=2,  # 1 is the data session (VC); RQ's quoted lines begin with 2 too
    data_call='+CLCC: 1,0,0,1,0,"",128',  # VC
    handlers={
        "+CLCC": _clcc,
        "+QINDCFG": _qindcfg,
        "+QURCCFG": _qurccfg,
        "+QPCMV": _qpcmv,
        "+QPCMV?": lambda module, _value: [f"+QPCMV: {int(module.pcm)},0", "OK"],
        "+QCFG": lambda _module, value: [*(['+QCFG: "ims",1,1'] if value == '"ims"' else []), "OK"],
    },
)

M95: Final = Manual(
    name="m95",
    identity={
        "+CGMI": "Quectel_Ltd",
        "+CGMM": "Quectel_M95",
        "+CGMR": "Revision: M95FAR02A10",
        "+CGSN": "861359030001234",
    },
    boot=("RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready"),
    settable=frozenset({"+QTONEDET", "+QMIC"}),
    changed=lambda _module, _call, _was_up: [],  # nothing is pushed: only AT+CLCC tells
    digit=_tone,
    analog=True,  # RQ README: 2G parts
    handlers={
        "+CLCC": _clcc,
        "+CEREG": lambda _module, _value: ["ERROR"],
        "+CEREG?": lambda _module, _value: ["ERROR"],
    },
)
