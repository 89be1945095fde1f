"""The line driver for AT SIM modules: joins the port, the calls and the sound of one module."""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final

import attrs

from firmware.events import (
    AnswerRequested,
    DialRequested,
    DigitReceived,
    EndCause,
    HangUpRequested,
    LineAlarm,
    LineDown,
    LineEvent,
)
from firmware.log import redact
from firmware.model import LineId, LineKind
from firmware.modem.at_events import AtEvent, DigitHeard, ListedCall
from firmware.modem.audio_switch import AudioSwitch
from firmware.modem.card_voice import CardVoice
from firmware.modem.dialects import AUTO, InitRow, Row, dialect
from firmware.modem.engine import Answer, Command
from firmware.modem.handset_dial import Answer as Lift
from firmware.modem.handset_dial import Dial, SendDigit, Wish
from firmware.modem.handset_dial import HangUp as PutBack
from firmware.modem.handset_keys import HandsetKeys
from firmware.modem.module_care import ModuleCare, ModuleStatus
from firmware.modem.rescue import Rescue
from firmware.modem.session import AtSession, command_of
from firmware.modem.sim_care import PinSource, SimCare
from firmware.modem.sound import sound_of
from firmware.modem.tracker import CallTracker, Phase
from firmware.ports import AudioSource, Clock, EventSink
from firmware.sim import CallMarked, Mark

log = logging.getLogger("offhook.modem")

POLL_IN_CALL_S: Final = 2.0
"""A call can end without a word (telephony facts: USB drop, lost line): its list is asked for this often."""
POLL_IDLE_S: Final = 10.0
"""Also the watchdog: a module that does not answer is found within this, plus the command's own time."""
POLL_NOT_READY_S: Final = 1.0
POLL_SIM_S: Final = 10.0
"""A SIM that is not ready is asked for again: it may be put in, or its PIN entered, at any time."""
DIGITS: Final = "0123456789*#ABCD"
AUTO_ANSWER_AFTER_S: Final = 1.0
"""Leaves the caller ID time to come."""


@attrs.frozen
class AtModemOptions:
    """Options of a line with ``driver = "at-modem"``."""

    at_port: str
    audio_port: str | None = None
    """The tty with the module's sound; without it calls are logged, not recorded."""
    family: str = AUTO
    """One of `firmware.modem.dialects.families`, or ``auto``: the module is asked what it is."""
    audio_device: str | None = None
    """ALSA name of the card its sound comes over: a codec on its analog pins, or its own USB sound card."""
    audio_playback: str | None = None
    """ALSA name of the same card's output, into the module; without it ``audio_device`` where a handset is there."""
    audio_channels: int = attrs.field(default=1, validator=attrs.validators.in_([1, 2]))
    """2: the far side on the left, what is sent to it on the right."""
    handset_capture: str | None = None
    """ALSA name of the local microphone (``plughw:1``)."""
    handset_playback: str | None = None
    """ALSA name of the local earpiece."""
    handset_hook_gpio: int | None = None
    """BCM number of a contact to ground that closes when the handset is lifted: lifting answers."""
    handset_keys: str | None = None
    """Input device of the handset's keys (``/dev/input/by-id/...``): digits dial, its button answers and hangs up."""
    handset_tones: bool = False
    """The handset's keys are tones in its sound (a telephone behind an FXS adapter): while it is lifted (without a hook
    contact: always) and no call is up, its microphone is listened to for digits."""
    second_at_port: str | None = None
    """The module's other AT port, where there is one: asked first when the first does not answer."""
    reset_gpio: int | None = None
    """BCM number of the pin that pulls the module's RESET or PWRKEY to ground."""
    auto_answer: bool = False


class AtModemLine:
    """One SIM module on USB or a UART. Everything but the constructor's arguments belongs to the port's thread."""

    kind: ClassVar[LineKind] = LineKind.SIM
    options_type: ClassVar[type[AtModemOptions]] = AtModemOptions
    actions: ClassVar[frozenset[str]] = frozenset({"dial", "answer", "hang_up", "digits"})

    def __init__(self, line: LineId, options: AtModemOptions, sink: EventSink, clock: Clock) -> None:
        self.line = line
        self._options = options
        self._sink = sink
        self._clock = clock
        self._dialect = dialect("generic" if options.family == AUTO else options.family)
        self._tracker = CallTracker(line)
        self._session = AtSession(line, port=options.at_port, talk=self)
        self._care = ModuleCare(line, options.family, tell=self._tell)
        self._source, flow = sound_of(line, options, self._dialect, clock)
        self._audio = AudioSwitch(None, source=flow, send=self._session.send)
        self._alarms: deque[LineEvent] = deque()
        self._sim = SimCare(
            line,
            send=self._session.send,
            put=self._say,
            clock=clock,
            in_call=lambda: self._tracker.phase is not Phase.IDLE,
            opened=self._session.set_up_again,
        )
        self._audio.on_trouble = self._mark_call
        self._rescue = Rescue(
            line,
            port=options.at_port,
            second_port=options.second_at_port,
            reset_gpio=options.reset_gpio,
            tell=self._tell,
        )
        self._rescue.speak(self._dialect)
        self._keys = HandsetKeys(
            line,
            hook_gpio=options.handset_hook_gpio,
            keys=options.handset_keys,
            ringing=lambda: self._tracker.phase is Phase.INCOMING,
            in_call=lambda: self._tracker.phase in {Phase.TALKING, Phase.DIALING},
            wish=self._handset_wishes,
            tones=options.handset_capture if options.handset_tones else None,
        )
        self._next_sim_s = 0.0
        self._up = False
        self._said_lost = False
        self._polling = False
        self._next_poll_s = 0.0
        self._answer_at_s: float | None = None
        self._extra = {"offhook": {"line": line}}

    @property
    def status(self) -> ModuleStatus:
        """What the module last said about itself. For any thread."""
        return self._care.status

    def command(self, *batch: Command, urgent: bool = False) -> None:
        """Sends commands that stay together; lost when the module is not there. For any thread."""

        def send() -> None:
            self._session.send(*batch, urgent=urgent)

        self._session.post(send)

    def use_pin(self, pin_for: PinSource) -> None:
        """Where the PIN of the SIM card is asked for. Before `start`."""
        self._sim.pin_for = pin_for

    def sim_order(self, order: Callable[[SimCare], None]) -> None:
        """Has ``order`` called on the port's thread. For any thread."""
        self._session.post(lambda: order(self._sim))

    def start(self) -> None:
        self._session.start()
        self._keys.start()

    def stop(self) -> None:
        self._keys.stop()
        self._session.stop()

    def audio_source(self) -> AudioSource | None:
        return self._source

    def dial(self, number: str) -> None:
        self._session.post(lambda: self._dial(number))

    def answer(self) -> None:
        self._session.post(self._answer)

    def hang_up(self) -> None:
        self._session.post(self._hang_up)

    def send_digits(self, digits: str) -> None:
        """Sends DTMF into the call. What is no digit is left out."""
        self._session.post(lambda: self._send_digits(digits))

    # -- what the session tells, on the port's thread ------------------------------------------------------------

    def on_identity(self, maker: str, model: str) -> Sequence[InitRow]:
        self._dialect = self._care.on_identity(maker, model)
        audio = self._dialect.usb_audio if self._options.audio_device is not None else self._dialect.audio
        self._audio.speak(audio)
        self._sim.speak(self._dialect.brand)
        self._rescue.speak(self._dialect)
        check = self._dialect.voice_check
        rows = [*self._dialect.init, *(self._audio.init_rows)]
        return [*rows, InitRow(check.send, check.source, check.timeout_s)] if check is not None else rows

    def on_ready(self, answers: Sequence[Answer]) -> None:
        self._care.on_ready(answers)
        self._up, self._polling, self._answer_at_s = False, False, None
        self._audio.forget()
        self._poll()
        self._sim.on_ready()
        self._rescue.on_ready()

    def on_event(self, event: AtEvent) -> None:
        self._care.on_event(event)
        self._sim.on_event(event)
        if not self._up:
            return
        now = self._clock.now()
        if isinstance(event, DigitHeard) and self._tracker.phase is Phase.TALKING:
            self._put([DigitReceived(line=self.line, at=now, digit=event.digit)])
        self._after(self._tracker.on_event(event, now))

    def on_lost(self, reason: str) -> None:
        self._audio.forget()
        if isinstance(self._source, CardVoice):
            self._source.call_is_up(False)
        self._sim.on_lost()
        if self._up or not self._said_lost:
            self._up, self._said_lost = False, True
            self._put([LineDown(line=self.line, at=self._clock.now(), reason=reason)])
        self._rescue.on_lost(reason)

    def on_time(self) -> float:
        now, now_s = self._clock.now(), time.monotonic()
        self._care.on_time(now_s)
        care_wait_s = self._sim.on_time(now_s)
        if self._care.sim_wanted and now_s >= self._next_sim_s:
            self._next_sim_s = now_s + POLL_SIM_S
            self._session.send(Command("AT+CPIN?", 15.0, prefix="+CPIN:", on_answer=self._care.on_sim))
        if not self._up:
            if now_s >= self._next_poll_s:
                self._poll()
            return max(0.01, min(care_wait_s, self._next_poll_s - now_s))
        self._after(self._tracker.on_time(now))
        self._cure_sound()
        if self._answer_at_s is not None and now_s >= self._answer_at_s:
            self._answer()
        asked = self._tracker.ask_at
        if now_s >= self._next_poll_s or (asked is not None and asked.boot_ns <= now.boot_ns):
            self._poll()
        waits = [care_wait_s, self._next_poll_s - now_s, self._audio.on_time(now_s)]
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
        wait_s = POLL_NOT_READY_S if not self._up else POLL_IDLE_S if idle else POLL_IN_CALL_S
        self._next_poll_s = time.monotonic() + wait_s

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
        elif (reason := self._care.sim_trouble(answer)) is not None and not self._said_lost:
            self._said_lost = True
            self._put([LineDown(line=self.line, at=now, reason=reason)])
        # else a SIM that is still busy (+CME ERROR: 14): the line is up when the list can be read

    def _after(self, events: list[LineEvent]) -> None:
        """Passes events on, and lets the sound and the polls follow the state of the call."""
        if not events:
            return
        self._put(events)
        phase = self._tracker.phase
        self._audio.call_is_up(phase is Phase.TALKING, time.monotonic())
        if isinstance(self._source, CardVoice):
            self._source.call_is_up(phase is Phase.TALKING)
        if phase is not Phase.INCOMING:
            self._answer_at_s = None
        elif self._options.auto_answer and self._answer_at_s is None:
            self._answer_at_s = time.monotonic() + AUTO_ANSWER_AFTER_S
        soon = time.monotonic() + (POLL_IDLE_S if phase is Phase.IDLE else POLL_IN_CALL_S)
        self._next_poll_s = min(self._next_poll_s, soon)

    def _put(self, events: Iterable[LineEvent]) -> None:
        for event in events:
            self._sink(event)
        while self._alarms:
            self._sink(self._alarms.popleft())

    def _tell(self, key: str, raised: bool, params: dict[str, str]) -> None:
        alarm = LineAlarm(line=self.line, at=self._clock.now(), key=key, raised=raised, params=tuple(params.items()))
        self._say(alarm)

    def _mark_call(self, mark: Mark, after_s: float) -> None:
        self._say(CallMarked(line=self.line, at=self._clock.now(), mark=mark, after_s=round(after_s, 1)))

    def _cure_sound(self) -> None:
        """Restarts a module whose PCM end point has degraded, between two calls."""
        if not self._audio.cure_wanted or self._tracker.phase is not Phase.IDLE:
            return
        self._audio.cure_wanted = False
        restart = next((step for step in self._dialect.recovery if step.step == "restart"), None)
        if restart is not None:
            log.warning("the sound of %s got worse: %s", self.line, restart.send, extra=self._extra)
            self._rescue.restart_is_meant()
            self._session.send(Command(restart.send, 10.0))
            self._tell("module_sound_cured", True, {})

    def _handset_wishes(self, wish: Wish) -> None:
        """Hook and keys ask for the same things as people at the page, on the same way. For any thread."""
        at, request = self._clock.now(), "handset"
        match wish:
            case Lift():
                self._sink(AnswerRequested(line=self.line, at=at, request=request))
            case PutBack():
                self._sink(HangUpRequested(line=self.line, at=at, request=request))
            case Dial(number):
                self._sink(DialRequested(line=self.line, at=at, request=request, number=number))
            case SendDigit(digit):
                self.send_digits(digit)

    def _say(self, event: LineEvent) -> None:
        """Something beside the calls."""
        self._alarms.append(event)
        if self._up or self._said_lost:  # a line's first word is whether it is there
            self._put([])

    # -- orders, on the port's thread ----------------------------------------------------------------------------

    def _dial(self, number: str) -> None:
        bare = re.sub(r"[\s()./-]", "", number)
        if not re.fullmatch(r"\+?[0-9*#]{1,40}", bare, re.ASCII):
            log.warning("will not dial %s: it is no telephone number", redact(number), extra=self._extra)
            self._after(self._tracker.dial_refused(number, EndCause.FAILED, self._clock.now()))
            return
        row = self._audio.dial or self._dialect.dial
        if not self._up or not self._session.send(self._dial_command(row, bare), urgent=True):
            log.warning("cannot dial: the module of %s is not there", self.line, extra=self._extra)

    def _dial_command(self, row: Row, number: str) -> Command:
        dial = attrs.evolve(row, send=row.send.format(number=number))
        return command_of(dial, dials=True, on_answer=lambda answer: self._dialed(row, number, answer))

    def _dialed(self, row: Row, number: str, answer: Answer) -> None:
        now = self._clock.now()
        if answer.ok:
            self._after(self._tracker.dialing(number, now))
            return
        log.info("the module answered %s to a dial", answer.result, extra=self._extra)
        if row is not self._dialect.dial and answer.refused:
            # It refused the sound that goes with the dial: a call without sound is better than none.
            self._session.send(self._dial_command(self._dialect.dial, number), urgent=True)
            return
        causes = {"BUSY": EndCause.BUSY, "NO ANSWER": EndCause.NO_ANSWER}
        self._after(self._tracker.dial_refused(number, causes.get(answer.result or "", EndCause.FAILED), now))

    def _answer(self) -> None:
        self._answer_at_s = None
        if self._tracker.phase is Phase.INCOMING:
            row = self._audio.answer or self._dialect.answer
            self._session.send(command_of(row, on_answer=lambda answer: self._answered(row, answer)), urgent=True)
        elif self._tracker.phase is Phase.TALKING and self._tracker.somebody_waits:
            row = self._dialect.hold_and_take
            self._session.send(command_of(row, on_answer=lambda answer: self._answered(row, answer)), urgent=True)

    def _answered(self, row: Row, answer: Answer) -> None:
        if not answer.ok:
            log.warning("the module answered %s to the order to answer", answer.result, extra=self._extra)
        if answer.refused and row is self._audio.answer and self._tracker.phase is Phase.INCOMING:
            plain = self._dialect.answer
            self._session.send(command_of(plain, on_answer=lambda said: self._answered(plain, said)), urgent=True)
        self._poll()

    def _send_digits(self, digits: str) -> None:
        if not self._up or self._tracker.phase is not Phase.TALKING:
            log.warning("no call to send digits into", extra=self._extra)
            return
        row, index = self._dialect.digit, self._tracker.index or 1
        for digit in digits:
            if digit in DIGITS:
                self._session.send(command_of(attrs.evolve(row, send=row.send.format(digit=digit, index=index))))

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
