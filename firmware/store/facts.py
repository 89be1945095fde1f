"""Facts that only the store needs, beside the call machine's effects and the recorder's events."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.effects import Account, Fault, RaiseAlarm, ResolveAlarm, SaveCall
from firmware.model import CallId, Instant, LineId, LineKind
from firmware.ports import (
    LineMeasured,
    RecordingClosed,
    RecordingFailed,
    RecordingFound,
    RecordingOpened,
    RecordingSealed,
    SealFailed,
)
from firmware.sim import SimReport


@dataclass(frozen=True, slots=True, kw_only=True)
class LineKnown:
    """The settings name this line (again)."""

    line: LineId
    kind: LineKind
    driver: str
    label: str
    at: Instant
    country: str = ""
    """ISO 3166: how the numbers of its calls are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleBegun:
    """Nobody watches ``line`` since then: what happens on it is this named fault, until `HoleEnded`.

    Stored at once, so that a kill before anybody watches again forgets nothing. One that began before, for the same
    fault, and has not ended is the same hole.
    """

    line: LineId
    since: Instant
    fault: Fault = Fault.RECORDER_WAS_DOWN
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleEnded:
    """Somebody watches ``line`` again, or nobody needs to any more: every hole of it that is open ends at ``until``."""

    line: LineId
    until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSet:
    """The wall clock is right from now on, and ``source`` (``ntp``, ``cloud``, ``rtc``, or ``sim:<line>``) says so."""

    at: Instant
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallVoltage:
    """The line's voltage in the call ``call``; None: as it is known already, or not known."""

    call: CallId
    line: LineId
    at: Instant
    on_hook_v: float | None = None
    off_hook_v: float | None = None


Fact = (
    SaveCall
    | Account
    | RaiseAlarm
    | ResolveAlarm
    | RecordingOpened
    | RecordingFound
    | RecordingClosed
    | RecordingSealed
    | RecordingFailed
    | SealFailed
    | LineMeasured
    | LineKnown
    | CallVoltage
    | HoleBegun
    | HoleEnded
    | ClockSet
    | SimReport
)
"""Everything `StoreWriter.submit` takes."""
