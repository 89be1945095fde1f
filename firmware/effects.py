"""What the call machine wants done, as frozen values; the runtime does it at the edge."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from firmware.model import Call, CallId, Instant, LineId, RecordingId


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveCall:
    """Store the call as it is now; the row for the cloud goes into the same transaction."""

    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRecording:
    """Record ``line`` from ``preroll_s`` seconds before ``at``."""

    recording: RecordingId
    call: CallId
    line: LineId
    part: int
    at: Instant
    preroll_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecording:
    """The sound after ``at`` no longer belongs to the recording: close it and seal it."""

    recording: RecordingId
    line: LineId
    at: Instant


class Fault(StrEnum):
    """The named faults a ledger entry can end in. Their texts stand in `firmware.store.fault_texts`."""

    REVERSAL_WITHOUT_CALL = "reversal_without_call"
    CALLER_ID_WITHOUT_RING = "caller_id_without_ring"
    ON_HOOK_WITHOUT_OFF_HOOK = "on_hook_without_off_hook"
    RING_WHILE_OFF_HOOK = "ring_while_off_hook"
    END_WITHOUT_CALL = "end_without_call"
    UNEXPECTED_EVENT = "unexpected_event"
    WAITING_CALL_NOT_TAKEN = "waiting_call_not_taken"
    DEVICE_LOST = "device_lost"
    RECORDER_WAS_DOWN = "recorder_was_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Enter an event into the ledger: it belongs to ``call`` or it is ``fault``; never both, never neither."""

    line: LineId
    at: Instant
    kind: str
    call: CallId | None = None
    fault: Fault | None = None
    until: Instant | None = None
    """For a stretch of time (a hole in watching): its end."""
    detail: str = ""
    claims: bool = False
    """The event was entered as a fault when it came; now it turns out to belong to ``call``: the same entry changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseAlarm:
    """Tell the admin; ``key`` is a row of `firmware.store.alarm_texts`, ``subject`` a line id or other name."""

    key: str
    subject: str
    at: Instant
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveAlarm:
    """What the alarm told of is over."""

    key: str
    subject: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """An event came in a phase where nobody planned it; logged and counted, never raised."""

    line: LineId
    at: Instant
    phase: str
    kind: str


class LineAction(StrEnum):
    DIAL = "dial"
    ANSWER = "answer"
    HANG_UP = "hang_up"
    DIGITS = "digits"
    """Keys pressed in a call: DTMF."""
    FLASH = "flash"
    """A hook flash: recall, or the register of a PBX."""
    PLAY = "play"
    """A prompt, into the call that the box holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveLine:
    """Make the driver act on its line; ``request`` is answered when the driver took the order."""

    line: LineId
    action: LineAction
    request: str
    number: str | None = None
    digits: str = ""
    pcm: bytes = b""
    """What is to be played: s16le mono 8 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Tell the person who sent ``request`` why not; ``code`` is for machines, ``message`` for people."""

    request: str
    code: str
    message: str


class Hearing(StrEnum):
    """What the decoders on a line should listen for."""

    NOTHING = "nothing"
    CALLER_ID = "caller_id"
    DIGITS = "digits"
    """A handset that is up may dial; the network's tones mean nothing."""
    PROGRESS = "progress"
    """A call goes out: its digits, and what the tones say of it."""
    TONES = "tones"
    """A call is up: the tones that say it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenFor:
    """From ``at`` on, decode this in the line's sound."""

    line: LineId
    what: Hearing
    at: Instant


Effect = (
    SaveCall
    | StartRecording
    | StopRecording
    | Account
    | RaiseAlarm
    | ResolveAlarm
    | Anomaly
    | DriveLine
    | Refuse
    | ListenFor
)
