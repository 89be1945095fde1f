"""An analog line behind a serial line monitor (Whozz Calling), heard by a tap on a sound card: seizes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar, Final

from attrs import field, frozen, validators

from firmware.analog.monitor_port import MonitorPort, monitor_port
from firmware.analog.sound_watch import SoundPolicy, SoundSubstitute
from firmware.analog.timer import Alarm, Timer
from firmware.analog.whozz import CallRecord, Detail, Doing
from firmware.effects import LineAction
from firmware.errors import DeviceError
from firmware.events import (
    CallerId,
    DialStarted,
    LineAlarm,
    LineCondition,
    LineDown,
    LineEvent,
    LineUp,
    OffHook,
    OnHook,
    Ring,
    RingPaused,
    WaitingCall,
)
from firmware.model import Direction, Instant, LineId, LineKind, Presentation
from firmware.ports import AudioSource, Clock, EventSink

log = logging.getLogger("offhook.analog")

_BURST_S: Final = 1.5
"""The monitor tells that a burst began, not that it ended; bursts last 0.4 to 2 s (ITU-T E.180 supplement 2)."""


_CALLER_LATE_S: Final = 4.0
"""A caller ID that comes later than this in a call is that of a second caller, who knocks."""


@frozen(kw_only=True)
class LineMonitorOptions:
    """``[lines.options]`` of a line on a line monitor."""

    port: str = field(validator=validators.min_len(1))
    """The monitor's serial port (``/dev/serial/by-path/...``: the name that follows the USB socket)."""
    socket: int = field(default=1, validator=[validators.ge(1), validators.le(99)])
    """The number the monitor prints before this line's records; lines on one monitor name the same port."""
    audio_device: str | None = field(default=None, validator=validators.optional(validators.min_len(1)))
    """ALSA device of the tap on this line. Without it calls are listed, not recorded."""
    audio_channel: int = field(default=0, validator=validators.ge(0))
    """Its channel, from 0."""
    audio_channels: int | None = field(
        default=None, validator=validators.optional([validators.ge(1), validators.le(32)])
    )
    """How many it has, when more than that; lines on one card must say the same."""
    hook_by_sound: str = field(
        default=SoundPolicy.ON_LOSS.value,
        validator=validators.in_((SoundPolicy.NEVER.value, SoundPolicy.ON_LOSS.value)),
    )
    """Whether the tap's sound tells about the handset while the monitor is out of sight: ``never`` or ``on_loss``."""

    def __attrs_post_init__(self) -> None:
        if self.audio_channels is not None and self.audio_channel >= self.audio_channels:
            raise ValueError(f"'audio_channel' must be below 'audio_channels' ({self.audio_channels})")


class LineMonitorLine:
    """One socket of a monitor. What it says is put into events on the port's thread."""

    kind: ClassVar[LineKind] = LineKind.ANALOG
    options_type: ClassVar[type[LineMonitorOptions]] = LineMonitorOptions
    actions: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        line: LineId,
        options: LineMonitorOptions,
        sink: EventSink,
        clock: Clock,
        *,
        timer: Callable[[str, Callable[[], None]], Alarm] = Timer,
    ) -> None:
        """``timer`` makes what calls back in the time of ``clock``."""
        self._line = line
        self._options = options
        self._sink = sink
        self._clock = clock
        self._port: MonitorPort = monitor_port(options.port, clock)
        self._pause = timer(f"line-{line}-pause", self._paused)
        self._off_hook = False
        self._lifted: Instant | None = None
        self._rang = False
        self._substitute: SoundSubstitute | None = None

    def start(self) -> None:
        self._port.join(self._options.socket, self)

    def stop(self) -> None:
        self._port.leave(self._options.socket)
        self._pause.stop()
        if self._substitute is not None:
            self._substitute.end()

    def audio_source(self) -> AudioSource | None:
        """Both sides in one channel, as on any two-wire line; None without a tap."""
        from firmware.audio.shared_card import card_source  # noqa: PLC0415 - a box without a tap needs no ALSA

        options = self._options
        if options.audio_device is None:
            return None
        channels = options.audio_channels or options.audio_channel + 1
        return card_source(
            options.audio_device, device_channels=channels, take=(options.audio_channel,), clock=self._clock
        )

    def dial(self, number: str) -> None:
        raise self._cannot(f"dial {len(number)} digits")

    def answer(self) -> None:
        raise self._cannot(LineAction.ANSWER.value)

    def hang_up(self) -> None:
        raise self._cannot("hang up")

    def _cannot(self, what: str) -> DeviceError:
        return DeviceError(f"line {self._line}: a line monitor only listens and cannot {what}; use the handset")

    # --- on the port's thread ---------------------------------------------------------------------------------------

    def on_port(self, at: Instant) -> None:
        substitute, self._substitute = self._substitute, None
        by_sound = None if substitute is None else substitute.end()
        if by_sound is not None:
            # The line is up already, and the sound knows better than the monitor's last word.
            self._off_hook = by_sound is LineCondition.IN_CALL
            self._tell(LineAlarm(line=self._line, at=at, key="hook_by_sound", raised=False))
            return
        # The monitor cannot be asked. Of a handset that was up before, nobody said that it was put back.
        condition = LineCondition.IN_CALL if self._off_hook else LineCondition.IDLE
        direction = Direction.INCOMING if self._off_hook and self._rang else Direction.UNKNOWN
        self._tell(LineUp(line=self._line, at=at, condition=condition, direction=direction))

    def on_lost(self, reason: str, at: Instant) -> None:
        self._pause.cancel()
        log.warning("line lost", extra={"offhook": {"line": self._line, "reason": reason}})
        self._tell(LineDown(line=self._line, at=at, reason=reason))
        source = self.audio_source()
        if source is not None and self._options.hook_by_sound != SoundPolicy.NEVER:
            self._substitute = SoundSubstitute(self._line, source, self._clock, self._tell, off_hook=self._off_hook)

    def on_record(self, record: Detail | CallRecord, at: Instant) -> None:
        if isinstance(record, CallRecord):
            self._call(record, at)
            return
        match record.what:
            case Doing.RING:
                self._missing_on_hook(at)
                self._rang = True
                self._tell(Ring(line=self._line, at=at))
                self._pause.start(_BURST_S)
            case Doing.OFF_HOOK:
                self._missing_on_hook(at)
                self._pause.cancel()
                self._off_hook, self._lifted = True, at
                self._tell(OffHook(line=self._line, at=at))
            case Doing.ON_HOOK if self._off_hook:
                self._off_hook = self._rang = False
                self._tell(OnHook(line=self._line, at=at))
            case _:
                log.debug("line %s: %s", self._line, record.what)

    def _missing_on_hook(self, at: Instant) -> None:
        """It rings, or the handset is lifted, though it was up: a record was lost, and with it the end of a call."""
        if self._off_hook:
            log.warning("an on-hook record was lost", extra={"offhook": {"line": self._line}})
            self._off_hook = self._rang = False
            self._tell(OnHook(line=self._line, at=at))

    def _call(self, record: CallRecord, at: Instant) -> None:
        if not record.begins:
            return
        if not record.checksum_ok:
            log.warning("caller ID with a bad checksum", extra={"offhook": {"line": self._line}})
        elif record.direction is Direction.INCOMING and self._talks_since(at) > _CALLER_LATE_S:
            self._tell(WaitingCall(line=self._line, at=at, number=record.number))
        elif record.direction is Direction.INCOMING:
            known = record.presentation is not Presentation.UNKNOWN or record.name is not None
            if known:
                self._tell(
                    CallerId(
                        line=self._line,
                        at=at,
                        number=record.number,
                        name=record.name,
                        presentation=record.presentation,
                    )
                )
        elif self._off_hook and not self._rang and record.number is not None:
            self._tell(DialStarted(line=self._line, at=at, number=record.number))

    def _talks_since(self, at: Instant) -> float:
        """Seconds since a handset was lifted; 0: all of them lie."""
        return at.seconds_since(self._lifted) if self._off_hook and self._lifted is not None else 0.0

    def _paused(self) -> None:
        self._tell(RingPaused(line=self._line, at=self._clock.now()))

    def _tell(self, event: LineEvent) -> None:
        self._sink(event)
