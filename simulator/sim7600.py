"""How a SIM7600 behaves on its AT port, after SIMCom's manual and public logs: text in, text out, no I/O.

Sources, named in the table below: S76 = "SIM7500_SIM7600 Series AT Command Manual V3.00"; MM = ModemManager, tests of
src/plugins/simtech (logged lines); CP = callpilot field notes; LG = LilyGo SIM7600 voice example logs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where the module's call is."""

    OFF = "off"
    IDLE = "idle"
    INCOMING = "incoming"
    DIALING = "dialing"
    ALERTING = "alerting"
    ACTIVE = "active"


CLCC_STAT: Final = {State.ACTIVE: 0, State.DIALING: 2, State.ALERTING: 3, State.INCOMING: 4}
"""S76 5.2 AT+CLCC, 3GPP TS 27.007 7.18."""


@dataclass
class Quirks:
    """What goes wrong, or differs from unit to unit. All of it was seen in the field (telephony facts 1, 2, 8)."""

    double_cr: bool = True
    """`\\r\\r\\n+CRING: VOICE\\r\\r\\n` (MM tests)."""
    clip_first: bool = False
    """+CLIP before RING."""
    ring_twice: bool = False
    """RING on two channels."""
    pushes_calls: bool = True
    """AT+CLCC=1 works (newer firmware)."""
    silent_end: bool = False
    """The end of a call is never said: only +CLCC shows it (CP)."""
    cpcmreg_errors: int = 0
    """So many AT+CPCMREG=1 of each call are refused (CP: degraded PCM end point)."""
    pcm_stuck: int = 0
    """So many AT+CPCMREG=1 are taken, and no sound comes (CP)."""
    answer_after_s: float = 0.0
    """How late the module answers commands."""
    urc_inside_answer: str = ""
    """Put into the middle of each answer to AT+CLCC."""
    missing_ok: int = 0
    """So many answers lose their OK."""
    list_errors: int = 0
    """So many AT+CLCC are answered with +CME ERROR: 100 (oFono: Option GTM)."""
    echo_stuck: bool = False
    """ATE0 does nothing."""
    data_call: bool = False
    """+CLCC also lists a data session (EC20, EC25)."""
    wide: bool = False
    """Left at 16 kHz: 640 bytes each 20 ms (AT+CPCMFRM=1)."""
    ring_every_s: float = 3.0
    boot_s: float = 0.3


@dataclass
class Party:
    """One call on the module."""

    index: int
    outgoing: bool
    number: str | None
    validity: int = 0
    began_s: float | None = None


@dataclass
class Firmware:
    """The module's settings and calls. `command` and the network's doings return the lines it says, in order."""

    quirks: Quirks
    now_s: Callable[[], float]
    state: State = State.OFF
    call: Party | None = None
    waiting: Party | None = None
    pcm: bool = False
    pcm_flows: bool = True
    settings: dict[str, str] = field(default_factory=dict)
    sent_dtmf: str = ""
    heard: Callable[[str, str], None] = lambda what, number: None  # noqa: ARG005
    _refused: int = 0

    def boot(self) -> list[str]:
        """S76 1.6: what the module says by itself after power-up; settings not saved are lost."""
        self.settings = {"E": "1", "CLIP": "0", "CRC": "0", "CLCC": "0", "CVHU": "1", "CMEE": "2"}
        self.state, self.call, self.waiting, self.pcm = State.IDLE, None, None, False
        return ["RDY", "+CPIN: READY", "SMS DONE", "PB DONE"]

    # -- commands ------------------------------------------------------------------------------------------------

    def command(self, text: str) -> list[str]:
        """The answer to one command line, its final result last."""
        if text.upper() == "AT":
            return ["OK"]
        body = text[2:]
        if body[:1].upper() == "D":
            return self._dial(body[1:].rstrip(";"))
        handler = _HANDLERS.get(body.upper())
        if handler is not None:
            return handler(self)
        if "=" in body:
            return self._set(*body.lstrip("+").split("=", 1))
        return ["ERROR"]

    def _set(self, name: str, value: str) -> list[str]:
        name = name.upper()
        if name == "CPCMREG":
            return self._pcm(value)
        if name == "VTS":  # S76 5.2.4: one digit, or a quoted list of up to 29
            if self.state is not State.ACTIVE:
                return ["ERROR"]
            self.sent_dtmf += value.strip('"').replace(",", "")
            return ["OK"]
        if name == "CLCC" and not self.quirks.pushes_calls:
            return ["ERROR"]
        if name in {"CLIP", "CRC", "CLCC", "CVHU", "CMEE", "CCWA", "CREG", "CEREG", "CGREG", "AUTOCSQ", "DDET", "CLTS",
                    "CNSMOD", "EXUNSOL", "CLVL", "CMICGAIN", "COUTGAIN", "S0", "CPCMFRM", "COLP", "CSSN"}:  # fmt: skip
            self.settings[name] = value
            return ["OK"]
        return ["ERROR"]

    def _pcm(self, value: str) -> list[str]:
        """S76 5.2.46: the PCM port can be opened in a call only."""
        if not value.startswith("1"):
            self.pcm = False
            return ["OK"]
        if self.state is not State.ACTIVE:
            return ["ERROR"]
        if self._refused < self.quirks.cpcmreg_errors:
            self._refused += 1
            return ["ERROR"]
        self.pcm = True
        self.pcm_flows = self.quirks.pcm_stuck <= 0
        self.quirks.pcm_stuck -= 1
        return ["OK"]

    def _dial(self, number: str) -> list[str]:
        """S76 2.2: voice calls are answered with OK at once; what becomes of them is told later."""
        if self.state is not State.IDLE:
            return ["NO CARRIER"]
        self.call, self.state = Party(1, outgoing=True, number=number), State.DIALING
        self._refused = 0
        self.heard("dial", number)
        return ["OK", *self._push()]

    def answer(self) -> list[str]:
        if self.state is not State.INCOMING or self.call is None:
            return ["NO CARRIER"]
        self._up()
        self.heard("answer", self.call.number or "")
        return [*self._push(), "VOICE CALL: BEGIN", "OK"]

    def hang_up(self) -> list[str]:
        """S76 5.2.1. Without a call it is OK as well."""
        if self.state is State.IDLE or self.call is None:
            return ["OK"]
        self.heard("hangup", self.call.number or "")
        return [*self._over(), "OK"]

    def ath(self) -> list[str]:
        """S76 2.2.7: ATH ends voice calls only after AT+CVHU=0."""
        return self.hang_up() if self.settings["CVHU"] == "0" else ["OK"]

    def list_calls(self) -> list[str]:
        if self.quirks.list_errors:
            self.quirks.list_errors -= 1
            return ["+CME ERROR: 100"]
        lines = [self._clcc(self.call, CLCC_STAT[self.state])] if self.call is not None else []
        if self.waiting is not None:
            lines.append(self._clcc(self.waiting, 5))
        if self.quirks.data_call:
            lines.append('+CLCC: 3,0,0,1,0,"",128')
        if self.quirks.urc_inside_answer:
            lines.insert(0, self.quirks.urc_inside_answer)
        return [*lines, "OK"]

    def cpin(self) -> list[str]:
        return ["+CPIN: READY", "OK"]

    def echo(self, on: bool) -> list[str]:
        if not self.quirks.echo_stuck:
            self.settings["E"] = "1" if on else "0"
        return ["OK"]

    # -- the network ---------------------------------------------------------------------------------------------

    def incoming(self, number: str | None, validity: int) -> list[str]:
        """A call reaches the module; when it is busy with another, the call waits. Without power nothing happens."""
        if self.state is State.OFF:
            return []
        if self.state is not State.IDLE:
            self.waiting = Party(2, outgoing=False, number=number, validity=validity)
            return [f'+CCWA: "{number or ""}",{129 if number else 128},1', *self._push_waiting(5)]
        self.call, self.state = Party(1, outgoing=False, number=number, validity=validity), State.INCOMING
        self._refused = 0
        return [*self.ring(), *self._push()]

    def ring(self) -> list[str]:
        """One ring cycle: RING or +CRING (S76 5.2, AT+CRC), then +CLIP (S76 5.2.12)."""
        call = self.call
        if self.state is not State.INCOMING or call is None:
            return []
        ring = ["+CRING: VOICE" if self.settings["CRC"] == "1" else "RING"]
        if self.quirks.ring_twice:
            ring *= 2
        clip = []
        if self.settings["CLIP"] == "1":
            kind = "128" if call.number is None else "145" if call.number.startswith("+") else "129"
            clip = [f'+CLIP: "{call.number or ""}",{kind},"",0,"",{call.validity}']
        return [*clip, *ring] if self.quirks.clip_first else [*ring, *clip]

    def caller_hangs_up(self) -> list[str]:
        """The ringing stops unanswered (MM test: `MISSED_CALL: 11:01AM 07712345678`)."""
        if self.waiting is not None:
            lines, self.waiting = self._push_waiting(6), None
            return lines
        call = self.call
        if self.state is not State.INCOMING or call is None:
            return []
        lines = self._over()
        return (
            [*lines, "NO CARRIER", f"MISSED_CALL: 11:01AM {call.number or ''}"] if not self.quirks.silent_end else lines
        )

    def remote_rings(self) -> list[str]:
        if self.state is State.DIALING:
            self.state = State.ALERTING
        return self._push()

    def remote_answers(self) -> list[str]:
        if self.state not in {State.DIALING, State.ALERTING}:
            return []
        self._up()
        return [*self._push(), "VOICE CALL: BEGIN"]

    def remote_refuses(self, word: str) -> list[str]:
        """BUSY, NO ANSWER or NO CARRIER to our dial."""
        if self.state not in {State.DIALING, State.ALERTING}:
            return []
        lines = self._over()
        return [*lines, word] if not self.quirks.silent_end else lines

    def remote_hangs_up(self) -> list[str]:
        if self.state is not State.ACTIVE:
            return []
        lines = self._over()
        return [*lines, "NO CARRIER"] if not self.quirks.silent_end else lines

    def _up(self) -> None:
        self.state = State.ACTIVE
        if self.call is not None:
            self.call.began_s = self.now_s()

    def _over(self) -> list[str]:
        """`VOICE CALL: END: 000041` (MM test) where the call was up; the duration is HHMMSS."""
        call, was_up = self.call, self.state is State.ACTIVE
        assert call is not None
        lines = [self._clcc(call, 6)] if self._pushes() else []
        if was_up:
            seconds = int(self.now_s() - (call.began_s or self.now_s()))
            lines.append(f"VOICE CALL: END: {seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}")
        self.call, self.state, self.pcm = None, State.IDLE, False
        if self.waiting is not None:
            self.call, self.waiting, self.state = self.waiting, None, State.INCOMING
        return [] if self.quirks.silent_end else lines

    def _pushes(self) -> bool:
        return self.settings["CLCC"] == "1"

    def _push(self) -> list[str]:
        """S76 5.2, MM: after AT+CLCC=1 each change is pushed; 6 = gone."""
        return [self._clcc(self.call, CLCC_STAT[self.state])] if self._pushes() and self.call is not None else []

    def _push_waiting(self, stat: int) -> list[str]:
        return [self._clcc(self.waiting, stat)] if self._pushes() and self.waiting is not None else []

    @staticmethod
    def _clcc(call: Party, stat: int) -> str:
        kind = 128 if call.number is None else 145 if call.number.startswith("+") else 129
        return f'+CLCC: {call.index},{0 if call.outgoing else 1},{stat},0,0,"{call.number or ""}",{kind},""'


_HANDLERS: Final[dict[str, Callable[[Firmware], list[str]]]] = {
    "A": Firmware.answer,
    "H": Firmware.ath,
    "+CHUP": Firmware.hang_up,
    "E0": lambda module: module.echo(False),
    "E1": lambda module: module.echo(True),
    "S0=0": lambda _: ["OK"],
    "+CLCC": Firmware.list_calls,
    "+CPIN?": Firmware.cpin,  # S76 24.2
    "+CPCMREG?": lambda module: [f"+CPCMREG: {int(module.pcm)}", "OK"],
    "+CREG?": lambda module: [f"+CREG: {module.settings.get('CREG', '0')},1", "OK"],
    "+CEREG?": lambda module: [f"+CEREG: {module.settings.get('CEREG', '0')},1", "OK"],
    "+CSQ": lambda _: ["+CSQ: 20,99", "OK"],
    "+CGMI": lambda _: ["SIMCOM INCORPORATED", "OK"],
    "+CGMM": lambda _: ["SIMCOM_SIM7600E-H", "OK"],
    "+CGMR": lambda _: ["+CGMR: LE20B04SIM7600M22", "OK"],
    "+CGSN": lambda _: ["861477031234567", "OK"],
    "+CEER": lambda _: ["+CEER: No cause information available", "OK"],
}
