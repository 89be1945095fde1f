"""What a line's owner decided, and what that means for one call. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from firmware.model import Call, Direction, LineKind, Outcome
from firmware.recording_rules import RECORD_ALL, RecordingRules
from firmware.signals.countries import CountryProfile


class RecordFrom(StrEnum):
    """The moment from which an outgoing call is recorded."""

    START = "start"
    """From off-hook on: dial tone, digits and ringback are in the recording."""
    ANSWER = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePolicy:
    """The settings of one line, as far as calls depend on them."""

    kind: LineKind
    actions: frozenset[str] = frozenset()
    """What the driver can do: ``dial``, ``answer``, ``hang_up``."""
    preroll_s: float = 5.0
    record_from: RecordFrom = RecordFrom.START
    rules: RecordingRules = RECORD_ALL
    """Which calls are recorded at all."""
    answer_supervision: bool = True
    """The line tells when the other side answers (polarity reversal, or the network's word)."""
    ring_timeout_s: float = 8.0
    """No ring for so long: the caller gave up. See `ring_timeout_s`."""
    suspend_s: float = 30.0
    """A line that comes back within this time, still in its call, goes on with the same call."""
    pending_s: float = 6.0
    """A caller ID or a reversal waits so long for its ring (ETSI EN 300 659-1: it follows within seconds)."""
    trailing_s: float = 3.0
    """Events so shortly after a call's end still belong to it (NO CARRIER after the end, reversal back to normal)."""
    dial_pause_s: float = 8.0
    """A digit that comes later than this after the one before is no longer dialling but talking to a menu."""


def recorded_from(kind: LineKind) -> RecordFrom:
    """Analog lines are recorded from off-hook on; a module has no sound before the network switches it through."""
    return RecordFrom.START if kind is LineKind.ANALOG else RecordFrom.ANSWER


def ring_timeout_s(kind: LineKind, country: CountryProfile) -> float:
    """Seconds without a ring after which the caller gave up.

    On an analog line longer than the longest silence of the country's ring cadences; for a module longer than the
    period of RING (up to 6 s).
    """
    return country.ring_timeout_s if kind is LineKind.ANALOG else 8.0


def outcome_unanswered(call: Call, policy: LinePolicy) -> Outcome:
    """How a call ended that nobody was seen to answer."""
    if call.direction is Direction.INCOMING:
        return Outcome.MISSED
    if call.number is None and policy.kind is LineKind.ANALOG:
        return Outcome.ABANDONED
    return Outcome.NO_ANSWER if policy.answer_supervision else Outcome.UNSUPERVISED
