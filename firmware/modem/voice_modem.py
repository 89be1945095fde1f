"""The line driver for USB voice modems (Conexant CX930xx, USR5637): caller ID, answer, sound, digits, hang up.

A voice modem must hold the line to hear it (AT+VLS=1): it answers and dials for the box, it does not listen in.
Commands and events: ITU-T V.253; Conexant CX930xx command reference 102752C; USR5637 manual; and what callattendant
and NCID have seen of real ones.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from attrs import field, frozen, validators

from firmware.errors import DeviceError
from firmware.events import (
    CallEnded,
    CallerId,
    DialStarted,
    EndCause,
    LineCondition,
    LineDown,
    LineEvent,
    LineUp,
    OffHook,
    OnHook,
    Ring,
    RingPaused,
)
from firmware.log import redact
from firmware.model import LineId, LineKind
from firmware.modem.at_events import AtEvent, CallResult, Ringing, Unknown
from firmware.modem.dle import END, STOP, DleEvent, Sound, SoundEnded, shield, to_s16, to_u8
from firmware.modem.engine import Answer, Command
from firmware.modem.voice_callerid import CallerIdText
from firmware.modem.voice_port import VoicePort
from firmware.modem.voice_source import RATE_HZ, VoiceSource
from firmware.ports import AudioSource, Clock, EventSink

log = logging.getLogger("offhook.modem")

_BURST_S: Final = 1.5
"""RING tells that a burst began, or was there; bursts last 0.4 to 2 s (ITU-T E.180 supplement 2)."""
_CALLER_QUIET_S: Final = 0.4
"""A caller ID is over when its lines stop for this long."""
_WATCHDOG_S: Final = 10.0
_NO_SOUND_S: Final = 3.0
"""A modem that holds the line and sends nothing for so long has wedged (callattendant issues 11, 105)."""
_DIAL_TIMEOUT_S: Final = 45.0
_STANDARDS: Final = {"bell202": "00", "v23_japan": "01", "etsi_fsk": "02", "sin227": "03", "etsi_dtmf": "05"}
"""CX930xx keep their caller-ID standard in RAM at 4886 (callattendant README); it is told anew at each start."""


@frozen(kw_only=True)
class Family:
    """What differs between modems: the sound format command (8-bit unsigned at 8 kHz in both)."""

    ati: str
    sound: str


FAMILIES: Final = {
    "conexant": Family(ati="56000", sound="AT+VSM=1,8000,0,0"),
    "usr5637": Family(ati="5601", sound="AT+VSM=128,8000"),
}


@frozen(kw_only=True)
class VoiceModemOptions:
    """``[lines.options]`` of a line on a voice modem."""

    port: str = field(validator=validators.min_len(1))
    """The modem's serial port (``/dev/serial/by-path/...``)."""
    family: str = field(default="conexant", validator=validators.in_(tuple(FAMILIES)))
    caller_id: str | None = field(default=None, validator=validators.optional(validators.in_(tuple(_STANDARDS))))
    """The exchange's caller-ID standard, for CX930xx; not given: the modem's own (Bell 202)."""


@dataclass(slots=True)
class _Timers:
    """Moments on time.monotonic(); None: nothing to wait for."""

    pause: float | None = None
    caller: float | None = None
    watchdog: float = 0.0
    sound: float | None = None


class VoiceModemLine:
    """One voice modem. Everything but the public methods happens on the port's thread."""

    kind: ClassVar[LineKind] = LineKind.ANALOG
    options_type: ClassVar[type[VoiceModemOptions]] = VoiceModemOptions
    actions: ClassVar[frozenset[str]] = frozenset({"dial", "answer", "hang_up", "digits", "play"})

    def __init__(self, line: LineId, options: VoiceModemOptions, sink: EventSink, clock: Clock) -> None:
        self._line = line
        self._options = options
        self._family = FAMILIES[options.family]
        self._sink = sink
        self._clock = clock
        self._source = VoiceSource(line)
        self._port = VoicePort(line, path=options.port, talk=self, set_up=self._set_up())
        self._extra = {"offhook": {"line": line}}
        self._said_lost = False
        self._reset()

    def _reset(self) -> None:
        self._up = False
        self._holds = False
        self._in_call = False
        self._extension = False
        self._releasing = False
        self._caller = CallerIdText()
        self._timers = _Timers()
        self._after_sound: list[Callable[[], None]] = []

    def start(self) -> None:
        self._port.start()

    def stop(self) -> None:
        self._port.stop()

    def audio_source(self) -> AudioSource | None:
        return self._source

    def dial(self, number: str) -> None:
        bare = re.sub(r"[\s()./-]", "", number)
        if not re.fullmatch(r"\+?[0-9*#ABCD]{1,40}", bare, re.ASCII):
            raise DeviceError(
                f"line {self._line}: {len(number)} characters that are no telephone number were not dialled"
            )
        if self._extension:
            raise DeviceError(f"line {self._line}: a telephone on this line is in use; hang it up first")
        self._port.post(lambda: self._dial(bare.lstrip("+")))

    def answer(self) -> None:
        self._port.post(self._answer)

    def hang_up(self) -> None:
        self._port.post(self._hang_up)

    def play(self, pcm: bytes) -> None:
        """Plays s16le mono 8 kHz into the call; it is recorded too, as the modem hears nothing while it speaks."""
        self._port.post(lambda: self._play(pcm))

    def send_digits(self, digits: str) -> None:
        """Sends DTMF into the call. Raises `DeviceError` for what no keypad has."""
        if not re.fullmatch(r"[0-9*#ABCD]{1,40}", digits, re.ASCII):
            raise DeviceError(f"line {self._line}: only 0 to 9, *, # and A to D can be pressed")
        tones = Command(f"AT+VTS={','.join(digits)}", timeout_s=1 + 0.3 * len(digits))
        self._port.post(lambda: self._between(lambda: self._port.send(tones)))

    # --- what the port tells, on its thread -------------------------------------------------------------------------

    def on_ready(self) -> None:
        self._reset()
        self._up, self._said_lost = True, False
        self._timers.watchdog = time.monotonic() + _WATCHDOG_S
        self._source.there(True)
        self._tell(LineUp(line=self._line, at=self._clock.now(), condition=LineCondition.IDLE))

    def on_lost(self, reason: str) -> None:
        if self._up:
            self._source.there(False)
        if self._up or not self._said_lost:
            self._said_lost = True
            self._tell(LineDown(line=self._line, at=self._clock.now(), reason=reason))
        self._reset()

    def on_event(self, event: AtEvent) -> None:
        if not self._up:
            return
        match event:
            case Ringing():
                self._rings()
            case CallResult():
                self._far_end_gone()
            case Unknown(text) if re.fullmatch(r"RING [A-C1-5]", text):
                self._rings()
            case Unknown(text) if self._caller.feed(text):
                self._timers.caller = time.monotonic() + _CALLER_QUIET_S
            case _:
                log.debug("the voice modem said something unknown", extra=self._extra)

    def on_piece(self, piece: Sound | DleEvent | SoundEnded) -> None:
        if not self._up:
            return
        match piece:
            case Sound(data):
                self._timers.sound = time.monotonic() + _NO_SOUND_S
                self._source.put(to_s16(data), self._clock.now())
            case SoundEnded():
                self._source.flush()
                self._timers.sound = None
                todo, self._after_sound = self._after_sound, []
                for do in todo:
                    do()
            case DleEvent(code):
                self._dle(code)

    def _dle(self, code: str) -> None:
        now = self._clock.now()
        if code == "R":
            self._rings()
        elif code in "HP" and not self._holds and not self._extension:
            self._extension = True
            self._stop_ringing()
            self._tell(OffHook(line=self._line, at=now))
        elif code in "hp" and self._extension:
            self._extension = False
            self._tell(OnHook(line=self._line, at=now))
        elif code in "bdlsq" and self._in_call:
            self._far_end_gone()

    def on_time(self) -> float:
        """Seconds until it wants to be called again."""
        if not self._up:
            return 1.0
        now_s, timers = time.monotonic(), self._timers
        if timers.caller is not None and now_s >= timers.caller:
            self._tell_caller()
        if timers.pause is not None and now_s >= timers.pause:
            timers.pause = None
            self._tell(RingPaused(line=self._line, at=self._clock.now()))
        if timers.sound is not None and now_s >= timers.sound:
            self._port.give_up(f"the voice modem stopped sending sound: unplug it for {_WATCHDOG_S:g} s")
        if now_s >= timers.watchdog:
            timers.watchdog = now_s + _WATCHDOG_S
            if not self._port.in_sound:
                self._port.send(Command("AT"))
        due = [t for t in (timers.caller, timers.pause, timers.sound, timers.watchdog) if t is not None]
        return max(0.01, min(due) - now_s)

    # --- the call ---------------------------------------------------------------------------------------------------

    def _rings(self) -> None:
        if self._holds or self._extension:
            return
        if self._caller.complete:
            self._tell_caller()
        self._tell(Ring(line=self._line, at=self._clock.now()))
        self._timers.pause = time.monotonic() + _BURST_S

    def _stop_ringing(self) -> None:
        self._timers.pause = None

    def _tell_caller(self) -> None:
        caller, self._caller, self._timers.caller = self._caller, CallerIdText(), None
        if caller.complete or caller.name is not None:
            self._tell(
                CallerId(
                    line=self._line,
                    at=self._clock.now(),
                    number=caller.number,
                    name=caller.name,
                    presentation=caller.presentation,
                )
            )

    def _answer(self) -> None:
        if self._up and not self._holds:
            self._holds = True
            self._stop_ringing()
            self._port.send(Command("AT+VLS=1", on_answer=self._answered))

    def _answered(self, answer: Answer) -> None:
        if not answer.ok:
            self._holds = False
            log.warning("the voice modem did not take the line: %s", answer.result, extra=self._extra)
            return
        self._in_call = True
        self._tell(OffHook(line=self._line, at=self._clock.now()))
        self._listen()

    def _dial(self, number: str) -> None:
        if not self._up or self._holds:
            log.warning("cannot dial %s: the line is in use", redact(number), extra=self._extra)
            return
        self._holds = self._in_call = True
        self._tell(DialStarted(line=self._line, at=self._clock.now(), number=number))
        # The semicolon: back to commands after the digits, on the line.
        command = Command(f"ATDT{number};", timeout_s=_DIAL_TIMEOUT_S, dials=True, on_answer=self._dialled)
        self._port.send(command)

    def _dialled(self, answer: Answer) -> None:
        if answer.ok:
            if self._in_call:
                self._listen()
            return
        causes = {"BUSY": EndCause.BUSY, "NO ANSWER": EndCause.NO_ANSWER}
        self._end(causes.get(answer.result or "", EndCause.FAILED))

    def _listen(self) -> None:
        if self._in_call:
            self._port.receive_sound()
            self._timers.sound = time.monotonic() + _NO_SOUND_S + 2

    def _hang_up(self) -> None:
        if self._in_call:
            self._in_call = False
            self._release(lambda: self._tell(OnHook(line=self._line, at=self._clock.now())))

    def _far_end_gone(self) -> None:
        """Busy or dial tone, an open loop, or a long silence: whoever was there has left."""
        if self._in_call:
            self._end(EndCause.NORMAL)

    def _end(self, cause: EndCause) -> None:
        self._in_call = False
        self._tell(CallEnded(line=self._line, at=self._clock.now(), cause=cause))
        self._release(lambda: None)

    def _release(self, then: Callable[[], None]) -> None:
        def released(answer: Answer) -> None:
            self._holds = False
            if not answer.ok:
                log.warning("the voice modem did not let go of the line: %s", answer.result, extra=self._extra)
            then()

        self._timers.sound = None
        self._between(lambda: self._port.send(Command("AT+VLS=0", on_answer=released)), listen_again=False)

    def _between(self, do: Callable[[], None], *, listen_again: bool = True) -> None:
        """Does ``do`` when the modem has stopped sending sound; commands are taken only then."""

        def then() -> None:
            do()
            if listen_again:
                self._listen()

        if self._port.in_sound:
            self._after_sound.append(then)
            if len(self._after_sound) == 1:
                self._port.write(STOP)
        else:
            then()

    def _play(self, pcm: bytes) -> None:
        if not self._in_call:
            return

        def begin() -> None:
            self._port.speak(shield(to_u8(pcm)) + END, self._listen)
            self._source.put(pcm, self._clock.now().plus_s(len(pcm) / 2 / RATE_HZ))

        self._timers.sound = None
        self._between(begin, listen_again=False)

    def _set_up(self) -> tuple[Command, ...]:
        """The start sequence; +VCID is lost at each reset and told anew (home-assistant core issue 57765)."""
        texts = ["ATZ", "ATE0", "ATS0=0", "AT+FCLASS=8", "AT+VCID=1", self._family.sound]
        if self._options.caller_id is not None:
            texts.append(f"AT!4886={_STANDARDS[self._options.caller_id]}")
        return tuple(Command(text, timeout_s=3.0) for text in texts)

    def _tell(self, event: LineEvent) -> None:
        if isinstance(event, LineDown):
            log.warning("line lost", extra={"offhook": {"line": self._line, "reason": event.reason}})
        self._sink(event)
