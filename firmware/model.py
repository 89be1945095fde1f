"""The nouns of the box: lines, calls, recordings and moments, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType

LineId = NewType("LineId", str)
"""Names a line for ever: lower-case letters, digits and hyphens, at most 32 (``fxo-1``, ``sim-2``)."""

CallId = NewType("CallId", str)
"""``20261122T102233123Z-fxo-1``: start of the call in UTC milliseconds, then its line."""

RecordingId = NewType("RecordingId", str)
"""``<call id>.p1``: the call and the part of it that this recording holds."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on two clocks: deadlines use the first, people read the second.

    ``boot_ns`` counts nanoseconds since this boot (CLOCK_BOOTTIME) and never jumps. ``utc_ns`` counts nanoseconds since
    1970-01-01 UTC and may jump by years: a Pi without a clock battery boots with the wrong time.
    """

    boot_ns: int
    utc_ns: int

    def plus_s(self, seconds: float) -> Instant:
        """The moment ``seconds`` later (earlier when negative), as if neither clock jumped in between."""
        delta = round(seconds * 1e9)
        return Instant(self.boot_ns + delta, self.utc_ns + delta)

    def seconds_since(self, earlier: Instant) -> float:
        """Seconds from ``earlier`` to this moment on the clock that never jumps; both must be of one boot."""
        return (self.boot_ns - earlier.boot_ns) / 1e9

    @property
    def utc_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return self.utc_ns // 1_000_000


class LineKind(StrEnum):
    """What a line is to the people who use it."""

    ANALOG = "analog"
    SIM = "sim"


class Direction(StrEnum):
    INCOMING = "incoming"
    OUTGOING = "outgoing"
    UNKNOWN = "unknown"
    """The call was already up when the line came into view."""


class Presentation(StrEnum):
    """Whether the caller's number may be shown (3GPP TS 27.007 CLI validity; GR-30 absence reasons)."""

    VALID = "valid"
    WITHHELD = "withheld"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"
    """Nothing was said about the number."""


class CallStatus(StrEnum):
    RINGING = "ringing"
    DIALING = "dialing"
    TALKING = "talking"
    SUSPENDED = "suspended"
    """The line went out of sight in the call: the device was pulled, or the recorder was restarted."""
    ENDED = "ended"


class Outcome(StrEnum):
    """How a call ended, as the call list shows it."""

    ANSWERED = "answered"
    MISSED = "missed"
    REJECTED = "rejected"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    ABANDONED = "abandoned"
    """A handset was lifted and put back without dialling."""
    UNSUPERVISED = "unsupervised"
    """Outgoing on a line that does not tell when the other side answers."""


class EndReason(StrEnum):
    """Why the box knows that the call is over."""

    ON_HOOK = "on_hook"
    RINGING_STOPPED = "ringing_stopped"
    NETWORK = "network"
    DEVICE_LOST = "device_lost"
    RECORDER_RESTARTED = "recorder_restarted"
    NOT_SEEN_TO_END = "not_seen_to_end"
    """The line came back idle: the call ended while nobody watched."""


class CallFlag(StrEnum):
    JOINED_LATE = "joined_late"
    """The call was up before the line came into view: its start and its first words are missing."""
    INTERRUPTED = "interrupted"
    """The line went out of sight in the call, for a while or until its end."""
    DETECTED_BY_SOUND = "detected_by_sound"
    """Its start, its answer or its end was found from the line's sound alone."""
    CALLER_DOUBTFUL = "caller_doubtful"
    """Its caller ID was read by one of many receivers only: the number may be wrong."""
    NOT_TO_BE_RECORDED = "not_to_be_recorded"
    """The recording rules leave it out: no sound of it is kept."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call on one line. Once its status is ``ENDED`` it never changes."""

    id: CallId
    line: LineId
    direction: Direction
    status: CallStatus
    started: Instant
    number: str | None = None
    name: str | None = None
    presentation: Presentation = Presentation.UNKNOWN
    answered: Instant | None = None
    ended: Instant | None = None
    outcome: Outcome | None = None
    end_reason: EndReason | None = None
    parts: int = 0
    """Recordings started for this call so far."""
    flags: frozenset[CallFlag] = field(default_factory=frozenset)
    ring_pattern: str | None = None
    """Which of the line's ring patterns rang: ``normal``, or one of the country profile's distinctive ones."""


class ChannelRole(StrEnum):
    """Who is heard on a channel of a recording."""

    REMOTE = "remote"
    LOCAL = "local"
    MIXED = "mixed"
    """Both sides, as on any two-wire line."""


class Disposition(StrEnum):
    """What a ledger entry ended as; every entry ends as exactly one of the first three."""

    CALL = "call"
    MISSED = "missed"
    FAULT = "fault"
    OPEN = "open"
    """Its call has not ended yet."""
    UNEXPLAINED = "unexplained"
    """Must never occur; an alarm is raised when it does."""


def call_id(line: LineId, started: Instant) -> CallId:
    """The id of the call that started on ``line`` at ``started``; the same input gives the same id."""
    seconds, rest_ns = divmod(started.utc_ns, 1_000_000_000)
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%S")
    return CallId(f"{stamp}{rest_ns // 1_000_000:03d}Z-{line}")


def recording_id(call: CallId, part: int) -> RecordingId:
    """The id of part ``part`` (1, 2, ...) of the sound of ``call``."""
    return RecordingId(f"{call}.p{part}")
