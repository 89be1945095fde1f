"""``[lines.options]`` of an analog line behind a hat."""

from __future__ import annotations

from attrs import Attribute, field, frozen, validators

from firmware.analog.profile import load_profile
from firmware.analog.sound_watch import SoundPolicy
from firmware.errors import ConfigError
from firmware.signals.line_voltage import HookRule


def _is_a_profile(_: object, __: Attribute[str], name: str) -> None:
    try:
        load_profile(name)
    except ConfigError as error:
        raise ValueError("; ".join(error.faults)) from error


@frozen(kw_only=True)
class FxoOptions:
    """``[lines.options]`` of an analog line."""

    profile: str = field(validator=_is_a_profile)
    """Name of a hat profile (docs/hat-profiles.md), or the path of one."""
    port: int = field(default=1, validator=validators.ge(1))
    audio_device: str | None = None
    """ALSA device to hear the line on, when it is not the profile's."""
    audio_channel: int | None = field(default=None, validator=validators.optional(validators.ge(0)))
    """Its channel, from 0; the first one when not given. Only with ``audio_device``."""
    audio_channels: int | None = field(
        default=None, validator=validators.optional([validators.ge(1), validators.le(32)])
    )
    """How many it has, when more than that; lines on one card must say the same. Only with ``audio_device``."""
    country: str | None = None
    """ISO 3166 code, when it is not the box's."""
    on_hook_ms: int | None = field(
        default=None, validator=validators.optional([validators.ge(50), validators.le(2000)])
    )
    """How long the handset must lie before the call is over: raise it to 1300 where long hook flashes are used."""
    open_loop_ms: int | None = field(
        default=None, validator=validators.optional([validators.ge(0), validators.le(2000)])
    )
    """A break of the loop that long, but shorter than ``on_hook_ms``, is the exchange's word that the far end has gone
    (CPC). 0: never. Not given: as the country does it, where its hook flashes are shorter than that."""
    reversal_ends: bool | None = None
    """Polarity that goes back to normal ends a call. Not given: as the country does it."""
    on_hook_v: float | None = field(
        default=None, validator=validators.optional([validators.ge(10.0), validators.le(110.0)])
    )
    """The line's voltage with all handsets down (`offhook lines calibrate` tells it): what a lifted one is measured
    by, on boards that read the voltage. Not given: 48, and then what it turns out to be."""
    hook_threshold: str = field(default=HookRule.HALF.value, validator=validators.in_(tuple(HookRule)))
    """How the voltage tells a lifted handset: ``half`` of ``on_hook_v``, or a ``drop`` (short lines, as in France)."""
    dial: str = field(default="tones", validator=validators.in_(("tones", "pulses")))
    """How the box dials. Tones need a device that speaks to the line; without one it dials pulses."""
    playback_device: str | None = field(default=None, validator=validators.optional(validators.min_len(1)))
    """ALSA device that speaks to the line, when it is not the profile's."""
    fetch_caller_id: bool = False
    """Japan: the box itself answers the exchange's short rings to be told who calls. Only where the board has a hook
    relay and no telephone with a number display is on the line: two must not answer."""
    hook_by_sound: str = field(default=SoundPolicy.ON_LOSS.value, validator=validators.in_(tuple(SoundPolicy)))
    """When the sound tells about the handset: ``never``; ``on_loss`` of the sensors; ``always``, also while they say
    nothing although somebody talks."""

    def __attrs_post_init__(self) -> None:
        profile = load_profile(self.profile)
        ports = len(profile.ports)
        if self.port > ports:
            raise ValueError(f"'port' must be at most {ports} on this board, not {self.port}")
        if self.fetch_caller_id and profile.port(self.port).hook_relay is None:
            raise ValueError("'fetch_caller_id' needs a board with a hook relay: this one cannot answer")
        if self.audio_device is None and (self.audio_channel is not None or self.audio_channels is not None):
            raise ValueError("'audio_channel' and 'audio_channels' are those of 'audio_device', which is missing")
        if self.audio_channels is not None and (self.audio_channel or 0) >= self.audio_channels:
            raise ValueError(f"'audio_channel' must be below 'audio_channels' ({self.audio_channels})")
