"""Runs one AT port: the only thread that touches it opens it, sets the module up, and starts over when it is lost."""

from __future__ import annotations

import errno
import logging
import re
import select
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import serial

from firmware.errors import DeviceError
from firmware.modem.at_events import AtEvent, Booted
from firmware.modem.dialects import InitRow, Row
from firmware.modem.engine import Answer, AtEngine, Command, PortDead
from firmware.modem.waker import Waker
from firmware.worker import Worker

log = logging.getLogger("offhook.modem")

BAUD: Final = 115200
"""USB modules ignore it; 921600 lost sound on one (callpilot issue 119)."""
BACKOFF_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
FIRST_WORD_TIMEOUT_S: Final = 2.0
LONGEST_WAIT_S: Final = 1.0

UNPLUGGED: Final = "USB device was unplugged"
NO_ANSWER: Final = "module does not answer"
RESTARTED: Final = "module restarted by itself: check its power supply"


RESTARTS: Final = "module keeps restarting: its power supply is too weak, or its cable too thin"
MOST_STARTS: Final = 3

_AWAKE: Final = Command("AT", timeout_s=FIRST_WORD_TIMEOUT_S)
_IDENTITY: Final = (Command("AT+CGMI", free_text=True), Command("AT+CGMM", free_text=True))


class Talk(Protocol):
    """What the session's owner wants to hear. Every call comes on the port's thread."""

    def on_identity(self, maker: str, model: str) -> Sequence[InitRow]:
        """What the module says it is (AT+CGMI, AT+CGMM; empty: nothing); returns the start sequence to send."""
        ...

    def on_ready(self, answers: Sequence[Answer]) -> None:
        """The module has been set up; ``answers`` are those of the start sequence."""
        ...

    def on_event(self, event: AtEvent) -> None: ...

    def on_lost(self, reason: str) -> None:
        """The port is gone or useless, or was never there; said at every attempt that fails."""
        ...

    def on_time(self) -> float:
        """Called at least once a second while the module is ready; returns seconds until it wants to be called."""
        ...


class AtSession:
    """A conversation with the module at ``port``, from `start` to `stop`, over any number of losses."""

    def __init__(self, name: str, *, port: str, talk: Talk) -> None:
        self._port_path = port
        self._talk = talk
        self._orders: deque[Callable[[], None]] = deque()
        self._waker = Waker()
        self._worker = Worker(f"at-{name}", self._run)
        self._extra = {"offhook": {"line": name, "port": port}}
        self._link: _Link | None = None
        self._booted = False
        self._again = False
        self._complained = ""

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        """Returns when the port is closed, within 5 s."""
        self._worker.request_stop()
        self._waker.ring()
        self._worker.join(5.0)
        self._waker.close()

    def post(self, order: Callable[[], None]) -> None:
        """Has ``order`` called on the port's thread soon. For any thread."""
        self._orders.append(order)
        self._waker.ring()

    def send(self, *batch: Command, urgent: bool = False) -> bool:
        """Queues commands that stay together. Only on the port's thread. False when the module is not there."""
        if self._link is None:
            return False
        self._link.engine.submit(*batch, urgent=urgent)
        return True

    def set_up_again(self) -> None:
        """The module forgot, or never took, what it was told: the start sequence is sent anew. On the port's thread."""
        self._again = True

    def _run(self, stop: threading.Event) -> None:
        attempt = 0
        while not stop.is_set():
            try:
                with _open(self._port_path) as port:
                    self._link = _Link(port, self._waker)
                    answers = self._set_up(stop)
                    if answers is not None:
                        attempt, self._complained = 0, ""
                        self._talk.on_ready(answers)
                        self._serve(stop)
            except _LostError as lost:
                self._lost(str(lost))
            finally:
                self._link = None
            if not stop.is_set():
                self._pause(stop, BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
                attempt += 1

    def _lost(self, reason: str) -> None:
        self._talk.on_lost(reason)
        if reason != self._complained:  # once per reason, not once per attempt
            log.warning("%s: %s; looking for it again", self._port_path, reason, extra=self._extra)
            self._complained = reason

    def _pause(self, stop: threading.Event, seconds: float) -> None:
        """Waits ``seconds``, less when the port comes back meanwhile."""
        until = time.monotonic() + seconds
        was_there = Path(self._port_path).exists()
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            select.select([self._waker], [], [], min(left, BACKOFF_S[0]))
            self._waker.clear()
            self._run_orders()
            if not was_there and Path(self._port_path).exists():
                return

    def _set_up(self, stop: threading.Event) -> list[Answer] | None:
        """Talks the module through its start sequence. None when stopped meanwhile.

        A module that says RDY meanwhile has only just started and forgot what it was told: it is told again.
        """
        for _ in range(MOST_STARTS):
            self._booted = False
            identity = self._ask(stop, [_AWAKE, *_IDENTITY])
            if identity is None:
                return None
            maker, model = (_said(answer) for answer in identity[1:])
            rows = self._talk.on_identity(maker, model)
            answers = self._ask(stop, [command_of(row, free_text=True) for row in rows])
            if answers is None:
                return None
            if not self._booted:
                for row, answer in zip(rows, answers, strict=True):
                    self._check(row, answer)
                return answers
        raise _LostError(RESTARTS)

    def _ask(self, stop: threading.Event, commands: Sequence[Command]) -> list[Answer] | None:
        """The answers to ``commands``, in order. None when stopped meanwhile."""
        link = self._link
        assert link is not None
        answers: list[Answer] = []
        for command in commands:
            link.engine.submit(replace(command, on_answer=answers.append))
        while not link.engine.idle:
            if stop.is_set():
                return None
            link.step(LONGEST_WAIT_S, on_event=self._hear_early)
            self._run_orders()
        return answers

    def _hear_early(self, event: AtEvent) -> None:
        """A call that begins during the start sequence is in the list asked for next."""
        self._booted = self._booted or isinstance(event, Booted)
        self._talk.on_event(event)

    def _check(self, row: InitRow, answer: Answer) -> None:
        if answer.ok:
            return
        said = answer.result or "nothing in time"
        if row.required and not _SIM_NOT_READY.fullmatch(said):
            raise _LostError(f"module answered {said} to {row.send}: is it in the settings as what it is?")
        log.info("%s answered %s to %s", self._port_path, said, row.send, extra=self._extra)

    def _serve(self, stop: threading.Event) -> None:
        link = self._link
        assert link is not None
        self._again = False
        while not stop.is_set() and not self._again:
            self._run_orders()
            wait_s = min(self._talk.on_time(), LONGEST_WAIT_S)
            link.step(wait_s, on_event=self._hear)

    def _hear(self, event: AtEvent) -> None:
        if isinstance(event, Booted):
            raise _LostError(RESTARTED)
        self._talk.on_event(event)

    def _run_orders(self) -> None:
        while self._orders:
            self._orders.popleft()()


class _LostError(DeviceError):
    """The conversation is over; the text is a phrase for the admin."""


class _Link:
    """One open port with its engine."""

    def __init__(self, port: serial.Serial, waker: Waker) -> None:
        self.engine = AtEngine()
        self._port = port
        self._waker = waker

    def step(self, wait_s: float, *, on_event: Callable[[AtEvent], None]) -> None:
        """Writes what is due, waits for bytes, an order or a deadline at most ``wait_s``, and tells what came."""
        self._write(self.engine.next_bytes(time.monotonic()))
        deadline_s = self.engine.deadline_s
        if deadline_s is not None:
            wait_s = min(wait_s, deadline_s - time.monotonic())
        try:
            readable, _, _ = select.select([self._port.fileno(), self._waker.fileno()], [], [], max(wait_s, 0.0))
            if self._waker.fileno() in readable:
                self._waker.clear()
            data = self._port.read(4096) if self._port.fileno() in readable else b""
        except OSError as error:  # pyserial's SerialException is one
            raise _LostError(UNPLUGGED) from error
        now_s = time.monotonic()
        outputs = self.engine.receive(data, now_s)
        late, probe = self.engine.on_time(now_s)
        self._write(probe)
        for output in [*outputs, *late]:
            if isinstance(output, PortDead):
                raise _LostError(NO_ANSWER)
            if isinstance(output, Answer):
                if output.command.on_answer is not None:
                    output.command.on_answer(output)
            else:
                on_event(output)

    def _write(self, data: bytes) -> None:
        if not data:
            return
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise _LostError(NO_ANSWER) from error
        except OSError as error:
            raise _LostError(UNPLUGGED) from error


def _open(path: str) -> serial.Serial:
    if not Path(path).exists():
        raise _LostError(UNPLUGGED)
    try:
        return serial.Serial(path, BAUD, timeout=0, write_timeout=1.0, exclusive=True)
    except (OSError, termios.error) as error:  # pyserial's SerialException is an OSError
        if isinstance(error, OSError) and error.errno in {errno.EAGAIN, errno.EBUSY}:
            raise _LostError("port is in use by another program: stop ModemManager or that program") from error
        raise _LostError(f"port cannot be opened: {error}") from error


def command_of(
    row: Row, *, on_answer: Callable[[Answer], None] | None = None, free_text: bool = False, dials: bool = False
) -> Command:
    """The command a dialect's row describes. ``AT+CREG?`` is answered by lines that begin with ``+CREG:``."""
    return Command(row.send, row.timeout_s, prefix=_prefix(row), free_text=free_text, dials=dials, on_answer=on_answer)


def _prefix(row: Row) -> str:
    """What the lines of the answer begin with: ``+CREG:`` for AT+CREG?, ``+QCFG:`` for AT+QCFG="ims"."""
    match = _QUERY.fullmatch(row.send)
    return match[1] + ":" if match is not None else ""


_QUERY: Final = re.compile(r'AT([+^][A-Z0-9]+)(?:\?|="\w+")?')


def _said(answer: Answer) -> str:
    """The text of an answer that has only one line, without the command's name (``+CGMM: ``) where that is said too."""
    if not answer.ok or not answer.lines:
        return ""
    said = answer.lines[0]
    return (said.partition(":")[2] if said.startswith("+") else said).strip().strip('"')


_SIM_NOT_READY: Final = re.compile(r"\+CME ERROR: (?:5|1[0-8]|40|SIM .*)")
"""3GPP TS 27.007 9.2: the module is what it should be, its card is not (yet)."""
