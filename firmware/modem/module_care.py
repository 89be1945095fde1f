"""What a module is and how it fares: its family, its SIM, its network; says as alarms what a person must do."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Final, Protocol

import attrs

from firmware.model import LineId
from firmware.modem.at_events import (
    Access,
    AtEvent,
    CmeError,
    ImsState,
    Registration,
    Signal,
    SimInserted,
    SimState,
    parse_line,
)
from firmware.modem.at_json import ACCESS
from firmware.modem.dialects import AUTO, Dialect, dialect, family_of
from firmware.modem.engine import Answer

log = logging.getLogger("offhook.modem")

CANNOT_RING_AFTER_S: Final = 60.0
"""Registered for data only for this long: not just on the way to the voice network."""

SIM_BY_CODE: Final = {
    5: "PH-SIM PIN",
    10: "not inserted",
    11: "SIM PIN",
    12: "SIM PUK",
    13: "SIM failure",
    15: "SIM wrong",
    17: "SIM PIN2",
    18: "SIM PUK2",
    40: "PH-NET PIN",
}
"""+CME ERROR codes (3GPP TS 27.007 9.2) that speak of the SIM; 14 is busy and passes."""
SAID_BY_SIM_CARE: Final = frozenset(
    {
        "SIM PIN",
        "SIM PUK",
        "not inserted",
        "NOT INSERTED",
        "SIM REMOVED",
        "SIM failure",
        "SIM wrong",
        "PH-SIM PIN",
        "PH-NET PIN",
    }
)
_NO_CS: Final = frozenset({0, 2, 3, 4, 6, 7, 8})
"""+CREG: no voice network (6 and 7: short messages only)."""


class Tell(Protocol):
    def __call__(self, key: str, raised: bool, params: dict[str, str], /) -> None: ...


@attrs.frozen
class ModuleStatus:
    """What the module last said about itself and its network; None: nothing yet."""

    sim: str | None = None
    """``READY``, the +CPIN state, or what a +CME ERROR says (``not inserted``)."""
    registered: bool | None = None
    """For voice (+CREG)."""
    roaming: bool | None = None
    data_registered: bool | None = None
    """For packets (+CEREG): on LTE this can be without voice."""
    signal_dbm: int | None = None
    access: str | None = None
    """``gsm``, ``utran``, ``lte``, ..."""
    ims_ready: bool | None = None
    """Calls over LTE work, where the module tells."""
    maker: str = ""
    model: str = ""
    imei: str | None = None
    family: str | None = None

    @property
    def cannot_ring(self) -> bool:
        """Registered, but not for voice: nobody can call it, and it cannot call."""
        return bool(self.data_registered) and self.registered is False and not self.ims_ready


class ModuleCare:
    """Lives on the AT port's thread; `status` may be read from any."""

    def __init__(self, line: LineId, family: str, *, tell: Tell) -> None:
        self.status = ModuleStatus()
        self._line = line
        self._configured = family
        self._tell = tell
        self._dialect = dialect("generic")
        self._said: set[str] = set()
        self._ever: set[str] = set()
        self._deaf_since_s: float | None = None
        self._extra = {"offhook": {"line": line}}

    def on_identity(self, maker: str, model: str) -> Dialect:
        """The dialect to speak: the module's own word counts for more than the settings."""
        told = family_of(model, maker)
        configured = self._configured
        family = told or (configured if configured != AUTO else "generic")
        if configured == "generic":
            family = configured  # somebody means to have it treated so
        self._dialect = dialect(family)
        self.status = attrs.evolve(self.status, maker=maker, model=model, family=family)
        if told is None:
            log.warning("nobody knows the module %s %s: treated as %s", maker, model, family, extra=self._extra)
        wrong = told is not None and configured not in {AUTO, "generic", told}
        self._alarm("wrong_family", wrong, configured=configured, family=family, model=model or "?")
        return self._dialect

    def on_ready(self, answers: Sequence[Answer]) -> None:
        """The start sequence is through."""
        for answer in answers:
            if answer.command.text == "AT+CPIN?":
                self.on_sim(answer)
            for event in answer.events:
                self.on_event(event)
            if answer.command.text == "AT+CGSN":
                imei = next((line for line in answer.lines if re.fullmatch(r"\d{15}", line)), None)
                self.status = attrs.evolve(self.status, imei=imei)
        self._check_voice(answers)

    def on_event(self, event: AtEvent) -> None:
        before = self.status
        match event:
            case SimState(state):
                self._sim(state)
            case SimInserted(inserted=False):
                self._sim("not inserted")
            case Registration(domain="CREG"):
                self.status = attrs.evolve(
                    before,
                    registered=event.registered if event.stat not in _NO_CS else False,
                    roaming=event.roaming,
                    access=ACCESS.get(event.access) if event.access is not None else before.access,
                )
            case Registration(domain="CEREG"):
                self.status = attrs.evolve(before, data_registered=event.registered)
            case Signal(dbm):
                self.status = attrs.evolve(before, signal_dbm=dbm)
            case Access(name):
                self.status = attrs.evolve(before, access=name)
            case ImsState():
                self.status = attrs.evolve(before, ims_ready=event.ready)
        if before.registered and self.status.registered is False:
            log.warning("%s lost its network", self._line, extra=self._extra)

    def on_sim(self, answer: Answer) -> None:
        """An answer to AT+CPIN?; some modules leave out the OK after it."""
        for event in answer.events:
            self.on_event(event)
        if answer.result is not None:
            error = parse_line(answer.result)
            if isinstance(error, CmeError) and error.code in SIM_BY_CODE:
                self._sim(SIM_BY_CODE[error.code])

    @property
    def sim_wanted(self) -> bool:
        """The SIM was seen not to be ready: ask again."""
        return self.status.sim not in {None, "READY"}

    def sim_trouble(self, answer: Answer) -> str | None:
        """Why the list of calls cannot be read, when it is for the SIM's sake."""
        error = parse_line(answer.result or "")
        if isinstance(error, CmeError) and (error.code in SIM_BY_CODE or error.code == 10):
            self._sim(SIM_BY_CODE[error.code or 10])
        return f"SIM card is not ready: {self.status.sim}" if self.sim_wanted else None

    def on_time(self, now_s: float) -> None:
        if not self.status.cannot_ring:
            self._deaf_since_s = None
            self._alarm("cannot_ring", False)
            return
        self._deaf_since_s = self._deaf_since_s or now_s
        if now_s - self._deaf_since_s >= CANNOT_RING_AFTER_S:
            self._alarm("cannot_ring", True, access=self.status.access or "LTE")

    def _sim(self, state: str) -> None:
        if state == "NOT READY" and self.status.sim is None:
            return  # it has only just started
        if state not in {self.status.sim, "READY"}:
            log.warning("the SIM of %s says %s: it needs care before it can call", self._line, state, extra=self._extra)
            self._said.discard("sim_not_ready")
        self.status = attrs.evolve(self.status, sim=state)
        # What stands in SAID_BY_SIM_CARE has an alarm of its own, which says what to do.
        self._alarm("sim_not_ready", state != "READY" and state not in SAID_BY_SIM_CARE, reason=state)

    def _check_voice(self, answers: Sequence[Answer]) -> None:
        model = self.status.model or "?"
        row, check = self._dialect.without_voice(model), self._dialect.voice_check
        instead = row.instead if row is not None else ""
        if row is None and check is not None:
            told = [answer for answer in answers if answer.command.text == check.send]
            if told and not any(re.search(check.voice, line) for line in told[0].lines):
                instead = check.instead
        self._alarm("no_voice", bool(instead), model=model, instead=instead)

    def _alarm(self, key: str, raised: bool, **params: str) -> None:
        """Says what changed. The first word is always said: an alarm may be left from an earlier run."""
        if raised == (key in self._said) and key in self._ever:
            return
        self._ever.add(key)
        (self._said.add if raised else self._said.discard)(key)
        self._tell(key, raised, params)
