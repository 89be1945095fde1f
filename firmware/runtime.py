"""The core loop: one thread, one inbox, all state of all lines; effects go out, nothing comes back but events."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from firmware.call_machine import leave, step
from firmware.effects import (
    Account,
    Anomaly,
    DriveLine,
    Effect,
    Fault,
    LineAction,
    ListenFor,
    RaiseAlarm,
    Refuse,
    ResolveAlarm,
    SaveCall,
    StartRecording,
    StopRecording,
)
from firmware.errors import DeviceError, RequestError
from firmware.events import (
    AnswerRequested,
    DialRequested,
    FlashRequested,
    HangUpRequested,
    LineAlarm,
    LineDown,
    LineEvent,
    LineUp,
    LineVoltage,
    Tick,
)
from firmware.line_state import LineState
from firmware.live import Json, LineAbout, LiveView, SoundState, line_as_json
from firmware.model import LineId, RecordingId
from firmware.ports import (
    Clock,
    Flashing,
    Keying,
    Levels,
    LineDriver,
    Playing,
    Recorder,
    RecorderEvent,
    RecordingFailed,
    RecordingFound,
    RecordingOpened,
    SoundBack,
    SoundHeard,
    SoundLost,
    SoundSilent,
)
from firmware.sim import SimReport
from firmware.sound_facts import facts_of_sound
from firmware.store.facts import CallVoltage, Fact, HoleBegun, HoleEnded

log = logging.getLogger("offhook.core")

_LONGEST_WAIT_S = 0.25
"""The loop turns at least this often: it pets the watchdog and marks that the box is watching."""


@dataclass(slots=True)
class RunningLine:
    """A line with everything that serves it. Only the core loop touches it."""

    about: LineAbout
    driver: LineDriver
    state: LineState
    sound: SoundState = SoundState.OK
    recording: bool = False
    opened: RecordingId | None = None
    """The last recording that has a file: until then nothing is recorded, whatever was ordered."""
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done on the core loop; ``done`` gets its result or its refusal."""

    work: Callable[[], Any]
    done: Future[Any] = field(default_factory=Future)


class StoreLike(Protocol):
    """What the loop asks of the store: take facts, in order, each list one transaction."""

    def submit(self, facts: Sequence[Fact], /) -> None: ...


class Runtime:
    """Owns the state of every line. `post` may be called from any thread; everything else runs on the loop."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: StoreLike,
        recorder: Recorder,
        live: LiveView,
        publish: Callable[[Json], None],
        on_turn: Callable[[], None],
        on_report: Callable[[SimReport], None] = lambda _: None,
        may_dial: Callable[[DialRequested], None] = lambda _: None,
    ) -> None:
        """``on_report`` sees what SIM modules tell; ``may_dial`` raises `RequestError` for a call not to be made."""
        self._clock = clock
        self._store = store
        self._recorder = recorder
        self._live = live
        self._publish = publish
        self._on_turn = on_turn
        self._on_report = on_report
        self._may_dial = may_dial
        self._inbox: queue.Queue[LineEvent | RecorderEvent | Task] = queue.Queue()
        self._lines: dict[LineId, RunningLine] = {}
        self._requests: dict[str, Future[Any]] = {}
        self._next_request = 0
        self._anomalies = 0

    # --- from any thread ----------------------------------------------------------------------------------------------

    def post(self, event: LineEvent | RecorderEvent, /) -> None:
        """The event sink of drivers and of the recorder."""
        self._inbox.put(event)

    def do(self, work: Callable[[], Any], deadline_s: float = 5.0) -> Any:
        """Runs ``work`` on the loop and returns its result; raises what it raises, or `RequestError` ``busy``."""
        task = Task(work)
        self._inbox.put(task)
        return self._wait(task.done, deadline_s)

    def ask(self, line: str, make: Callable[..., LineEvent], deadline_s: float = 5.0, **fields: Any) -> None:
        """Puts a person's request to a line and returns when the driver took the order. Raises `RequestError`."""
        reply: Future[Any] = Future()

        def put() -> None:
            if LineId(line) not in self._lines:
                raise RequestError("no_such_line", f"no line is called {line}; offhook lines lists them")
            self._next_request += 1
            request = f"r{self._next_request}"
            self._requests[request] = reply
            self._handle(make(line=LineId(line), at=self._clock.now(), request=request, **fields))

        self.do(put, deadline_s)
        self._wait(reply, deadline_s)

    def _wait(self, reply: Future[Any], deadline_s: float) -> Any:
        try:
            return reply.result(deadline_s)
        except TimeoutError:
            raise RequestError("busy", f"the recorder did not get to it within {deadline_s:g} s; try again") from None

    # --- the loop -----------------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Turns until ``stop`` is set, then takes what is still in the inbox."""
        while not stop.is_set():
            self.turn(self._wait_s())
        while self._take(0.0):
            pass

    def turn(self, wait_s: float) -> None:
        """One item, or, when none comes in ``wait_s``, the deadlines that passed.

        Deadlines are only looked at when the inbox is empty: an event that happened in time counts, however late the
        machine gets to it.
        """
        if not self._take(wait_s):
            self._tick()
        self._on_turn()

    def _take(self, wait_s: float) -> bool:
        try:
            item = self._inbox.get(timeout=wait_s) if wait_s > 0 else self._inbox.get_nowait()
        except queue.Empty:
            return False
        if isinstance(item, Task):
            _fulfil(item)
        elif isinstance(item, LineEvent):
            self._handle(item)
        else:
            self._hear(item)
        return True

    def _wait_s(self) -> float:
        due = [r.state.deadline_ns for r in self._lines.values() if r.state.deadline_ns is not None]
        if not due:
            return _LONGEST_WAIT_S
        return min(_LONGEST_WAIT_S, max(0.0, (min(due) - self._clock.now().boot_ns) / 1e9))

    def _tick(self) -> None:
        now = self._clock.now()
        for running in list(self._lines.values()):
            deadline = running.state.deadline_ns
            if deadline is not None and now.boot_ns >= deadline:
                self._handle(Tick(line=running.about.id, at=now))

    # --- lines --------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> dict[LineId, RunningLine]:
        """Only for code on the loop (`do`)."""
        return self._lines

    def add(self, running: RunningLine) -> None:
        """Takes a line in; its driver is started by the caller afterwards."""
        self._lines[running.about.id] = running
        self._show(running)

    def leave(self) -> None:
        """The process ends: recordings are closed, calls stay open for the next start, nothing stays unaccounted."""
        for running in self._lines.values():
            running.state, effects = leave(running.state, self._clock.now())
            self._perform(running, effects)

    def drop(self, line: LineId) -> None:
        """Forgets a line whose driver has been stopped."""
        running = self._lines.pop(line, None)
        if running is not None:
            self._publish(self._live.drop_line(line))

    def _handle(self, event: LineEvent) -> None:
        running = self._lines.get(event.line)
        if running is None:
            log.info("an event of a line that is gone", extra={"offhook": {"line": event.line}})
            return
        if isinstance(event, LineAlarm):
            self._store.submit([_alarm_fact(event)])
            return
        if isinstance(event, LineVoltage):
            self._note_voltage(running, event)
            return
        if isinstance(event, SimReport):
            self._store.submit([event])
            self._on_report(event)
            return
        if isinstance(event, DialRequested):
            try:
                self._may_dial(event)
            except RequestError as refused:
                self._reply(event.request, refused)
                return
        running.state, effects = step(running.state, event)
        if isinstance(event, LineDown):
            running.fault = event.reason
            hole = HoleBegun(line=event.line, since=event.at, fault=Fault.DEVICE_LOST, detail=event.reason)
            self._store.submit([hole])
        elif isinstance(event, LineUp):
            running.fault = None
            self._store.submit([HoleEnded(line=event.line, until=event.at)])
        self._perform(running, effects)
        self._show(running)

    def _note_voltage(self, running: RunningLine, event: LineVoltage) -> None:
        state = running.state
        call = state.call.id if state.call is not None else state.last_call
        if call is not None:
            known = CallVoltage(
                call=call, line=event.line, at=event.at, on_hook_v=event.on_hook_v, off_hook_v=event.off_hook_v
            )
            self._store.submit([known])

    def _perform(self, running: RunningLine, effects: Sequence[Effect]) -> None:
        """Facts first, as one transaction; then what acts on the world."""
        facts: list[Fact] = []
        last_save = {e.call.id: e for e in effects if isinstance(e, SaveCall)}
        for effect in effects:
            if isinstance(effect, SaveCall):
                # Several changes of one step are one change to everybody else.
                if (newest := last_save.pop(effect.call.id, None)) is not None:
                    facts.append(newest)
            elif isinstance(effect, Account | RaiseAlarm | ResolveAlarm):
                facts.append(effect)
        if facts:
            self._store.submit(facts)
        for effect in effects:
            self._act(running, effect)

    def _act(self, running: RunningLine, effect: Effect) -> None:
        match effect:
            case StartRecording():
                self._recorder.start(effect)
            case StopRecording():
                running.recording = False
                self._recorder.stop(effect)
            case ListenFor():
                self._recorder.listen(effect)
            case DriveLine():
                self._drive(running, effect)
            case Refuse():
                self._reply(effect.request, RequestError(effect.code, effect.message))
            case Anomaly():
                self._anomalies += 1
                log.warning(
                    "%s came in phase %s on line %s; nobody planned that",
                    effect.kind,
                    effect.phase,
                    effect.line,
                    extra={"offhook": {"line": effect.line, "phase": effect.phase, "kind": effect.kind}},
                )
            case _:
                pass

    def _drive(self, running: RunningLine, order: DriveLine) -> None:
        try:
            match order.action:
                case LineAction.DIAL:
                    running.driver.dial(order.number or "")
                case LineAction.ANSWER:
                    running.driver.answer()
                case LineAction.HANG_UP:
                    running.driver.hang_up()
                case LineAction.DIGITS if isinstance(running.driver, Keying):
                    running.driver.send_digits(order.digits)
                case LineAction.FLASH if isinstance(running.driver, Flashing):
                    running.driver.flash()
                case LineAction.PLAY if isinstance(running.driver, Playing):
                    running.driver.play(order.pcm)
        except DeviceError as error:
            self._reply(order.request, RequestError("device_lost", str(error)))
        else:
            self._reply(order.request, None)

    def _reply(self, request: str, refusal: RequestError | None) -> None:
        reply = self._requests.pop(request, None)
        if reply is None:
            return
        if refusal is None:
            reply.set_result(None)
        else:
            reply.set_exception(refusal)

    # --- sound --------------------------------------------------------------------------------------------------------

    def _hear(self, event: RecorderEvent) -> None:
        running = self._lines.get(event.line)
        if isinstance(event, Levels):
            levels = {"rms_dbfs": list(event.rms_dbfs), "peak_dbfs": list(event.peak_dbfs)}
            self._publish({"event": "levels", "levels": {event.line: levels}})
            return
        facts = facts_of_sound(event)
        if facts:
            self._store.submit(facts)
        if running is not None:
            _note_sound(running, event)
            self._show(running)

    def _show(self, running: RunningLine) -> None:
        line = line_as_json(
            running.about, running.state, running.sound, recording=running.recording, fault=running.fault
        )
        event = self._live.set_line(line)
        if event is not None:
            self._publish(event)


def _alarm_fact(event: LineAlarm) -> RaiseAlarm | ResolveAlarm:
    if event.raised:
        return RaiseAlarm(key=event.key, subject=event.line, at=event.at, params=dict(event.params))
    return ResolveAlarm(key=event.key, subject=event.line, at=event.at)


def _fulfil(task: Task) -> None:
    try:
        task.done.set_result(task.work())
    except Exception as error:  # it belongs to whoever asked, on their thread
        task.done.set_exception(error)


def _note_sound(running: RunningLine, event: RecorderEvent) -> None:
    match event:
        case RecordingFound():
            pass  # of an earlier run: it says nothing of what is recorded now
        case RecordingOpened():
            running.opened = event.recording
            running.recording = running.state.recording == event.recording
        case RecordingFailed():
            running.recording = False
        case SoundLost():
            running.sound = SoundState.LOST
            running.recording = False
        case SoundBack():
            running.sound = SoundState.OK
            running.recording = running.opened is not None and running.state.recording == running.opened
        case SoundSilent():
            running.sound = SoundState.SILENT
        case SoundHeard():
            running.sound = SoundState.OK
        case _:
            pass


LINE_REQUESTS: dict[str, type[LineEvent]] = {
    "line.dial": DialRequested,
    "line.answer": AnswerRequested,
    "line.hangup": HangUpRequested,
    "line.flash": FlashRequested,
}
"""The socket's line commands and the events they become."""
