"""Where the sound of a module comes from: its PCM tty, or a sound card."""

from __future__ import annotations

import time
from typing import Protocol

from firmware.audio.bridge import Bridge
from firmware.audio.shared_card import card_source
from firmware.model import ChannelRole, LineId
from firmware.modem.audio_switch import Flow
from firmware.modem.card_voice import CardVoice
from firmware.modem.dialects import AUTO, Dialect
from firmware.modem.pcm_source import PcmSource
from firmware.ports import AudioSource, Clock

_ROLES = {1: (ChannelRole.REMOTE,), 2: (ChannelRole.REMOTE, ChannelRole.LOCAL)}


class SoundOptions(Protocol):
    """The part of a line's options that says where its sound is."""

    @property
    def family(self) -> str: ...

    @property
    def audio_port(self) -> str | None: ...

    @property
    def audio_device(self) -> str | None: ...

    @property
    def audio_playback(self) -> str | None: ...

    @property
    def audio_channels(self) -> int: ...

    @property
    def handset_capture(self) -> str | None: ...

    @property
    def handset_playback(self) -> str | None: ...


class CardFlow:
    """A sound card is always there to be switched to, and whether it is silent the recorder hears."""

    @property
    def is_open(self) -> bool:
        return True

    @property
    def last_bytes_s(self) -> float:
        return time.monotonic()

    @property
    def last_sound_s(self) -> float:
        return time.monotonic()


def sound_of(
    line: LineId, options: SoundOptions, dialect: Dialect, clock: Clock
) -> tuple[AudioSource | None, Flow | None]:
    """The line's sound, not yet opened, and what its switch looks at; None and None where there is none.

    Raises `ValueError` when the card's channels do not fit.
    """
    handset = None
    if options.handset_capture or options.handset_playback:
        handset = Bridge(line, capture=options.handset_capture, playback=options.handset_playback)
    if options.audio_device is not None and options.audio_channels == 1 and (handset or options.audio_playback):
        playback = options.audio_playback or options.audio_device
        voice = CardVoice(line, capture=options.audio_device, playback=playback, clock=clock, handset=handset)
        return voice, voice
    if options.audio_device is not None:
        channels = options.audio_channels
        source = card_source(
            options.audio_device,
            device_channels=channels,
            take=tuple(range(channels)),
            roles=_ROLES[channels],
            clock=clock,
        )
        return source, CardFlow()
    if options.audio_port is None or (dialect.audio is None and options.family != AUTO):
        return None, None
    pcm = PcmSource(line, port=options.audio_port, clock=clock, handset=handset)
    return pcm, pcm
