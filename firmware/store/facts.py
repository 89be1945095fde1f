"""Facts that only the store needs, beside the call machine's effects and the recorder's events."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.effects import Account, Fault, RaiseAlarm, ResolveAlarm, SaveCall
from firmware.model import Instant, LineId, LineKind
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleInWatching:
    """Nobody watched ``line`` from ``since`` to ``until``: what happened on it then is this named fault."""

    line: LineId
    since: Instant
    until: Instant
    fault: Fault = Fault.RECORDER_WAS_DOWN
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSet:
    """The wall clock is right from now on, and ``source`` (``ntp``, ``cloud``, ``rtc``, or ``sim:<line>``) says so."""

    at: Instant
    source: str


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
    | HoleInWatching
    | ClockSet
    | SimReport
)
"""Everything `StoreWriter.submit` takes."""
