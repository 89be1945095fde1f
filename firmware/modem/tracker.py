"""Turns what a module says into the events of one line: one call at a time, each end said once (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from firmware.events import (
    Alerting,
    Answered,
    CallEnded,
    CallerId,
    DialStarted,
    EndCause,
    LineCondition,
    LineEvent,
    LineUp,
    Ring,
    WaitingCall,
    WaitingCallEnded,
)  # fmt: skip
from firmware.model import Direction, Instant, LineId, Presentation
from firmware.modem.at_events import (
    AtEvent,
    CallAlerts,
    CallConnected,
    CallerLine,
    CallOriginated,
    CallReleased,
    CallResult,
    CallState,
    ListedCall,
    MissedCall,
    Ringing,
    VoiceBegin,
    VoiceEnd,
    WaitingCaller,
)  # fmt: skip

SAME_RING_S: Final = 1.5
"""RING on two channels of a module, or a pushed +CLCC beside it, are one ring (ring cycles last 3 s and more)."""
END_CAUSE_WAIT_S: Final = 0.3
"""SIMCom pushes +CLCC state 6 before BUSY: wait this long for the word that says why an outgoing call failed."""
CONFIRM_S: Final = 0.5
"""Ask again this soon when a call is missing in the list: two valid answers in a row without it are its end."""


class Phase(StrEnum):
    IDLE = "idle"
    INCOMING = "incoming"
    DIALING = "dialing"
    TALKING = "talking"


@dataclass(frozen=True, slots=True)
class _Tracked:
    """The call the line is in."""

    phase: Phase
    outgoing: bool = False
    index: int | None = None
    number: str | None = None
    alerted: bool = False
    caller_told: bool = False
    last_ring: Instant | None = None
    misses: int = 0
    hanging_up: bool = False
    held: bool = False
    gone_at: Instant | None = None
    over_at: Instant | None = None
    """When it ended as far as seen: the module took our order to end it, or a list no longer had it."""


@dataclass(frozen=True, slots=True)
class _Knock:
    """A second caller who waits; ``index`` None: told by +CCWA only."""

    index: int | None
    number: str | None
    misses: int = 0

    def same(self, index: int | None, number: str | None) -> bool:
        if self.index is not None and index is not None:
            return self.index == index
        return self.number == number


_NO_CALL: Final = _Tracked(Phase.IDLE)


class CallTracker:
    """Feed it events and the lists of AT+CLCC; it returns line events.

    ``ask_at`` is set when the list of calls should be asked for out of turn, ``deadline`` when `on_time` must be
    called.
    """

    def __init__(self, line: LineId) -> None:
        self._line = line
        self._call = _NO_CALL
        self._knocks: list[_Knock] = []
        self._others: set[int] = set()
        self._data: set[int] = set()  # calls that are not voice, told without their kind from then on
        self._last_end: Instant | None = None
        self._other_gone: Instant | None = None
        self.ask_at: Instant | None = None

    @property
    def phase(self) -> Phase:
        return self._call.phase

    @property
    def index(self) -> int | None:
        """The module's number of the call, where it told it."""
        return self._call.index

    @property
    def somebody_waits(self) -> bool:
        """A second caller knocks, or a call is on hold."""
        return bool(self._knocks or self._others)

    @property
    def deadline(self) -> Instant | None:
        return self._call.gone_at.plus_s(END_CAUSE_WAIT_S) if self._call.gone_at else None

    def line_up(self, calls: Sequence[ListedCall], at: Instant) -> list[LineEvent]:
        """The line came into view with these calls on it."""
        self._call, self._knocks, self._others, self.ask_at = _NO_CALL, [], set(), None
        row = _main_row([call for call in calls if call.voice])
        if row is None:
            return [LineUp(line=self._line, at=at, condition=LineCondition.IDLE)]
        condition, phase = {
            CallState.INCOMING: (LineCondition.RINGING, Phase.INCOMING),
            CallState.WAITING: (LineCondition.RINGING, Phase.INCOMING),
            CallState.DIALING: (LineCondition.DIALING, Phase.DIALING),
            CallState.ALERTING: (LineCondition.DIALING, Phase.DIALING),
        }.get(row.state, (LineCondition.IN_CALL, Phase.TALKING))
        outgoing, alerted = row.direction is Direction.OUTGOING, row.state is CallState.ALERTING
        self._call = _Tracked(phase, outgoing=outgoing, index=row.index, number=row.number, alerted=alerted)
        return [LineUp(line=self._line, at=at, condition=condition, direction=row.direction, number=row.number)]

    def dialing(self, number: str, at: Instant) -> list[LineEvent]:
        """The box itself gave the order to dial ``number`` and the module took it."""
        if self._call.phase is not Phase.IDLE:
            return []
        self._call = _Tracked(Phase.DIALING, outgoing=True, number=number)
        return [DialStarted(line=self._line, at=at, number=number)]

    def dial_refused(self, number: str, cause: EndCause, at: Instant) -> list[LineEvent]:
        """The module answered the dial command with anything but OK."""
        return [*self.dialing(number, at), *self._end(cause, at)] if self._call.phase in _MAY_DIAL else []

    def hanging_up(self) -> None:
        """The box itself gave the order to end the call."""
        self._call = replace(self._call, hanging_up=True)

    def hung_up(self, at: Instant) -> None:
        """The module took the order to end the call; if it does not say so itself, the list will."""
        if self._call.phase is not Phase.IDLE:
            self._call = replace(self._call, over_at=at)
            self.ask_at = at.plus_s(CONFIRM_S)

    def on_time(self, at: Instant) -> list[LineEvent]:
        """The wait for the cause of an end is over."""
        deadline = self.deadline
        if deadline is None or at.boot_ns < deadline.boot_ns:
            return []
        return self._end(self._plain_cause(), at)

    def on_event(self, event: AtEvent, at: Instant) -> list[LineEvent]:  # noqa: PLR0911 - one return per kind of event
        match event:
            case Ringing() if event.voice:
                return self._ring(at)
            case CallerLine():
                return self._caller(event, at)
            case ListedCall(state=CallState.WAITING) if self._call.phase is Phase.IDLE:
                self.ask_at = at  # it waits beside a call that nobody told of: the list knows both
                return []
            case ListedCall() if event.voice:
                return self._row(event, at)
            case CallOriginated() | CallAlerts() | CallConnected() | CallReleased():
                return self._huawei(event, at)
            case VoiceBegin():
                return self._begin(at)
            case VoiceEnd():
                return self._end_said(EndCause.NORMAL, at)
            case CallResult():
                return self._result(event.text, at)
            case MissedCall():
                return self._end(self._plain_cause(), at) if self._call.phase is Phase.INCOMING else []
            case WaitingCaller():
                return self._knock(None, event.number, at)
        return []

    def _huawei(
        self, event: CallOriginated | CallAlerts | CallConnected | CallReleased, at: Instant
    ) -> list[LineEvent]:
        """^ORIG, ^CONF, ^CONN and ^CEND say one thing each about the call of an index."""
        if isinstance(event, CallOriginated | CallConnected) and not event.voice:
            self._data.add(event.index)
        if event.index in self._data:
            if isinstance(event, CallReleased):
                self._data.discard(event.index)
            return []
        if isinstance(event, CallReleased):
            return self._released(event, at)
        state = {CallOriginated: CallState.DIALING, CallAlerts: CallState.ALERTING}.get(type(event), CallState.ACTIVE)
        direction = Direction.OUTGOING
        if isinstance(event, CallConnected):
            if self._call.phase is Phase.IDLE:
                self.ask_at = at  # up before its start was seen: the list knows whose call it is
                return []
            direction = Direction.OUTGOING if self._call.phase is Phase.DIALING else Direction.INCOMING
        return self._row(ListedCall(event.index, direction, state, mode=0), at)

    def _released(self, event: CallReleased, at: Instant) -> list[LineEvent]:
        self._others.discard(event.index)
        if self._call.phase is Phase.IDLE or self._call.index not in {None, event.index}:
            return self._knock_over(event.index, at)
        if self._call.index is None and self._others:
            self.ask_at = at  # two calls and one of them unnumbered: the list knows which is gone
            return []
        cause = _CAUSES.get(event.cause or 0) if self._call.phase is Phase.DIALING else None
        return self._end(cause if cause and not self._call.hanging_up else self._plain_cause(), at)

    def on_list(self, calls: Sequence[ListedCall], at: Instant) -> list[LineEvent]:
        """A valid, complete answer to AT+CLCC."""
        self.ask_at = None
        voice = [call for call in calls if call.voice]
        self._others &= {call.index for call in voice}
        events: list[LineEvent] = []
        if self._call.phase is not Phase.IDLE and not any(self._is_mine(call) for call in voice):
            self._call = replace(self._call, misses=self._call.misses + 1, over_at=self._call.over_at or at)
            if self._call.misses < 2:
                self.ask_at = at.plus_s(CONFIRM_S)
                return []
            events += self._end(self._plain_cause(), self._call.over_at or at)
        else:
            still = self._call.over_at if self._call.hanging_up else None
            self._call = replace(self._call, misses=0, over_at=still)
            events += self._knocks_missed(voice, at)
        for call in sorted(voice, key=lambda call: not self._is_mine(call)):
            events += self._row(call, at)
        return events

    def _knocks_missed(self, voice: Sequence[ListedCall], at: Instant) -> list[LineEvent]:
        """Who waited and is in two lists in a row no longer, has given up."""
        left, events = [], list[LineEvent]()
        others = [row for row in voice if not self._is_mine(row)]
        for knock in self._knocks:
            if any(knock.same(row.index, row.number) for row in others):
                left.append(replace(knock, misses=0))
            elif knock.misses:
                events.append(WaitingCallEnded(line=self._line, at=at, number=knock.number))
            else:
                left.append(replace(knock, misses=1))
                self.ask_at = at.plus_s(CONFIRM_S)
        self._knocks = left
        return events

    def _knock_over(self, index: int, at: Instant) -> list[LineEvent]:
        """The module says that the call of ``index``, which is not the line's, is gone."""
        self._other_gone = at
        gone = next((knock for knock in self._knocks if knock.index == index), None)
        if gone is None:
            if self._knocks:
                self.ask_at = at  # told by +CCWA only: the list knows who is left
            return []
        self._knocks.remove(gone)
        return [WaitingCallEnded(line=self._line, at=at, number=gone.number)]

    def _is_mine(self, row: ListedCall) -> bool:
        if self._call.phase is Phase.IDLE:
            return False
        if self._call.index is not None:
            return row.index == self._call.index
        if row.index in self._others or row.state is CallState.WAITING:
            return False
        return (row.direction is Direction.OUTGOING) == self._call.outgoing

    def _ring(self, at: Instant) -> list[LineEvent]:
        call = self._call
        if call.phase is Phase.IDLE:
            self._call = _Tracked(Phase.INCOMING, last_ring=at)
            return [Ring(line=self._line, at=at)]
        if call.phase is not Phase.INCOMING:
            self.ask_at = at  # a second caller, or the end of this call got lost: the list tells
            return []
        if call.last_ring is not None and at.seconds_since(call.last_ring) < SAME_RING_S:
            return []
        self._call = replace(call, last_ring=at)
        return [Ring(line=self._line, at=at)]

    def _caller(self, event: CallerLine, at: Instant) -> list[LineEvent]:
        begun: list[LineEvent] = []
        if self._call.phase is Phase.IDLE:
            begun = self._ring(at)  # +CLIP may come before RING
        if self._call.phase is not Phase.INCOMING or self._call.caller_told:
            return begun
        number = event.number or self._call.number
        presentation = Presentation.VALID if number and not event.number else event.presentation
        self._call = replace(self._call, caller_told=True, number=number)
        told = CallerId(line=self._line, at=at, number=number, name=event.name, presentation=presentation)
        return [*begun, told]

    def _row(self, row: ListedCall, at: Instant) -> list[LineEvent]:  # noqa: PLR0911 - one return per state
        if row.state is CallState.GONE:
            return self._gone(row, at)
        if self._call.phase is Phase.IDLE:
            return self._new(row, at)
        if not self._is_mine(row):
            if row.state is CallState.ACTIVE and self._call.held:
                return self._swap(row, at)
            self._others.add(row.index)
            if row.state in {CallState.WAITING, CallState.INCOMING}:
                return self._knock(row.index, row.number, at)
            return []
        self._call = replace(
            self._call,
            index=row.index,
            number=self._call.number or row.number,
            held=row.state is CallState.HELD,
        )
        if row.state is CallState.ALERTING and not self._call.alerted and self._call.phase is Phase.DIALING:
            self._call = replace(self._call, alerted=True)
            return [Alerting(line=self._line, at=at)]
        if row.state in {CallState.ACTIVE, CallState.HELD}:
            return self._begin(at)
        return []

    def _swap(self, row: ListedCall, at: Instant) -> list[LineEvent]:
        """The call was put on hold and another taken: each conversation is a call of its own, with its own sound."""
        held = self._call.index
        events = [*self._end(EndCause.NORMAL, at), *self._new(row, at)]
        if held is not None:
            self._others.add(held)
        return events

    def _new(self, row: ListedCall, at: Instant) -> list[LineEvent]:
        if row.direction is Direction.OUTGOING:
            self._call = _Tracked(Phase.DIALING, outgoing=True, index=row.index, number=row.number)
            events: list[LineEvent] = [DialStarted(line=self._line, at=at, number=row.number)]
        else:
            self._call = _Tracked(Phase.INCOMING, index=row.index, number=row.number, last_ring=at)
            events = [Ring(line=self._line, at=at)]
            if row.state in {CallState.ACTIVE, CallState.HELD} and row.number:
                events.append(CallerId(line=self._line, at=at, number=row.number))
                self._call = replace(self._call, caller_told=True)
        self._others.discard(row.index)
        if row.state in {CallState.ALERTING, CallState.ACTIVE, CallState.HELD}:
            events += self._row(row, at)
        return events

    def _gone(self, row: ListedCall, at: Instant) -> list[LineEvent]:
        self._others.discard(row.index)
        if not self._is_mine(row):
            return self._knock_over(row.index, at)
        if self._call.phase is Phase.DIALING and not self._call.hanging_up:
            self._call = replace(self._call, index=row.index, gone_at=self._call.gone_at or at)
            return []
        return self._end(self._plain_cause(), at)

    def _begin(self, at: Instant) -> list[LineEvent]:
        call = self._call
        if call.phase is Phase.TALKING:
            return []
        if call.phase is Phase.IDLE:
            self.ask_at = at  # up before its start was seen: the list knows whose call it is
            return []
        told: list[LineEvent] = []
        if call.phase is Phase.INCOMING and not call.caller_told and call.number:
            told = [CallerId(line=self._line, at=at, number=call.number)]
        self._call = replace(call, phase=Phase.TALKING, caller_told=True, gone_at=None)
        return [*told, Answered(line=self._line, at=at)]

    def _result(self, text: str, at: Instant) -> list[LineEvent]:
        if self._call.phase is Phase.DIALING:
            cause = {"BUSY": EndCause.BUSY, "NO ANSWER": EndCause.NO_ANSWER}.get(text)
            return self._end(cause or self._plain_cause(), at)
        return self._end_said(EndCause.NORMAL, at)

    def _end_said(self, cause: EndCause, at: Instant) -> list[LineEvent]:
        """The module says that *a* call ended. With two around, or right after another end, the list decides which."""
        if self._call.phase is Phase.IDLE:
            return []
        ends = [end for end in (self._last_end, self._other_gone) if end is not None]
        just_ended = any(at.seconds_since(end) < SAME_RING_S for end in ends)
        if self._others or just_ended:
            self.ask_at = at
            return []
        return self._end(cause if self._call.phase is Phase.TALKING else self._plain_cause(), at)

    def _knock(self, index: int | None, number: str | None, at: Instant) -> list[LineEvent]:
        if self._call.phase is Phase.IDLE:
            return []
        if index is not None:
            self._others.add(index)
        else:
            self.ask_at = at
        for n, knock in enumerate(self._knocks):
            if knock.same(index, number):
                self._knocks[n] = replace(knock, index=knock.index if index is None else index)
                return []
        self._knocks.append(_Knock(index, number))
        return [WaitingCall(line=self._line, at=at, number=number)]

    def _plain_cause(self) -> EndCause:
        """Why the call ended when the module gave no reason of its own."""
        call = self._call
        if call.phase is Phase.INCOMING and call.hanging_up:
            return EndCause.REJECTED
        if call.phase is Phase.DIALING and not call.hanging_up:
            return EndCause.NO_ANSWER if call.alerted else EndCause.FAILED
        return EndCause.NORMAL

    def _end(self, cause: EndCause, at: Instant) -> list[LineEvent]:
        if self._call.phase is Phase.IDLE:
            return []
        events: list[LineEvent] = []
        if self._call.phase is Phase.INCOMING and not self._call.caller_told and self._call.number:
            events.append(CallerId(line=self._line, at=at, number=self._call.number))
        self._call, self._knocks, self._last_end, self._other_gone = _NO_CALL, [], at, None
        self._others.clear()
        return [*events, CallEnded(line=self._line, at=at, cause=cause)]


_CAUSES: Final = {17: EndCause.BUSY, 18: EndCause.NO_ANSWER, 19: EndCause.NO_ANSWER, 21: EndCause.REJECTED}
"""Causes of 3GPP TS 24.008 10.5.4.11 as Huawei tells them: busy, no answer, no answer while it rang, rejected."""
_MAY_DIAL: Final = frozenset({Phase.IDLE, Phase.DIALING})
_RANK: Final = (
    CallState.ACTIVE, CallState.HELD, CallState.ALERTING, CallState.DIALING, CallState.INCOMING, CallState.WAITING,
)  # fmt: skip


def _main_row(rows: Sequence[ListedCall]) -> ListedCall | None:
    """The call a person would say the line is in."""
    present = [row for row in rows if row.state in _RANK]
    return min(present, key=lambda row: _RANK.index(row.state), default=None)
