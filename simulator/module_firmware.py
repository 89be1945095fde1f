"""How SIM modules behave on their AT port, whatever their family: text in, text out, no I/O.

What 3GPP TS 27.007 and ITU-T V.250 say stands here; what a vendor's manual says otherwise, in a `Manual`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from simulator.module_state import CLCC_STAT, Party, Quirks, State

Handler = Callable[["Firmware", str], list[str]]
"""Takes what follows ``=`` (empty when nothing does); returns the answer, its final result last."""


@dataclass(frozen=True)
class Manual:
    """What one family does in its own way; every row cites the manual or the log it was taken from."""

    name: str
    identity: Mapping[str, str]
    """Answers to AT+CGMI, AT+CGMM, AT+CGMR and AT+CGSN."""
    boot: tuple[str, ...]
    """What it says by itself after power-up."""
    settable: frozenset[str]
    """Names it takes with ``=`` and answers with OK."""
    changed: Callable[[Firmware, Party, bool], list[str]]
    """What it says when a call changed (its state is the new one, IDLE: gone; True: it had been up)."""
    digit: Callable[[Firmware, str], list[str]]
    """What it says when the far side presses a digit."""
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    """Commands of its own, and those it treats differently, by name (``+CPCMREG``, ``+CPCMREG?``, ``^DDSETEX``)."""
    missed: Callable[[Party], list[str]] = lambda call: []  # noqa: ARG005
    """What it says when the ringing stopped unanswered, after NO CARRIER."""
    doubles_cr: bool = False
    first_index: int = 1
    data_call: str = '+CLCC: 3,0,0,1,0,"",128'
    says_no_carrier: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    analog: bool = False
    """Its sound is on analog pins only: nothing switches it on, it is there in every call (RQ README)."""


@dataclass
class Firmware:
    """The module's settings and calls. `command` and the network's doings return the lines it says, in order."""

    quirks: Quirks
    now_s: Callable[[], float]
    manual: Manual
    on: bool = False
    calls: list[Party] = field(default_factory=list)
    pcm: bool = False
    pcm_flows: bool = True
    pcm_way: str = "0"
    """Where the sound goes: ``0`` a tty, ``2`` the module's own USB sound card (Quectel AT+QPCMV=1,<way>)."""
    hung: bool = False
    """It answers nothing any more until it is powered again."""
    settings: dict[str, str] = field(default_factory=dict)
    sent_dtmf: str = ""
    heard: Callable[[str, str], None] = lambda what, number: None  # noqa: ARG005
    refused: int = 0
    """Orders to switch the sound on that were refused in this call."""
    sounded: int = 0
    """Calls since power-up whose sound was switched on."""
    refusal: str = ""
    """The network's word for a dial that is being refused."""
    said_later: list[str] = field(default_factory=list)

    def boot(self) -> list[str]:
        """Power comes; settings that were not saved are lost."""
        self.settings = {"E": "1", "+CLIP": "0", "+CRC": "0", "+CVHU": "1", "+CMEE": "0", **self.manual.settings}
        self.power_off()
        self.on, self.sounded = True, 0
        return list(self.manual.boot)

    def power_off(self) -> None:
        self.on, self.calls, self.pcm, self.hung = False, [], False, False

    @property
    def state(self) -> State:
        """Of the foremost call; OFF without power."""
        if not self.on:
            return State.OFF
        return self.main.state if self.main is not None else State.IDLE

    @property
    def main(self) -> Party | None:
        """The call a person would say the module is in."""
        return next((call for state in _RANK for call in self.calls if call.state is state), None)

    def first(self, *states: State) -> Party | None:
        return next((call for call in self.calls if call.state in states), None)

    def hears(self, way: str) -> bool:
        """Whether it takes what comes to ``way`` into the call."""
        if self.manual.analog:
            return self.first(State.ACTIVE) is not None
        return self.pcm and self.pcm_way == way

    def sounds(self, way: str) -> bool:
        """Whether the far side comes out of ``way`` now."""
        return self.hears(way) and (self.manual.analog or self.pcm_flows)

    # -- commands ------------------------------------------------------------------------------------------------

    def command(self, text: str) -> list[str]:
        """The answer to one command line, its final result last. Commands may be joined with ``;`` (V.250 5.2.1)."""
        if self.hung:
            return []
        lines: list[str] = []
        body = text[2:]
        while body:
            part, body = (body, "") if body[:1].upper() == "D" else body.partition(";")[::2]
            *more, final = self._one(part)
            lines += more
            if final != "OK":
                return [*lines, final]
        return [*lines, "OK"]

    def _one(self, part: str) -> list[str]:
        if part[:1].upper() == "D":
            return self._dial(part[1:].rstrip(";"))
        name, _, value = part.partition("=")
        name = name.upper()
        handler = self.manual.handlers.get(name) or _HANDLERS.get(name)
        if handler is not None:
            return handler(self, value)
        if name in self.manual.identity:
            return [self.manual.identity[name], "OK"]
        if "=" in part and name in self.manual.settable | _SETTABLE:
            self.settings[name] = value
            return ["OK"]
        return ["ERROR"]

    def _dial(self, number: str) -> list[str]:
        if self.calls:
            return ["NO CARRIER"]
        call = Party(self.manual.first_index, outgoing=True, number=number, state=State.DIALING)
        self.calls.append(call)
        self.refused = 0
        self.heard("dial", number)
        self.said_later += self._says(call)  # the final result comes first, what becomes of the call after it
        return ["OK"]

    def take_later(self) -> list[str]:
        """What it says after the answer to the last command."""
        said, self.said_later = self.said_later, []
        return said

    def sound_on(self) -> list[str]:
        """An order to switch the sound on that the manual allows now; some units refuse it, or take it in vain."""
        worn = self.sounded // self.quirks.wears_out_after if self.quirks.wears_out_after else 0
        if self.refused < self.quirks.cpcmreg_errors + worn:
            self.refused += 1
            return ["ERROR"]
        self.sounded += not self.pcm
        self.pcm = True
        self.pcm_flows = self.quirks.pcm_stuck <= 0
        self.quirks.pcm_stuck -= 1
        return ["OK"]

    def answer(self) -> list[str]:
        call = self.first(State.INCOMING)
        if call is None:
            return ["NO CARRIER"]
        self.heard("answer", call.number or "")
        return [*self._becomes(call, State.ACTIVE), "OK"]

    def hang_up(self) -> list[str]:
        """TS 27.007 6.5: the current call. Without one it is OK as well."""
        call = self.main
        if call is None or call.state in {State.WAITING, State.HELD}:
            return ["OK"]
        self.heard("hangup", call.number or "")
        return [*self._over(call), "OK"]

    def hold(self, value: str) -> list[str]:
        """AT+CHLD (TS 27.007 7.13)."""
        active, other = self.first(State.ACTIVE), self.first(State.WAITING, State.HELD)
        if value == "0" and other is not None:
            return [*self._over(other), "OK"]
        if value == "1" and active is not None:
            lines = self._over(active)
            return [*lines, *(self._becomes(other, State.ACTIVE) if other is not None else []), "OK"]
        if value == "2" and other is not None:
            lines = self._becomes(active, State.HELD) if active is not None else []
            self.heard("take", other.number or "")
            return [*lines, *self._becomes(other, State.ACTIVE), "OK"]
        return ["+CME ERROR: 3"]

    def list_calls(self) -> list[str]:
        if self.quirks.list_errors:
            self.quirks.list_errors -= 1
            return ["+CME ERROR: 100"]
        if self.quirks.sim.isdigit():
            return [f"+CME ERROR: {self.quirks.sim}"]
        lines = [self.clcc(call, CLCC_STAT[call.state]) for call in self.calls]
        if self.quirks.data_call:
            lines.append(self.manual.data_call)
        if self.quirks.urc_inside_answer:
            lines.insert(0, self.quirks.urc_inside_answer)
        return [*lines, "OK"]

    def cpin(self) -> list[str]:
        sim = self.quirks.sim
        return [f"+CME ERROR: {sim}"] if sim.isdigit() else [f"+CPIN: {sim}", "OK"]

    def registration(self, name: str) -> list[str]:
        stat = 0 if self.quirks.data_only and name == "CREG" else 1
        return [f"+{name}: {self.settings.get('+' + name, '0')},{stat}", "OK"]

    def echo(self, on: bool) -> list[str]:
        if not self.quirks.echo_stuck:
            self.settings["E"] = "1" if on else "0"
        return ["OK"]

    def digits_out(self, digits: str) -> list[str]:
        if self.first(State.ACTIVE) is None:
            return ["ERROR"]
        self.sent_dtmf += digits
        return ["OK"]

    # -- the network ---------------------------------------------------------------------------------------------

    def incoming(self, number: str | None, validity: int) -> list[str]:
        """A call reaches the module; when it is busy with another, the call waits. Without power nothing happens."""
        if not self.on:
            return []
        index = next(n for n in range(self.manual.first_index, 9) if all(call.index != n for call in self.calls))
        call = Party(index, outgoing=False, number=number, validity=validity)
        busy = bool(self.calls)
        call.state = State.WAITING if busy else State.INCOMING
        self.calls.append(call)
        if busy:
            waiting = f'+CCWA: "{number or ""}",{129 if number else 128},1'
            return [*([waiting] if self.settings.get("+CCWA", "").startswith("1") else []), *self._says(call)]
        self.refused = 0
        return [*self.ring(), *self._says(call)]

    def ring(self) -> list[str]:
        """One ring cycle: RING or +CRING (AT+CRC), then +CLIP (AT+CLIP)."""
        call = self.first(State.INCOMING)
        if call is None:
            return []
        ring = ["+CRING: VOICE" if self.settings["+CRC"] == "1" else "RING"] * (2 if self.quirks.ring_twice else 1)
        clip = []
        if self.settings["+CLIP"] == "1":
            clip = [f'+CLIP: "{call.number or ""}",{call.type_of_address},"",0,"",{call.validity}']
        return [*clip, *ring] if self.quirks.clip_first else [*ring, *clip]

    def caller_hangs_up(self) -> list[str]:
        """The ringing, or the waiting, stops unanswered."""
        call = self.first(State.WAITING) or self.first(State.INCOMING)
        if call is None:
            return []
        waited = call.state is State.WAITING
        lines = self._over(call)
        if waited or self.quirks.silent_end:
            return lines
        return [*lines, *self._no_carrier(), *self.manual.missed(call)]

    def remote_rings(self) -> list[str]:
        call = self.first(State.DIALING)
        return self._becomes(call, State.ALERTING) if call is not None else []

    def remote_answers(self) -> list[str]:
        call = self.first(State.DIALING, State.ALERTING)
        return self._becomes(call, State.ACTIVE) if call is not None else []

    def remote_refuses(self, word: str) -> list[str]:
        """BUSY, NO ANSWER or NO CARRIER to our dial."""
        call = self.first(State.DIALING, State.ALERTING)
        if call is None:
            return []
        self.refusal = word
        lines = self._over(call)
        self.refusal = ""
        return [*lines, word] if not self.quirks.silent_end else lines

    def remote_hangs_up(self) -> list[str]:
        call = self.first(State.ACTIVE)
        if call is None:
            return []
        lines = self._over(call)
        return lines if self.quirks.silent_end else [*lines, *self._no_carrier()]

    def held_hangs_up(self) -> list[str]:
        """Who is on hold gives up: the module says of it what its family says, and nothing of the call that is up."""
        call = self.first(State.HELD)
        return self._over(call) if call is not None else []

    def _no_carrier(self) -> list[str]:
        return ["NO CARRIER"] if self.manual.says_no_carrier else []

    def _becomes(self, call: Party, state: State) -> list[str]:
        call.state = state
        if state is State.ACTIVE and call.began_s is None:
            call.began_s = self.now_s()
        return self._says(call)

    def _over(self, call: Party) -> list[str]:
        was_up = call.began_s is not None
        call.state = State.IDLE
        self.calls.remove(call)
        lines = self.manual.changed(self, call, was_up)
        if self.first(State.ACTIVE, State.HELD) is None:
            self.pcm = False
            waiting = self.first(State.WAITING)
            if waiting is not None:
                waiting.state = State.INCOMING
        return [] if self.quirks.silent_end else lines

    def _says(self, call: Party) -> list[str]:
        return self.manual.changed(self, call, call.began_s is not None)

    @staticmethod
    def clcc(call: Party, stat: int, tail: str = ',""') -> str:
        head = f"+CLCC: {call.index},{0 if call.outgoing else 1},{stat},0,0"
        return f'{head},"{call.number or ""}",{call.type_of_address}{tail}'


_RANK: Final = (State.ACTIVE, State.ALERTING, State.DIALING, State.INCOMING, State.HELD, State.WAITING)

_SETTABLE: Final = frozenset({
    "+CLIP", "+CRC", "+CMEE", "+CCWA", "+CREG", "+CEREG", "+CGREG", "S0", "+COLP", "+CSSN", "+CLVL", "+CNMI", "+CMGF",
    "+CSCS", "+CTZU", "+CTZR", "+CVHU",
})  # fmt: skip

_HANDLERS: Final[Mapping[str, Handler]] = {
    "": lambda _module, _value: ["OK"],
    "A": lambda module, _value: module.answer(),
    "H": lambda module, _value: module.hang_up(),
    "+CHUP": lambda module, _value: module.hang_up(),
    "+CHLD": lambda module, value: module.hold(value),
    "+VTS": lambda module, value: module.digits_out(value.strip('"').replace(",", "")),
    "E0": lambda module, _value: module.echo(False),
    "E1": lambda module, _value: module.echo(True),
    "+CLCC": lambda module, _value: module.list_calls(),
    "+CPIN?": lambda module, _value: module.cpin(),
    "+CREG?": lambda module, _value: module.registration("CREG"),
    "+CEREG?": lambda module, _value: module.registration("CEREG"),
    "+CSQ": lambda module, _value: [f"+CSQ: {module.quirks.csq},99", "OK"],
}
