"""What the store has to know of what happens to sound, alarms included. Pure."""

from __future__ import annotations

from firmware.effects import RaiseAlarm, ResolveAlarm
from firmware.ports import (
    GapCause,
    LineMeasured,
    RecorderEvent,
    RecordingClosed,
    RecordingFailed,
    RecordingFound,
    RecordingOpened,
    RecordingSealed,
    SealFailed,
    SoundBack,
    SoundHeard,
    SoundLost,
    SoundSilent,
)
from firmware.store.facts import Fact


def facts_of_sound(event: RecorderEvent) -> tuple[Fact, ...]:
    """The facts to store for ``event``; none for what only the page wants to see."""
    facts: tuple[Fact, ...]
    match event:
        case RecordingOpened() | RecordingFound() | RecordingClosed() | RecordingSealed() | LineMeasured():
            facts = (event,)
        case RecordingFailed():
            key = "disk_full" if event.cause is GapCause.DISK_FULL else "recording_failed"
            facts = (event, _raised(event, key, event.line, reason=event.reason))
        case SealFailed():
            facts = (event, _raised(event, "seal_failed", event.recording, reason=event.reason))
        case SoundLost():
            facts = (_raised(event, "sound_lost", event.line, reason=event.reason),)
        case SoundBack():
            facts = (ResolveAlarm(key="sound_lost", subject=event.line, at=event.at),)
        case SoundSilent():
            facts = (_raised(event, "sound_silent", event.line),)
        case SoundHeard():
            facts = (ResolveAlarm(key="sound_silent", subject=event.line, at=event.at),)
        case _:
            facts = ()
    return facts


def _raised(event: RecorderEvent, key: str, subject: str, **params: str) -> RaiseAlarm:
    return RaiseAlarm(key=key, subject=subject, at=event.at, params=params)
