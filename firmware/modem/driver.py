"""The line driver for AT SIM modules: joins the port, the calls and the sound of one module."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

import attrs

from firmware.audio.bridge import Bridge
from firmware.events import EndCause, LineDown, LineEvent
from firmware.log import redact
from firmware.model import LineId, LineKind
from firmware.modem.at_events import AtEvent, ListedCall, Registration, Signal, SimState
from firmware.modem.audio_switch import AudioSwitch
from firmware.modem.dialects import dialect
from firmware.modem.engine import Answer, Command
from firmware.modem.pcm_source import PcmSource
from firmware.modem.session import AtSession, command_of
from firmware.modem.tracker import CallTracker, Phase
from firmware.ports import AudioSource, Clock, EventSink

log = logging.getLogger("offhook.modem")

POLL_IN_CALL_S: Final = 2.0
"""A call can end without a word (telephony facts: USB drop, lost line): its list is asked for this often."""
POLL_IDLE_S: Final = 10.0
"""Also the watchdog: a module that does not answer is found within this, plus the command's own time."""
AUTO_ANSWER_AFTER_S: Final = 1.0
"""Leaves the caller ID time to come."""


@attrs.frozen
class AtModemOptions:
    """Options of a line with ``driver = "at-modem"``."""

    at_port: str
    audio_port: str | None = None
    """The tty with the module's sound; without it calls are logged, not recorded."""
    family: str = "sim7600"
    handset_capture: str | None = None
    """ALSA name of the local microphone (``plughw:1``)."""
    handset_playback: str | None = None
    """ALSA name of the local earpiece."""
    auto_answer: bool = False


@attrs.frozen
class ModuleStatus:
    """What the module last said about itself and its network; None: nothing yet."""

    sim: str | None = None
    registered: bool | None = None
    signal_dbm: int | None = None


class AtModemLine:
    """One SIM module on USB or a UART. Everything but the constructor's arguments belongs to the port's thread."""

    kind: ClassVar[LineKind] = LineKind.SIM
    options_type: ClassVar[type[AtModemOptions]] = AtModemOptions
    actions: ClassVar[frozenset[str]] = frozenset({"dial", "answer", "hang_up"})

    def __init__(self, line: LineId, options: AtModemOptions, sink: EventSink, clock: Clock) -> None:
        self.line = line
        self.status = ModuleStatus()
        self._options = options
        self._sink = sink
        self._clock = clock
        self._dialect = dialect(options.family)
        self._tracker = CallTracker(line)
        self._session = AtSession(line, port=options.at_port, dialect=self._dialect, talk=self)
        self._source = self._make_source()
        self._audio = AudioSwitch(self._dialect.audio, source=self._source, send=self._session.send)
        self._up = False
        self._said_lost = False
        self._polling = False
        self._next_poll_s = 0.0
        self._answer_at_s: float | None = None
        self._extra = {"offhook": {"line": line}}

    def start(self) -> None:
        self._session.start()

    def stop(self) -> None:
        self._session.stop()

    def audio_source(self) -> AudioSource | None:
        return self._source

    def dial(self, number: str) -> None:
        self._session.post(lambda: self._dial(number))

    def answer(self) -> None:
        self._session.post(self._answer)

    def hang_up(self) -> None:
        self._session.post(self._hang_up)

    # -- what the session tells, on the port's thread ------------------------------------------------------------

    def on_ready(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            for event in answer.events:
                self._note(event)
        self._up, self._polling, self._answer_at_s = False, False, None
        self._audio.forget()
        self._poll()

    def on_event(self, event: AtEvent) -> None:
        self._note(event)
        if self._up:
            self._after(self._tracker.on_event(event, self._clock.now()))

    def on_lost(self, reason: str) -> None:
        self._audio.forget()
        if self._up or not self._said_lost:
            self._up, self._said_lost = False, True
            self._put([LineDown(line=self.line, at=self._clock.now(), reason=reason)])

    def on_time(self) -> float:
        if not self._up:
            return POLL_IDLE_S
        now, now_s = self._clock.now(), time.monotonic()
        self._after(self._tracker.on_time(now))
        if self._answer_at_s is not None and now_s >= self._answer_at_s:
            self._answer()
        asked = self._tracker.ask_at
        if now_s >= self._next_poll_s or (asked is not None and asked.boot_ns <= now.boot_ns):
            self._poll()
        waits = [self._next_poll_s - now_s, self._audio.on_time(now_s)]
        waits += [moment.seconds_since(now) for moment in (self._tracker.deadline, self._tracker.ask_at) if moment]
        if self._answer_at_s is not None:
            waits.append(self._answer_at_s - now_s)
        return max(0.01, min(waits))

    # -- the list of calls ---------------------------------------------------------------------------------------

    def _poll(self) -> None:
        if self._polling:
            return
        self._polling = self._session.send(command_of(self._dialect.list_calls, on_answer=self._listed))
        idle = self._tracker.phase is Phase.IDLE
        self._next_poll_s = time.monotonic() + (POLL_IDLE_S if idle else POLL_IN_CALL_S)

    def _listed(self, answer: Answer) -> None:
        self._polling = False
        if not answer.ok and self._up:
            return  # an answer without OK says nothing about the calls
        calls = [event for event in answer.events if isinstance(event, ListedCall)]
        now = self._clock.now()
        if self._up:
            self._after(self._tracker.on_list(calls, now))
        elif answer.ok:
            self._up, self._said_lost = True, False
            self._after(self._tracker.line_up(calls, now))
        else:
            self._poll()  # a SIM that is still busy (+CME ERROR: 14): the line is up when the list can be read

    def _after(self, events: list[LineEvent]) -> None:
        """Passes events on, and lets the sound and the polls follow the state of the call."""
        if not events:
            return
        self._put(events)
        phase = self._tracker.phase
        self._audio.call_is_up(phase is Phase.TALKING, time.monotonic())
        if phase is not Phase.INCOMING:
            self._answer_at_s = None
        elif self._options.auto_answer and self._answer_at_s is None:
            self._answer_at_s = time.monotonic() + AUTO_ANSWER_AFTER_S
        soon = time.monotonic() + (POLL_IDLE_S if phase is Phase.IDLE else POLL_IN_CALL_S)
        self._next_poll_s = min(self._next_poll_s, soon)

    def _put(self, events: Iterable[LineEvent]) -> None:
        for event in events:
            self._sink(event)

    def _note(self, event: AtEvent) -> None:
        before = self.status
        match event:
            case SimState(state):
                self.status = attrs.evolve(before, sim=state)
            case Registration(domain="CREG"):
                self.status = attrs.evolve(before, registered=event.registered)
            case Signal(dbm):
                self.status = attrs.evolve(before, signal_dbm=dbm)
        if self.status.sim not in {before.sim, "READY"}:
            log.warning("the SIM of %s says %s: it needs care before it can call", self.line, self.status.sim)
        if before.registered and self.status.registered is False:
            log.warning("%s lost its network", self.line, extra=self._extra)

    # -- orders, on the port's thread ----------------------------------------------------------------------------

    def _dial(self, number: str) -> None:
        bare = re.sub(r"[\s()./-]", "", number)
        if not re.fullmatch(r"\+?[0-9*#]{1,40}", bare, re.ASCII):
            log.warning("will not dial %s: it is no telephone number", redact(number), extra=self._extra)
            self._after(self._tracker.dial_refused(number, EndCause.FAILED, self._clock.now()))
            return
        row = attrs.evolve(self._dialect.dial, send=self._dialect.dial.send.format(number=bare))
        command = command_of(row, dials=True, on_answer=lambda answer: self._dialed(bare, answer))
        if not self._up or not self._session.send(command, urgent=True):
            log.warning("cannot dial: the module of %s is not there", self.line, extra=self._extra)

    def _dialed(self, number: str, answer: Answer) -> None:
        now = self._clock.now()
        if answer.ok:
            self._after(self._tracker.dialing(number, now))
            return
        causes = {"BUSY": EndCause.BUSY, "NO ANSWER": EndCause.NO_ANSWER}
        log.info("the module answered %s to a dial", answer.result, extra=self._extra)
        self._after(self._tracker.dial_refused(number, causes.get(answer.result or "", EndCause.FAILED), now))

    def _answer(self) -> None:
        self._answer_at_s = None
        if self._tracker.phase is Phase.INCOMING:
            self._session.send(command_of(self._dialect.answer, on_answer=self._answered), urgent=True)

    def _answered(self, answer: Answer) -> None:
        if not answer.ok:
            log.warning("the module answered %s to the order to answer", answer.result, extra=self._extra)
        self._poll()

    def _hang_up(self) -> None:
        if not self._up:
            return
        self._tracker.hanging_up()
        hang_up: list[Command] = [command_of(self._dialect.hang_up, on_answer=self._hung_up)]
        self._session.send(*hang_up, *self._audio.off_commands(), urgent=True)

    def _hung_up(self, answer: Answer) -> None:
        if not answer.ok:
            log.warning("the module answered %s to the order to hang up", answer.result, extra=self._extra)
        self._tracker.hung_up(self._clock.now())

    def _make_source(self) -> PcmSource | None:
        options = self._options
        if options.audio_port is None or self._dialect.audio is None:
            return None
        handset = None
        if options.handset_capture or options.handset_playback:
            handset = Bridge(self.line, capture=options.handset_capture, playback=options.handset_playback)
        return PcmSource(self.line, port=options.audio_port, clock=self._clock, handset=handset)
