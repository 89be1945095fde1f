"""A thread that listens to a tapped line and says as events what the sound tells of its hook."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import numpy as np

from firmware.analog.sound_hook import Heard, SoundHook, SoundReport, SoundTiming
from firmware.errors import AudioDeviceError
from firmware.events import (
    CallEnded,
    LineAlarm,
    LineCondition,
    LineDown,
    LineEvent,
    LineUp,
    OffHook,
    OnHook,
    Ring,
    RingPaused,
)
from firmware.model import Instant, LineId
from firmware.ports import AudioSource, Clock
from firmware.worker import Worker

_RETRY_S: Final = 1.0
_LOOK_S: Final = 1.5
"""Sound listened to before it is said what the line is doing."""


class SoundPolicy(StrEnum):
    """When the sound is asked about the hook of a line that has sensors."""

    NEVER = "never"
    ON_LOSS = "on_loss"
    """While the sensors are out of sight."""
    ALWAYS = "always"
    """Also when they say nothing although somebody talks: a sensor that died without a word."""


class SoundWatch:
    """One line's sound, from `start` to `stop`. The callbacks come on its thread and must return at once."""

    def __init__(
        self,
        line: LineId,
        source: AudioSource,
        clock: Clock,
        *,
        timing: SoundTiming,
        up: Callable[[LineCondition, Instant], None],
        lost: Callable[[str, Instant], None],
        tell: Callable[[LineEvent], None],
        off_hook: bool = False,
    ) -> None:
        self._line = line
        self._source = source
        self._clock = clock
        self._timing = timing
        self._up = up
        self._lost = lost
        self._tell = tell
        self._off_hook = off_hook
        self._worker = Worker(f"sound-{line}", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        """No callback comes after this returned. May be called from a callback: then it only asks."""
        self._worker.stop(5.0)

    def _run(self, stop: threading.Event) -> None:
        said_lost = False
        while not stop.is_set():
            try:
                self._source.open()
                said_lost = False
                self._listen(stop)
            except AudioDeviceError as error:
                if not said_lost and not stop.is_set():
                    said_lost = True
                    self._lost(str(error), self._clock.now())
            finally:
                self._source.close()
            stop.wait(_RETRY_S)

    def _listen(self, stop: threading.Event) -> None:
        hook = SoundHook(self._timing, rate_hz=self._source.rate_hz)
        if self._off_hook:
            hook.assume(True, self._clock.now())
        opened, up = self._clock.now(), False
        while not stop.is_set():
            block = self._source.read()
            if block is None or stop.is_set():
                continue
            reports = hook.hear(np.frombuffer(block.pcm, dtype="<i2"), block.at)
            if not up and block.at.seconds_since(opened) >= _LOOK_S:
                up = True
                self._up(_condition(hook), self._clock.now())
            elif up:
                for report in reports:
                    self._tell(self._event(report))
            self._off_hook = hook.off_hook

    def _event(self, report: SoundReport) -> LineEvent:
        kinds: dict[Heard, type[LineEvent]] = {
            Heard.RING: Ring,
            Heard.RING_PAUSED: RingPaused,
            Heard.OFF_HOOK: OffHook,
            Heard.FAR_END_GONE: CallEnded,
            Heard.ON_HOOK: OnHook,
        }
        return kinds[report.what](line=self._line, at=report.at, by_sound=True)


class SoundSubstitute:
    """The line's sound in place of its sensors, from the loss of the board to `end`."""

    def __init__(
        self, line: LineId, source: AudioSource, clock: Clock, tell: Callable[[LineEvent], None], *, off_hook: bool
    ) -> None:
        self._line = line
        self._tell = tell
        self._condition: LineCondition | None = None
        self._watch = SoundWatch(
            line,
            source,
            clock,
            timing=SoundTiming(),
            up=self._up,
            lost=self._lost,
            tell=self._heard,
            off_hook=off_hook,
        )
        self._watch.start()

    def end(self) -> LineCondition | None:
        """What the line was doing, by its sound; None when that was never known."""
        self._watch.stop()
        return self._condition

    def _up(self, condition: LineCondition, at: Instant) -> None:
        if self._condition is None:
            reason = "its board is gone; calls are found from its sound alone"
            self._tell(LineUp(line=self._line, at=at, condition=condition, by_sound=True))
            self._tell(LineAlarm(line=self._line, at=at, key="hook_by_sound", params=(("reason", reason),)))
            self._condition = condition

    def _lost(self, reason: str, at: Instant) -> None:
        if self._condition is not None:
            self._condition = None
            self._tell(LineDown(line=self._line, at=at, reason=reason))

    def _heard(self, event: LineEvent) -> None:
        self._tell(event)
        if isinstance(event, OffHook):
            self._condition = LineCondition.IN_CALL
        elif isinstance(event, OnHook):
            self._condition = LineCondition.IDLE


def _condition(hook: SoundHook) -> LineCondition:
    if hook.off_hook:
        return LineCondition.IN_CALL
    return LineCondition.RINGING if hook.ringing else LineCondition.IDLE
