"""Huawei voice sticks as public drivers and logs describe them. Nothing here comes from the box's dialects.

CD = wdoekes/asterisk-chan-dongle at_response.c, channel.c, BUGS; PG = faucamp/python-gsmmodem test/fakemodems.py;
MM = ModemManager src/plugins/huawei.
"""

from __future__ import annotations

from typing import Final

from simulator.module_firmware import Firmware, Manual
from simulator.module_state import Party, State

_CAUSES: Final = {"BUSY": 17, "NO ANSWER": 19, "NO CARRIER": 34}
"""3GPP TS 24.008 10.5.4.11: user busy, no answer while it rang, no circuit available."""


def _changed(module: Firmware, call: Party, was_up: bool) -> list[str]:  # noqa: PLR0911
    """PG: `^ORIG:{id},{type}`, `^CONF:{id}`, `^CONN:{id},{type}`, `^CEND:{id},5,29,16`. Waiting calls: +CCWA only."""
    if module.settings.get("^CURC", "1") != "1":
        return []
    match call.state:
        case State.DIALING:
            return [f"^ORIG:{call.index},0"]
        case State.ALERTING:
            return [f"^CONF:{call.index}"]
        case State.ACTIVE if not call.begun:
            call.begun = True
            return [f"^CONN:{call.index},0"]
        case State.IDLE:
            seconds = call.seconds(module.now_s()) if was_up else 0
            if module.refusal:
                return [f"^CEND:{call.index},0,104,{_CAUSES[module.refusal]}"]
            return [f"^CEND:{call.index},{seconds},29,16"]
    return []


def _digit(module: Firmware, digit: str) -> list[str]:
    """MM: `^DDTMF: 5`, after AT^DDTMFCFG=0,1."""
    return [f"^DDTMF: {digit}"] if module.settings.get("^DDTMFCFG") == "0,1" else []


def _ddsetex(module: Firmware, value: str) -> list[str]:
    """CD channel.c: AT^DDSETEX=2 switches the sound on in a call."""
    if value != "2" or module.first(State.ACTIVE, State.ALERTING, State.DIALING) is None:
        return ["ERROR"]
    return module.sound_on()


def _chld(module: Firmware, value: str) -> list[str]:
    """CD BUGS: 1x before ^CONF hangs the stick."""
    if value.startswith("1") and len(value) > 1 and module.first(State.DIALING) is not None:
        module.hung = True
        return ["OK"]
    return module.hold(value)


def _dtmf(module: Firmware, value: str) -> list[str]:
    """CD at_command.c: AT^DTMF=<call>,<digit>."""
    index, _, digit = value.partition(",")
    if module.first(State.ACTIVE) is None or not index.isdigit():
        return ["ERROR"]
    return module.digits_out(digit)


HUAWEI: Final = Manual(
    name="huawei",
    identity={"+CGMI": "huawei", "+CGMM": "E1752", "+CGMR": "11.126.15.00.00", "+CGSN": "357030000000001"},  # PG
    boot=("^SRVST:2", "^RSSI:19", "^BOOT:20952548,0,0,0,72", "^MODE:5,4", "^SIMST:1"),  # CD issue 161
    settable=frozenset({"^CURC", "^DDTMFCFG", "^U2DIAG"}),
    changed=_changed,
    digit=_digit,
    says_no_carrier=False,  # PG: a voice call ends with ^CEND alone
    handlers={
        "+CLCC": lambda module, value: ["ERROR"] if value else module.list_calls(),
        "+CHLD": _chld,
        "^DDSETEX": _ddsetex,
        "^DTMF": _dtmf,
        "^CVOICE?": lambda _module, _value: ["^CVOICE:0,8000,16,20", "OK"],  # CD
        "^SETPORT?": lambda module, _value: (  # CD issue 185
            [f"^SETPORT:{module.quirks.setport}", "OK"] if module.quirks.setport else ["COMMAND NOT SUPPORT"]
        ),
        "+VTS": lambda _module, _value: ["ERROR"],
        "+CEREG": lambda _module, _value: ["COMMAND NOT SUPPORT"],
        "+CEREG?": lambda _module, _value: ["COMMAND NOT SUPPORT"],
    },
)
