"""Looks after one module's SIM: unlocks it, watches its network, reads and sends messages, asks for the balance.

Lives on the AT port's thread; says what it finds as events.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, Protocol

from firmware.errors import RequestError
from firmware.events import LineAlarm, LineEvent
from firmware.model import LineId
from firmware.modem import sim_words as words
from firmware.modem.at_types import Access, AtEvent, ImsState, Message, Signal, SimInserted, SimState, Unknown, Ussd
from firmware.modem.at_types import Registration as RegistrationSaid
from firmware.modem.care_commands import CareCommands, care_commands
from firmware.modem.engine import Answer, Command
from firmware.modem.message_store import MessageParts
from firmware.modem.sms import Incoming, MessageError, encode
from firmware.ports import Clock
from firmware.sim import (
    MessageKept,
    MessageState,
    NetworkTimeTold,
    PinRefused,
    SignalSampled,
    SimSeen,
    SimStatus,
    UssdAnswered,
)

log = logging.getLogger("offhook.sim")

LOOK_EVERY_S: Final = 60.0
CARD_EVERY_S: Final = 10.0
"""A card that cannot be used is looked at this often: it may be put in, or its PIN be entered, at any time."""
SAMPLE_EVERY_S: Final = 300.0
"""One point of the history; also at each change of registration."""
JUMP_DB: Final = 6
"""A signal that changed by so much is told at once: an antenna was moved, or fell off."""
JUMP_EVERY_S: Final = 5.0
USSD_WITHIN_S: Final = 30.0
"""The network's answer comes as +CUSD, seconds after the OK."""
FEWEST_TRIES: Final = 2
"""A PIN is never sent with fewer tries left: the last one belongs to a person with the card's papers."""
CARD_ALARMS: Final = (
    "sim_missing", "sim_pin_needed", "sim_pin_wrong", "sim_pin_few_tries", "sim_puk_needed", "sim_operator_lock",
    "sim_broken",
)  # fmt: skip
"""What can be wrong with the card: one of them at a time."""

Dialogue = Generator[Sequence[Command], list[Answer], None]
"""Yields commands and gets their answers."""


class PinSource(Protocol):
    """Where the admin's PIN is kept."""

    def __call__(self, line: LineId, iccid: str | None, /) -> str | None:
        """The PIN for this card; None when there is none, or when it was refused before."""
        ...


def no_pin(_line: LineId, _iccid: str | None) -> str | None:
    return None


class SimCare:
    """`on_ready` once the module is set up, then `on_event` and `on_time`, until `on_lost`."""

    def __init__(
        self,
        line: LineId,
        *,
        send: Callable[..., bool],
        put: Callable[[LineEvent], None],
        clock: Clock,
        in_call: Callable[[], bool],
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """``opened``: the card can be used from now on, and could not before. What a module is told while its card is
        locked, it may have refused."""
        self.pin_for: PinSource = no_pin
        self.status = SimStatus()
        self._line = line
        self._send = send
        self._put = put
        self._clock = clock
        self._in_call = in_call
        self._opened = opened
        self._commands: CareCommands = care_commands("generic")
        self._ready = False
        self._next_look_s = 0.0
        self._next_sample_s = 0.0
        self._sampled_dbm: int | None = None
        self._said_status: SimStatus | None = None
        self._alarms: set[str] = set()
        self._ever: set[str] = set()
        self._next_card_s = 0.0
        self._asking: deque[Command] = deque()
        self._in_flight = False
        self._dialogue: Dialogue | None = None
        self._parts = MessageParts()
        self._read_any = False
        self._seen_messages: deque[Incoming] = deque(maxlen=50)
        self._ussd: tuple[str, Future[dict[str, Any]], float] | None = None
        self._reference = 0

    # -- the card --------------------------------------------------------------------------------------------------

    def speak(self, brand: str) -> None:
        """Whose words the module understands."""
        self._commands = care_commands(brand)

    def look_at_card(self) -> None:
        """Asks whether the card can be used, and gives it its PIN when the admin left one for it."""
        if self._ready and self._dialogue is None:
            self._dialogue = self._card()
            self._talk_on(None)

    def _talk_on(self, answers: list[Answer] | None) -> None:
        dialogue = self._dialogue
        if dialogue is None:
            return
        try:
            commands = next(dialogue) if answers is None else dialogue.send(answers)
        except StopIteration:
            self._dialogue = None
            self._say_status()
            return
        got: list[Answer] = []

        def told(answer: Answer) -> None:
            got.append(answer)
            if len(got) == len(commands) and self._dialogue is dialogue:
                self._talk_on(got)

        for command in commands:
            self._send(replace(command, on_answer=told))

    def _card(self) -> Dialogue:
        """The PIN goes out once per word of the admin: what was refused is never sent again."""
        (said,) = yield [Command("AT+CPIN?", 15.0, prefix="+CPIN:")]
        state = _sim_state(said)
        was = self.status.sim
        self.status = replace(self.status, sim=state or was)
        alarm: str | None = None
        if state is None:
            return
        if state == "MISSING":
            alarm = "sim_missing"
        elif state == "SIM PIN":
            yield from self._read_card()
            alarm = yield from self._give_pin()
        elif state == "SIM PUK":
            yield from self._read_card()
            alarm = "sim_puk_needed"
        elif state.startswith("PH-"):
            alarm = "sim_operator_lock"
        elif state == "BROKEN":
            alarm = "sim_broken"
        self._show_alarm(alarm)
        if state == "READY" and was not in {None, "READY"}:
            self._opened()

    def _read_card(self) -> Dialogue:
        tries, card = yield [self._commands.tries, self._commands.iccid]
        if not tries.ok and self._commands.tries_else is not None:
            (tries,) = yield [self._commands.tries_else]
        pin, puk = _first(tries.lines, words.tries_left, (None, None))
        iccid = next((found for line in card.lines if (found := words.iccid(line))), None)
        self.status = replace(self.status, pin_tries=pin, puk_tries=puk, iccid=iccid)

    def _give_pin(self) -> Generator[Sequence[Command], list[Answer], str | None]:
        """The alarm that is due; None when the card took the PIN."""
        pin = self.pin_for(self._line, self.status.iccid)
        if pin is None:
            return "sim_pin_wrong" if "sim_pin_wrong" in self._alarms else "sim_pin_needed"
        tries = self.status.pin_tries
        if tries is None or tries < FEWEST_TRIES:
            log.error("the PIN of %s is not sent: %s tries left", self._line, "unknown" if tries is None else tries)
            return "sim_pin_few_tries"
        (answer,) = yield [Command(f'AT+CPIN="{pin}"', 15.0)]
        if answer.ok:
            log.info("%s took its PIN", self._line)
            self.status = replace(self.status, sim="READY")
            self._opened()
            return None
        self._put(PinRefused(line=self._line, at=self._clock.now()))
        yield from self._read_card()
        return "sim_pin_wrong"

    def unblock(self, puk: str, new_pin: str, done: Future[dict[str, Any]]) -> None:
        """Gives the card its PUK and a new PIN; ten wrong PUKs make a card useless."""
        if self.status.sim != "SIM PUK" or not self._ready:
            done.set_exception(RequestError("wrong_phase", f"the SIM card of {self._line} does not want its PUK"))
            return

        def told(answer: Answer) -> None:
            if answer.ok:
                done.set_result({"sim": "READY"})
            else:
                said = answer.result or "nothing in time"
                done.set_exception(RequestError("invalid", f"the SIM card of {self._line} answered {said} to its PUK"))
            self.look_at_card()

        self._send(Command(f'AT+CPIN="{puk}","{new_pin}"', 15.0, on_answer=told))

    # -- once it is set up ---------------------------------------------------------------------------------------

    def on_ready(self) -> None:
        self._ready = True
        self._asking.clear()
        self._in_flight = False
        self._dialogue = None
        self._next_look_s = self._next_card_s = self._next_sample_s = time.monotonic()
        self._ask_about()
        self.look_at_card()

    def _ask_about(self) -> None:
        """What does not change while the card stays in; messages that came while nobody looked."""
        about = (self._commands.iccid, *self._commands.about)
        self._asking.extend(replace(command, on_answer=self._told) for command in about)
        self._asking.append(Command("AT+CMGL=4", 10.0, free_text=True, on_answer=self._listed))
        self._next_look_s = 0.0

    def on_lost(self) -> None:
        self._ready = False
        self._asking.clear()
        self._dialogue = None
        self._end_ussd("the module is gone")

    def _pump(self) -> None:
        """One question at a time, and none in a call: what the call needs never waits behind them."""
        if self._in_flight or not self._asking or self._in_call() or not self._ready:
            return
        command = self._asking.popleft()
        inner = command.on_answer

        def told(answer: Answer) -> None:
            self._in_flight = False
            if inner is not None:
                inner(answer)
            self._pump()

        self._in_flight = self._send(replace(command, on_answer=told))

    def on_event(self, event: AtEvent) -> None:
        match event:
            case RegistrationSaid() | Signal() | Access() | ImsState():
                self._learn(event)
            case SimState("NOT INSERTED" | "SIM REMOVED"):
                self._card_changed(False)
            case SimState(state) if state not in {"NOT READY", self.status.sim}:
                self.look_at_card()
            case SimInserted(inserted):
                self._card_changed(inserted)
            case Message(index=index):
                self._asking.appendleft(Command(f"AT+CMGR={index}", 10.0, free_text=True, on_answer=self._listed))
            case Ussd(status, text, coding):
                self._hear_ussd(f'+CUSD: {status},"{text or ""}",{15 if coding is None else coding}')
            case Unknown(text):
                came = words.sim_came(text)
                if came is not None:
                    self._card_changed(came)
        self._say_status()

    def on_time(self, now_s: float) -> float:
        """Asks what is due between calls; returns seconds until it wants to be called."""
        if self._ussd is not None and now_s > self._ussd[2]:
            self._end_ussd("the network did not answer in time")
        if not self._ready:
            return LOOK_EVERY_S
        if now_s >= self._next_card_s and self.status.sim != "READY":
            self._next_card_s = now_s + CARD_EVERY_S
            self.look_at_card()
        if now_s >= self._next_look_s and not self._in_call():
            self._next_look_s = now_s + LOOK_EVERY_S
            *most, last = self._commands.state
            self._asking.extend(replace(command, on_answer=self._told) for command in most)
            self._asking.append(replace(last, on_answer=self._looked))
            if self._read_any:
                # By now they are in the database. TS 27.005 3.5.4: deletes all that were read.
                self._read_any = False
                self._asking.append(Command("AT+CMGD=1,1", 10.0))
        self._pump()
        return max(0.1, self._next_look_s - now_s)

    def _looked(self, answer: Answer) -> None:
        self._told(answer)
        now_s = time.monotonic()
        if now_s >= self._next_sample_s:
            self._sample(now_s)

    def _sample(self, now_s: float) -> None:
        self._next_sample_s = now_s + SAMPLE_EVERY_S
        self._sampled_dbm = self.status.signal_dbm
        self._put(SignalSampled(line=self._line, at=self._clock.now(), status=self.status))

    def _told(self, answer: Answer) -> None:
        for event in answer.events:
            self._learn(event)
        for line in answer.lines:
            self._read(line)
        if not self._asking:  # else more comes at once
            self._say_status()

    def _learn(self, event: AtEvent) -> None:
        status = self.status
        match event:
            case RegistrationSaid(domain="CREG", stat=stat):
                self.status = replace(status, circuit=words.registration(stat))
            case RegistrationSaid(domain="CEREG", stat=stat):
                self.status = replace(status, packet=words.registration(stat))
            case Signal(dbm):
                self.status = replace(status, signal_dbm=dbm)
            case ImsState(enabled=enabled, ready=ready):
                self.status = replace(status, ims=enabled and ready)
            case Access(name):
                self.status = replace(status, radio={"utran": "umts"}.get(name or "", name))
        if (
            self._ready
            and status.signal_dbm is not None
            and ((self.status.circuit, self.status.packet) != (status.circuit, status.packet) or self._jumped(event))
        ):
            self._sample(time.monotonic())

    def _jumped(self, event: AtEvent) -> bool:
        """Against the last sample; not more often than every few seconds."""
        if not isinstance(event, Signal) or event.dbm is None or self._sampled_dbm is None:
            return False
        rested = time.monotonic() - (self._next_sample_s - SAMPLE_EVERY_S) >= JUMP_EVERY_S
        return rested and abs(event.dbm - self._sampled_dbm) >= JUMP_DB

    def _read(self, line: str) -> None:
        found: dict[str, Any] = {}
        if (operator := words.operator(line)) is not None:
            found["operator"] = operator[0]
            if operator[1] is not None:
                found["radio"] = operator[1]
        for name, read in (("imei", words.imei), ("iccid", words.iccid), ("own_number", words.own_number),
                           ("ims", words.ims), ("radio", words.radio)):  # fmt: skip
            value = read(line)
            if value is not None:
                found[name] = value
        self.status = replace(self.status, **found)
        utc_ms = words.network_time_utc_ms(line)
        if utc_ms is not None:
            self._put(NetworkTimeTold(line=self._line, at=self._clock.now(), utc_ms=utc_ms))

    def _card_changed(self, inserted: bool) -> None:
        """Hot swap: another card has another number, operator and balance."""
        self.status = SimStatus(imei=self.status.imei, model=self.status.model, sim=None if inserted else "MISSING")
        self._show_alarm(None if inserted else "sim_missing")
        if inserted and self._ready:
            self.look_at_card()
            self._ask_about()

    def _say_status(self) -> None:
        plain = replace(self.status, signal_dbm=None)
        if plain != self._said_status:
            self._said_status = plain
            self._put(SimSeen(line=self._line, at=self._clock.now(), status=self.status))

    # -- what the admin must know --------------------------------------------------------------------------------

    def _show_alarm(self, key: str | None) -> None:
        """The one thing that is wrong with the card, and no other."""
        for other in CARD_ALARMS:
            if other != key:
                self._alarm(other, raised=False)
        if key is not None:
            self._alarm(key, raised=True)

    def _alarm(self, key: str, *, raised: bool) -> None:
        if raised == (key in self._alarms) and key in self._ever:
            return
        self._ever.add(key)  # the first word is always said: an alarm may be left from an earlier run
        (self._alarms.add if raised else self._alarms.discard)(key)
        left = {"pin_tries": self.status.pin_tries, "puk_tries": self.status.puk_tries}
        params = tuple((name, "?" if value is None else str(value)) for name, value in left.items())
        self._put(LineAlarm(line=self._line, at=self._clock.now(), key=key, raised=raised, params=params))

    # -- messages and codes --------------------------------------------------------------------------------------

    def _listed(self, answer: Answer) -> None:
        """PDUs stand on the lines after +CMGL and +CMGR."""
        lines = deque(line for line in answer.lines if not line.startswith(("+CMGL:", "+CMGR:")))
        for line in lines:
            try:
                whole = self._parts.take(line)
            except MessageError as error:
                log.warning("%s: %s", self._line, error)
                continue
            # A message may be told of by +CMTI and stand in the list of all messages, too.
            if whole is not None and whole not in self._seen_messages:
                self._seen_messages.append(whole)
                sent_ms = None if whole.sent is None else round(whole.sent.timestamp() * 1000)
                self._put(
                    MessageKept(
                        line=self._line, at=self._clock.now(), number=whole.number, text=whole.text,
                        state=MessageState.RECEIVED, network_utc_ms=sent_ms,
                    )
                )  # fmt: skip
            self._read_any = True

    def send_message(self, number: str, text: str, done: Future[dict[str, Any]]) -> None:
        try:
            self._reference += 1
            parts = encode(number, text, reference=self._reference)
        except MessageError as error:
            done.set_exception(RequestError("bad_request", str(error)))
            return
        if not self._ready:
            done.set_exception(RequestError("device_lost", f"the module of {self._line} is not there"))
            return
        results: list[Answer] = []

        def told(answer: Answer) -> None:
            results.append(answer)
            if len(results) == len(parts):
                self._message_sent(number, text, results, done)

        for length, pdu in parts:
            body = pdu.encode("ascii") + b"\x1a"
            self._send(Command(f"AT+CMGS={length}", 60.0, prefix="+CMGS:", body=body, on_answer=told))

    def _message_sent(self, number: str, text: str, results: list[Answer], done: Future[dict[str, Any]]) -> None:
        wrong = next((answer for answer in results if not answer.ok), None)
        detail = "" if wrong is None else wrong.result or "no answer in time"
        state = MessageState.SENT if wrong is None else MessageState.FAILED
        kept = MessageKept(line=self._line, at=self._clock.now(), number=number, text=text, state=state, detail=detail)
        self._put(kept)
        if wrong is None:
            done.set_result({"parts": len(results)})
        else:
            done.set_exception(RequestError("not_supported", f"the module of {self._line} answered {detail}"))

    def ask_ussd(self, code: str, done: Future[dict[str, Any]]) -> None:
        if self._ussd is not None or not self._ready or self._in_call():
            why = "it is busy" if self._ready else "it is not there"
            done.set_exception(RequestError("busy", f"the module of {self._line} cannot ask now: {why}; try again"))
            return
        self._ussd = (code, done, time.monotonic() + USSD_WITHIN_S)
        self._send(Command(f'AT+CUSD=1,"{code}",15', 20.0, on_answer=self._ussd_taken))

    def _ussd_taken(self, answer: Answer) -> None:
        for line in answer.lines:
            self._hear_ussd(line)
        if not answer.ok:
            self._end_ussd(f"the module answered {answer.result or 'nothing in time'}")

    def _hear_ussd(self, line: str) -> None:
        heard = words.ussd(line)
        if heard is None or self._ussd is None:
            return
        (code, done, _), (state, text) = self._ussd, heard
        self._ussd = None
        if state == 1:  # it wants an answer: a menu; it is closed
            self._send(Command("AT+CUSD=2", 10.0))
        if not text:
            done.set_exception(RequestError("not_supported", f"the network does not know the code {code}"))
            return
        self._put(UssdAnswered(line=self._line, at=self._clock.now(), code=code, text=text))
        done.set_result({"code": code, "text": text})

    def _end_ussd(self, why: str) -> None:
        if self._ussd is not None:
            _, done, _ = self._ussd
            self._ussd = None
            done.set_exception(RequestError("device_lost", f"no answer to the code: {why}"))


def _sim_state(answer: Answer) -> str | None:
    """``READY``, ``SIM PIN``, ..., ``MISSING``, ``BROKEN``; None while the card is busy or nothing is known."""
    for event in answer.events:
        if isinstance(event, SimState):
            return "MISSING" if event.state in {"NOT INSERTED", "SIM REMOVED"} else event.state
    code = (answer.result or "").removeprefix("+CME ERROR:").strip()
    return {"10": "MISSING", "SIM not inserted": "MISSING", "13": "BROKEN", "15": "BROKEN",
            "SIM failure": "BROKEN", "SIM wrong": "BROKEN"}.get(code)  # fmt: skip


def _first(lines: Sequence[str], read: Callable[[str], Any], otherwise: Any) -> Any:
    return next((found for line in lines if (found := read(line)) != otherwise), otherwise)
