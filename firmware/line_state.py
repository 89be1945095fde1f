"""The state of one line as the call machine sees it: a frozen value, nothing else is remembered anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from firmware.events import CallerId, LineEvent, WaitingCall
from firmware.model import Call, CallId, CallStatus, Direction, EndReason, Instant, LineId, RecordingId, recording_id
from firmware.policy import LinePolicy


class Phase(StrEnum):
    """Where the line's call stands. Whether the device is there is a region of its own: `LineState.present`."""

    IDLE = "idle"
    RINGING = "ringing"
    DIALING = "dialing"
    TALKING = "talking"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineState:
    """Everything the machine knows about ``line``. ``phase`` is ``IDLE`` exactly when ``call`` is None."""

    line: LineId
    policy: LinePolicy
    present: bool = False
    phase: Phase = Phase.IDLE
    call: Call | None = None
    floor: Instant | None = None
    """The last moment known of the running call (its start, its answer, its latest part): none of its later moments may
    lie before it, however late-stamped an event is. None after a restart, which may have been one of the machine."""
    recording: RecordingId | None = None
    """The open recording; never more than one."""
    last_ring: Instant | None = None
    """Until when it rang, as far as seen."""
    last_digit: Instant | None = None
    rejecting: bool = False
    """A person asked to reject the ringing call."""
    dial_number: str | None = None
    """What a person asked to dial, until the driver says that it dials."""
    pending: tuple[LineEvent, ...] = field(default_factory=tuple)
    """Heralds of a call that has not shown itself yet: a reversal, a caller ID before the first ring."""
    knocks: tuple[WaitingCall, ...] = field(default_factory=tuple)
    """Second callers who knocked in this call (SIM lines): each may be taken, or ring when the call is over."""
    suspended_since: Instant | None = None
    suspended_in: Phase | None = None
    suspended_by: EndReason | None = None
    last_call: CallId | None = None
    last_ended: Instant | None = None
    left_off_hook: bool = False
    """The line told the end of the last call while the handset is still up: it will be put back, or dial anew."""
    deadline_ns: int | None = None
    """The ``boot_ns`` at which a `Tick` is due; None: nothing to wait for."""

    @property
    def pending_caller(self) -> CallerId | None:
        """The caller ID that came before the first ring, if one did."""
        return next((e for e in reversed(self.pending) if isinstance(e, CallerId)), None)


def restored(
    line: LineId,
    policy: LinePolicy,
    call: Call,
    *,
    last_seen: Instant,
    now: Instant,
    last_ring: Instant | None = None,
) -> LineState:
    """The state of a line whose call was open when the recorder went down; ``last_seen`` is when it last watched.

    The call waits for the driver's `LineUp`: still up, it goes on as its next part; idle, it ended in the hole.
    ``call`` must not be ended; its moments may be of an earlier boot. ``last_seen``, and ``last_ring`` (when a ringing
    call was last heard to ring), are on the clock of this boot, where they may be negative.
    """
    return LineState(
        line=line,
        policy=policy,
        phase=Phase.SUSPENDED,
        call=call,
        last_ring=last_ring,
        suspended_since=last_seen,
        suspended_in=_phase_of(call),
        suspended_by=EndReason.RECORDER_RESTARTED,
        deadline_ns=now.plus_s(policy.suspend_s).boot_ns,
    )


def _phase_of(call: Call) -> Phase:
    """The phase a stored call was in, or was in before it was suspended."""
    if call.status is not CallStatus.SUSPENDED:
        return Phase(call.status)
    if call.answered is not None:
        return Phase.TALKING
    return Phase.RINGING if call.direction is Direction.INCOMING else Phase.DIALING


def next_recording(call: Call) -> RecordingId:
    """The id of the next part of the call's sound."""
    return recording_id(call.id, call.parts + 1)
