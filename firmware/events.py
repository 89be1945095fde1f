"""What can happen on a line, as frozen values with the moment they happened.

Drivers make these; the call machine is the only reader of `LineEvent`s.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from firmware.model import Direction, Instant, LineId, Presentation


class LineCondition(StrEnum):
    """What a driver sees on its line at the moment it can see it (again)."""

    IDLE = "idle"
    RINGING = "ringing"
    DIALING = "dialing"
    IN_CALL = "in_call"
    """Off-hook, or a call that the network calls active."""


class EndCause(StrEnum):
    """Why the network ended a call (3GPP TS 27.007 final result codes; vendor end indications)."""

    NORMAL = "normal"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEvent:
    """Something happened on ``line`` at ``at``. ``evidence`` marks what the completeness ledger must account for."""

    evidence: ClassVar[bool] = False
    line: LineId
    at: Instant
    by_sound: bool = False
    """Nothing but the line's sound told the driver: its moments are as good as speech and tones are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineUp(LineEvent):
    """The driver sees its line (again) and says in what condition it is. Always a driver's first event."""

    condition: LineCondition
    direction: Direction = Direction.UNKNOWN
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDown(LineEvent):
    """The driver lost its device; ``reason`` is a phrase for the admin (``USB device was unplugged``)."""

    evidence: ClassVar[bool] = True
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring(LineEvent):
    """A ring burst began (analog, debounced), or the module announced an incoming call (again)."""

    evidence: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RingPaused(LineEvent):
    """A ring burst ended. Only analog drivers know this moment."""

    pattern: str | None = None
    """The ring pattern that the bursts up to this one make: ``normal``, or a distinctive one by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerId(LineEvent):
    """Who is calling, as far as the line tells. May come before the first ring."""

    number: str | None
    name: str | None = None
    presentation: Presentation = Presentation.VALID
    doubtful: bool = False
    """Only a far-fetched reading of the sound gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdRejected(LineEvent):
    """Something came in like a caller ID and was not believed; ``reason`` is a phrase for the admin, without digits."""

    evidence: ClassVar[bool] = True
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OffHook(LineEvent):
    """A handset on the line was lifted (debounced)."""

    evidence: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHook(LineEvent):
    """The last handset on the line was put back (longer than a hook flash)."""

    evidence: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryAnswer(LineEvent):
    """Something on the line took it between the exchange's short rings to be told who calls, not to talk (Japan)."""

    evidence: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryAnswerOver(LineEvent):
    """It put the line back: now it will ring."""

    evidence: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PolarityReversed(LineEvent):
    """Tip and ring changed places: answer supervision, or the herald of a caller ID."""

    evidence: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitDialled(LineEvent):
    """The handset dialled ``digit``, one of ``0123456789*#ABCD``."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitReceived(LineEvent):
    """The far side of the call pressed ``digit``, one of ``0123456789*#ABCD``. Logged redacted: it may be a secret."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DialStarted(LineEvent):
    """The module began an outgoing call."""

    evidence: ClassVar[bool] = True
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting(LineEvent):
    """The far end of an outgoing call rings."""

    evidence: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(LineEvent):
    """The network says that the call is up."""

    evidence: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(LineEvent):
    """The network says that the call is over; a driver says it once per call."""

    evidence: ClassVar[bool] = True
    cause: EndCause = EndCause.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCall(LineEvent):
    """A second caller knocks while a call is up (+CCWA, or +CLCC state 5)."""

    evidence: ClassVar[bool] = True
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCallEnded(LineEvent):
    """The second caller who knocked gave up, or was turned away: he was not taken."""

    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(LineEvent):
    """The deadline in the line's state has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialRequested(LineEvent):
    """A person asks the box to dial; ``request`` names whom to answer."""

    number: str
    request: str
    confirmed: bool = False
    """The person was told that the plan's last minutes are left, and means it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRequested(LineEvent):
    """A person asks the box to answer the ringing call."""

    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpRequested(LineEvent):
    """A person asks the box to end the call."""

    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsRequested(LineEvent):
    """A person asks the box to press ``digits`` (``0123456789*#ABCD``) in the call it holds. They may be a secret."""

    request: str
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashRequested(LineEvent):
    """A person asks the box, which holds the line, to flash the hook."""

    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayRequested(LineEvent):
    """A person asks the box, which holds the line, to play ``pcm`` (s16le mono 8 kHz) into the call."""

    request: str
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAlarm(LineEvent):
    """The admin must know something about the device of a line, or (``raised`` False) need not any more.

    No part of any call: the runtime hands it to the store, the call machine never sees it. ``key`` is a row of
    `firmware.store.alarm_texts`. A driver says it when it changes, not each time it sees it.
    """

    key: str
    raised: bool = True
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineVoltage(LineEvent):
    """What an analog line's voltage was in, or before, the call that is up or has just ended. No part of the call."""

    on_hook_v: float | None = None
    off_hook_v: float | None = None


LINE_EVENTS: tuple[type[LineEvent], ...] = (
    LineUp,
    LineDown,
    Ring,
    RingPaused,
    CallerId,
    CallerIdRejected,
    OffHook,
    OnHook,
    PrimaryAnswer,
    PrimaryAnswerOver,
    PolarityReversed,
    DigitDialled,
    DigitReceived,
    DialStarted,
    Alerting,
    Answered,
    CallEnded,
    WaitingCall,
    WaitingCallEnded,
    Tick,
    DialRequested,
    AnswerRequested,
    HangUpRequested,
    DigitsRequested,
    FlashRequested,
    PlayRequested,
)
"""Every kind of line event but `LineAlarm` and `LineVoltage`: the columns of the call machine's table."""


def event_kind(event: LineEvent | type[LineEvent]) -> str:
    """The event's name in the ledger and the docs: ``OffHook`` → ``off_hook``."""
    name = event.__name__ if isinstance(event, type) else type(event).__name__
    return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))
