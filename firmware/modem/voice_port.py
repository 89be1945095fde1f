"""The serial port of a voice modem and the only thread that touches it: commands, sound and events, over any losses."""

from __future__ import annotations

import errno
import logging
import os
import select
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import serial

from firmware.errors import DeviceError
from firmware.modem.at_events import AtEvent
from firmware.modem.dle import DleEvent, DleReader, Sound, SoundEnded, Text
from firmware.modem.engine import Answer, AtEngine, Command, PortDead
from firmware.modem.waker import Waker
from firmware.worker import Worker

log = logging.getLogger("offhook.modem")

BAUD: Final = 115200
"""8-bit sound at 8 kHz needs 80 000 baud on a real UART; USB modems ignore it."""
_RETRY_S: Final = (0.5, 1.0, 2.0, 4.0)
_LONGEST_WAIT_S: Final = 1.0
_STALLED_S: Final = 3.0
_CLOSES_S: Final = 0.5
"""How long the OK behind the end of the modem's sound is waited for (ITU-T V.253: <DLE><ETX>, then OK)."""
UNPLUGGED: Final = "the voice modem was unplugged: plug it in again"
WEDGED: Final = "the voice modem does not answer: unplug it for ten seconds and plug it in again"


class Talk(Protocol):
    """What the owner wants to hear. Every call comes on the port's thread."""

    def on_ready(self) -> None: ...

    def on_event(self, event: AtEvent) -> None: ...

    def on_piece(self, piece: Sound | DleEvent | SoundEnded) -> None: ...

    def on_lost(self, reason: str) -> None: ...

    def on_time(self) -> float: ...


class _LostError(DeviceError):
    """The conversation is over; the text is a phrase for the admin."""


class VoicePort:
    """From `start` to `stop`; `send`, `write` and the rest only on its own thread, `post` from any."""

    def __init__(self, name: str, *, path: str, talk: Talk, set_up: Sequence[Command]) -> None:
        self._path = path
        self._talk = talk
        self._set_up_commands = set_up
        self._orders: deque[Callable[[], None]] = deque()
        self._waker = Waker()
        self._worker = Worker(f"voice-{name}", self._run)
        self._forget()
        self._given_up: str | None = None

    def _forget(self) -> None:
        self._engine = AtEngine()
        self._reader = DleReader()
        self._out = bytearray()
        self._taken_s = 0.0
        self._said: Callable[[], None] | None = None
        self._text = b""
        self._closing: bytes | None = None
        self._closes_s = 0.0

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.request_stop()
        self._waker.ring()
        self._worker.join(5.0)
        self._waker.close()

    def post(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._waker.ring()

    # --- on the port's thread ---------------------------------------------------------------------------------------

    @property
    def in_sound(self) -> bool:
        return self._reader.in_sound

    def send(self, *batch: Command) -> None:
        self._engine.submit(*batch)

    def receive_sound(self) -> None:
        """Has the modem send what it hears, until `dle.STOP` is written."""
        self._engine.submit(Command("AT+VRX", on_answer=self._receiving))
        self._reader.expect_sound()

    def _receiving(self, answer: Answer) -> None:
        if not answer.ok:
            log.warning("the voice modem sends no sound: %s", answer.result, extra={"offhook": {"port": self._path}})

    def speak(self, shielded: bytes, then: Callable[[], None]) -> None:
        """Sends sound to the line; ``then`` when the modem says that the last of it was heard."""

        def connected(answer: Answer) -> None:
            if answer.ok:
                self._said = then
                self.write(shielded)
            else:
                log.warning("the voice modem did not play: %s", answer.result)
                then()

        self._engine.submit(Command("AT+VTX", on_answer=connected))

    def write(self, data: bytes) -> None:
        """Sent as fast as the modem takes it."""
        if not self._out:
            self._taken_s = time.monotonic()
        self._out += data

    def give_up(self, reason: str) -> None:
        """What the modem does is no use any more: it is started anew."""
        self._given_up = reason

    def _run(self, stop: threading.Event) -> None:
        attempt = 0
        while not stop.is_set():
            try:
                with _open(self._path) as port:
                    self._forget()
                    self._given_up = None
                    if self._ready(port, stop):
                        attempt = 0
                        self._talk.on_ready()
                        self._serve(port, stop)
            except _LostError as lost:
                self._talk.on_lost(str(lost))
                self._orders.clear()
            self._pause(stop, _RETRY_S[min(attempt, len(_RETRY_S) - 1)])
            attempt += 1

    def _pause(self, stop: threading.Event, seconds: float) -> None:
        was_there = Path(self._path).exists()
        until_s = time.monotonic() + seconds
        while not stop.is_set() and (left_s := until_s - time.monotonic()) > 0:
            select.select([self._waker], [], [], min(left_s, 0.25))
            self._waker.clear()
            self._orders.clear()
            if not was_there and Path(self._path).exists():
                return

    def _ready(self, port: serial.Serial, stop: threading.Event) -> bool:
        """Talks the modem through its start. False when stopped meanwhile."""
        refused: list[Answer] = []

        def note(answer: Answer) -> None:
            if not answer.ok:
                refused.append(answer)

        # A modem left in the middle of its sound by an earlier process: end it, then speak to it.
        self._write_now(port, b"\x10\x03\x10!\r")
        self._engine.submit(Command("AT", timeout_s=2.0))
        for row in self._set_up_commands:
            self._engine.submit(Command(row.text, timeout_s=row.timeout_s, on_answer=note))
        while not self._engine.idle:
            if stop.is_set():
                return False
            self._step(port, _LONGEST_WAIT_S, quiet=True)
        if any(answer.command.text == "AT+FCLASS=8" for answer in refused):
            raise _LostError(f"the modem at {self._path} has no voice (AT+FCLASS=8): use a voice modem")
        for answer in refused:
            log.info("the voice modem answered %s to %s", answer.result, answer.command.text)
        return True

    def _serve(self, port: serial.Serial, stop: threading.Event) -> None:
        while not stop.is_set():
            while self._orders:
                self._orders.popleft()()
            self._step(port, min(self._talk.on_time(), _LONGEST_WAIT_S))
            if self._given_up is not None:
                raise _LostError(self._given_up)
            if self._out and time.monotonic() - self._taken_s > _STALLED_S:
                raise _LostError(WEDGED)

    def _step(self, port: serial.Serial, wait_s: float, *, quiet: bool = False) -> None:
        now_s = time.monotonic()
        if self._closing is not None:
            wait_s = min(wait_s, self._closes_s - now_s)
        elif not self._reader.in_sound and self._said is None:
            self.write(self._engine.next_bytes(now_s))
        if self._engine.deadline_s is not None:
            wait_s = min(wait_s, self._engine.deadline_s - now_s)
        data = self._exchange(port, max(0.0, wait_s))
        now_s = time.monotonic()
        for piece in self._reader.feed(data):
            if isinstance(piece, Text):
                self._take_text(piece.data, now_s, quiet)
                continue
            if isinstance(piece, SoundEnded):
                self._closing, self._closes_s = b"", now_s + _CLOSES_S
            if not quiet:
                self._talk.on_piece(piece)
        if self._closing is not None and now_s >= self._closes_s:
            text, self._closing = self._closing, None
            self._take_text(text, now_s, quiet)
        outputs, probe = self._engine.on_time(now_s)
        self.write(probe)
        self._take_outputs(outputs, quiet)

    def _take_text(self, data: bytes, now_s: float, quiet: bool) -> None:
        if self._closing is not None:
            # The OK of the sound that ended: the next command would take it for its own.
            self._closing += data
            _, ok, data = self._closing.partition(b"OK\r\n")
            if not ok:
                return
            self._closing = None
        # VCON is to a voice modem what OK is.
        text = data.replace(b"VCON", b"OK")
        if self._said is not None and b"OK" in self._text + text:
            said, self._said = self._said, None
            said()
        self._text = (self._text + text)[-2:]
        self._take_outputs(self._engine.receive(text, now_s), quiet)

    def _take_outputs(self, outputs: Sequence[AtEvent | Answer | PortDead], quiet: bool) -> None:
        for output in outputs:
            if isinstance(output, PortDead):
                raise _LostError(WEDGED)
            if isinstance(output, Answer):
                if output.command.on_answer is not None:
                    output.command.on_answer(output)
            elif not quiet:
                self._talk.on_event(output)

    def _exchange(self, port: serial.Serial, wait_s: float) -> bytes:
        """Writes what the modem takes and reads what it says."""
        try:
            writers = [port.fileno()] if self._out else []
            readable, writable, _ = select.select([port.fileno(), self._waker.fileno()], writers, [], wait_s)
            if self._waker.fileno() in readable:
                self._waker.clear()
            if writable:
                self._write_now(port, b"")
            data: bytes = port.read(4096) if port.fileno() in readable else b""
        except OSError as error:  # pyserial's SerialException is one
            raise _LostError(UNPLUGGED) from error
        return data

    def _write_now(self, port: serial.Serial, data: bytes) -> None:
        self._out += data
        try:
            with suppress(BlockingIOError):
                sent = os.write(port.fileno(), self._out[:4096])
                del self._out[:sent]
                self._taken_s = time.monotonic()
        except OSError as error:
            raise _LostError(UNPLUGGED) from error


def _open(path: str) -> serial.Serial:
    if not Path(path).exists():
        raise _LostError(UNPLUGGED)
    try:
        return serial.Serial(path, BAUD, timeout=0, exclusive=True)
    except (OSError, termios.error) as error:
        if isinstance(error, OSError) and error.errno in {errno.EAGAIN, errno.EBUSY}:
            raise _LostError(f"{path} is in use by another program: stop ModemManager or that program") from error
        raise _LostError(f"{path} cannot be opened: {error}") from error
