"""An analog line of which the box has nothing but its sound: a transformer tap on a sound card."""

from __future__ import annotations

import logging
from typing import ClassVar

from attrs import field, frozen, validators

from firmware.analog.sound_hook import SoundTiming
from firmware.analog.sound_watch import SoundWatch
from firmware.errors import DeviceError
from firmware.events import LineCondition, LineDown, LineUp
from firmware.model import Instant, LineId, LineKind
from firmware.ports import AudioSource, Clock, EventSink

log = logging.getLogger("offhook.analog")


@frozen(kw_only=True)
class AudioTapOptions:
    """``[lines.options]`` of a line that is only heard."""

    audio_device: str = field(validator=validators.min_len(1))
    """ALSA device of the tap (``plughw:CARD=Device,DEV=0``: by the card's id, which stays when its number changes)."""
    audio_channel: int = field(default=0, validator=validators.ge(0))
    """Its channel, from 0."""
    audio_channels: int | None = field(
        default=None, validator=validators.optional([validators.ge(1), validators.le(32)])
    )
    """How many it has, when more than that; lines on one card must say the same."""
    silence_s: float = field(default=SoundTiming().silence_s, validator=[validators.ge(1.0), validators.le(600.0)])
    """Nothing heard for so long: the call is over, ended when something was heard last."""
    threshold_dbfs: float = field(
        default=SoundTiming().threshold_dbfs, validator=[validators.ge(-80.0), validators.le(-10.0)]
    )
    """What is quieter is never taken for speech."""

    def __attrs_post_init__(self) -> None:
        if self.audio_channels is not None and self.audio_channel >= self.audio_channels:
            raise ValueError(f"'audio_channel' must be below 'audio_channels' ({self.audio_channels})")


class AudioTapLine:
    """One tapped line. Its calls are flagged as found by sound: the moments are estimates."""

    kind: ClassVar[LineKind] = LineKind.ANALOG
    options_type: ClassVar[type[AudioTapOptions]] = AudioTapOptions
    actions: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, line: LineId, options: AudioTapOptions, sink: EventSink, clock: Clock) -> None:
        self._line = line
        self._options = options
        self._sink = sink
        self._clock = clock
        timing = SoundTiming(silence_s=options.silence_s, threshold_dbfs=options.threshold_dbfs)
        source = self.audio_source()
        self._watch = SoundWatch(line, source, clock, timing=timing, up=self._up, lost=self._lost, tell=sink)

    def start(self) -> None:
        self._watch.start()

    def stop(self) -> None:
        self._watch.stop()

    def audio_source(self) -> AudioSource:
        """Another reader of the same card: the recorder and the detector hear the same sound."""
        from firmware.audio.shared_card import card_source  # noqa: PLC0415 - a box without taps needs no ALSA

        options = self._options
        channels = options.audio_channels or options.audio_channel + 1
        return card_source(
            options.audio_device, device_channels=channels, take=(options.audio_channel,), clock=self._clock
        )

    def dial(self, number: str) -> None:
        raise self._cannot(f"dial {len(number)} digits")

    def answer(self) -> None:
        raise self._cannot("answer")

    def hang_up(self) -> None:
        raise self._cannot("hang up")

    def _cannot(self, what: str) -> DeviceError:
        return DeviceError(f"line {self._line}: a tap only listens and cannot {what}; use the handset")

    def _up(self, condition: LineCondition, at: Instant) -> None:
        self._sink(LineUp(line=self._line, at=at, condition=condition, by_sound=True))

    def _lost(self, reason: str, at: Instant) -> None:
        log.warning("line lost", extra={"offhook": {"line": self._line, "reason": reason}})
        self._sink(LineDown(line=self._line, at=at, reason=reason))
