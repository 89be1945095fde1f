"""One AT port's conversation, without the port: one command in flight, its own deadline, events beside it (sans-IO)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from firmware.modem.at_events import AtEvent, CallState, ListedCall, Unknown, parse_line
from firmware.modem.at_lines import AtLine, LineCutter, LineType, line_type

RESYNC_QUIET_S: Final = 0.3
"""After a time-out, late answers may still come: the port counts as in step again when this long nothing came."""
RESYNC_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """One AT command; ``text`` without the line end.

    ``prefix`` marks the lines of its answer (``+CLCC:``); ``free_text`` takes lines nobody knows as its answer, for
    commands that answer without a prefix (AT+CGMM). ``dials``: NO CARRIER, BUSY and NO ANSWER end this command.
    """

    text: str
    timeout_s: float = 5.0
    prefix: str = ""
    free_text: bool = False
    dials: bool = False
    body: bytes = b""
    """Sent when the module asks for it with ``> ``: the text of AT+CMGS with its Ctrl-Z."""
    on_answer: Callable[[Answer], None] | None = None
    """For the engine's owner to call with the answer; the engine only carries it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended. ``result`` is the final line's text, None when none came in time."""

    command: Command
    ok: bool
    lines: tuple[str, ...] = ()
    result: str | None = None

    @property
    def timed_out(self) -> bool:
        return self.result is None

    @property
    def refused(self) -> bool:
        """The module said ERROR in one of its forms (NO CARRIER, BUSY and NO ANSWER are no refusal)."""
        return self.result is not None and line_type(self.result) is LineType.ERROR

    @property
    def events(self) -> tuple[AtEvent, ...]:
        return tuple(parse_line(line) for line in self.lines)


@dataclass(frozen=True, slots=True)
class PortDead:
    """The module answers nothing any more, not even a plain AT."""


Output = AtEvent | Answer | PortDead
_PROBE: Final = Command("AT", timeout_s=RESYNC_TIMEOUT_S)


class AtEngine:
    """Feed it bytes and the time in seconds on any steady clock; take outputs and bytes to send.

    A command that times out leaves the port out of step: its answer may still come and must not be taken for the next
    command's. So a plain AT is sent, and everything up to 300 ms of quiet after its answer is thrown away as an answer
    (events still count). When not even AT is answered, `PortDead` comes once and nothing is sent any more.
    """

    def __init__(self) -> None:
        self._cutter = LineCutter()
        self._batches: deque[deque[Command]] = deque()
        self._in_flight: Command | None = None
        self._lines: list[str] = []
        self._deadline_s: float | None = None
        self._resyncing = False
        self._resync_answered = False
        self._dead = False
        self._batch_begun = False
        self._body_due = b""

    def submit(self, *batch: Command, urgent: bool = False) -> None:
        """Queues commands that stay together; an urgent batch goes before all that have not begun."""
        if not batch:
            return
        if not urgent:
            self._batches.append(deque(batch))
            return
        self._batches.insert(1 if self._batch_begun else 0, deque(batch))

    @property
    def idle(self) -> bool:
        """Nothing is in flight and nothing waits."""
        return self._in_flight is None and not self._batches and not self._resyncing

    @property
    def deadline_s(self) -> float | None:
        """When `on_time` must be called, None while nothing is in flight."""
        return self._deadline_s

    def next_bytes(self, now_s: float) -> bytes:
        """What to write now: the text a command was asked for, or the next command if the port is free."""
        if self._body_due:
            body, self._body_due = self._body_due, b""
            return body
        if self._dead or self._in_flight is not None or self._resyncing or not self._batches:
            return b""
        batch = self._batches[0]
        self._in_flight = batch.popleft()
        self._batch_begun = bool(batch)
        if not batch:
            self._batches.popleft()
        self._lines = []
        self._deadline_s = now_s + self._in_flight.timeout_s
        return self._in_flight.text.encode("ascii", "replace") + b"\r"

    def receive(self, data: bytes, now_s: float) -> list[Output]:
        """What ``data`` says, in order."""
        outputs: list[Output] = []
        for line in self._cutter.feed(data):
            self._take(line, now_s, outputs)
        if self._in_flight is not None and self._in_flight.body and self._cutter.take_prompt():
            self._body_due = self._in_flight.body
        if data and self._resyncing and self._resync_answered:
            self._deadline_s = now_s + RESYNC_QUIET_S
        return outputs

    def on_time(self, now_s: float) -> tuple[list[Output], bytes]:
        """Call at `deadline_s`. Returns outputs, and bytes that must be written (the probe after a time-out)."""
        if self._deadline_s is None or now_s < self._deadline_s:
            return [], b""
        if self._resyncing:
            self._resyncing = False
            self._deadline_s = None
            if self._resync_answered:
                return [], b""
            self._dead = True
            return [PortDead()], b""
        outputs: list[Output] = []
        escape = b""
        if self._in_flight is not None:
            outputs.append(Answer(self._in_flight, ok=False, lines=tuple(self._lines)))
            escape = b"\x1b" if self._in_flight.body else b""  # it may still wait for the text
        self._in_flight = None
        self._resyncing, self._resync_answered = True, False
        self._deadline_s = now_s + RESYNC_TIMEOUT_S
        return outputs, escape + _PROBE.text.encode() + b"\r"

    def _take(self, line: AtLine, now_s: float, outputs: list[Output]) -> None:
        command = self._in_flight
        if line.type is LineType.TEXT:
            self._take_text(line.text, outputs)
        elif command is None and line.type in {LineType.OK, LineType.ERROR}:
            if self._resyncing:
                self._resync_answered = True
                self._deadline_s = now_s + RESYNC_QUIET_S
        elif command is None or (line.type is LineType.CALL_RESULT and not command.dials):
            outputs.append(parse_line(line.text))
        else:
            self._in_flight, self._deadline_s = None, None
            ok = line.type is LineType.OK
            outputs.append(Answer(command, ok=ok, lines=tuple(self._lines), result=line.text))

    def _take_text(self, text: str, outputs: list[Output]) -> None:
        command = self._in_flight
        event = parse_line(text)
        if command is None:
            if not (self._resyncing and text == _PROBE.text):
                outputs.append(event)
        elif text == command.text:
            pass  # echo: the module was reset and forgot ATE0
        elif isinstance(event, ListedCall) and event.state is CallState.GONE:
            outputs.append(event)  # state 6 is only ever pushed, even in the middle of an answer to AT+CLCC
        elif (command.prefix and text.startswith(command.prefix)) or (command.free_text and isinstance(event, Unknown)):
            self._lines.append(text)
        else:
            outputs.append(event)
