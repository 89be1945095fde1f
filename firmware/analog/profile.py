"""What a line board ("hat") looks like to the box: a TOML hat profile, read once into frozen types."""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from attrs import Attribute, Factory, field, frozen, validators
from cattrs import BaseValidationError

from firmware.config_checks import did_you_mean
from firmware.config_faults import faults_in
from firmware.config_structure import structure
from firmware.errors import ConfigError
from firmware.signals.hook import HookTiming
from firmware.signals.loop_watch import LoopTiming
from firmware.signals.ring import RingTiming

PROFILE_FOLDER = "/etc/offhook/hats"
"""Where an admin puts profiles of their own boards; one of the same name as a shipped one goes before it."""

Pin = Any
"""int or str: a GPIO number of the Pi (BCM), a GPIO line's name, or ``<chip label>:<number or name>``."""


def _is_pin(_: object, __: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError(f"must be a GPIO number or the name of a GPIO line, not {value!r}")
    if isinstance(value, int) and value < 0:
        raise ValueError(f"must be 0 or more, not {value}")


def _within(low: int, high: int) -> Any:
    return [validators.ge(low), validators.le(high)]


@frozen(kw_only=True)
class InputPin:
    """A sensor of the board: ``active_high`` is the level at which it says yes; ``pull`` is the Pi's own resistor."""

    pin: Pin = field(validator=_is_pin)
    active_high: bool = True
    pull: str = field(default="none", validator=validators.in_(("none", "up", "down")))


@frozen(kw_only=True)
class OutputPin:
    """Something the board can be told: ``active_high`` is the level that switches it on."""

    pin: Pin = field(validator=_is_pin)
    active_high: bool = True


@frozen(kw_only=True)
class Debounce:
    """How long a level must hold, ms. The reasons for the defaults stand in `firmware.signals`."""

    ring_gap_ms: int = field(default=RingTiming().max_gap_ms, validator=_within(60, 1000))
    ring_min_ms: int = field(default=RingTiming().min_burst_ms, validator=_within(20, 1000))
    off_hook_ms: int = field(default=HookTiming().off_hook_ms, validator=_within(10, 1000))
    on_hook_ms: int = field(default=HookTiming().on_hook_ms, validator=_within(50, 2000))
    polarity_ms: int = field(default=80, validator=_within(20, 1000))

    def timing(
        self, on_hook_ms: int | None = None, *, open_loop_ms: int | None = None, reversal_ends: bool = False
    ) -> LoopTiming:
        """The same for the recognisers; ``on_hook_ms`` goes before the profile's."""
        return LoopTiming(
            ring=RingTiming(max_gap_ms=self.ring_gap_ms, min_burst_ms=self.ring_min_ms),
            hook=HookTiming(off_hook_ms=self.off_hook_ms, on_hook_ms=on_hook_ms or self.on_hook_ms),
            polarity_hold_ms=self.polarity_ms,
            open_loop_ms=open_loop_ms,
            reversal_ends=reversal_ends,
        )


@frozen(kw_only=True)
class Audio:
    """Where a port's sound comes in: an ALSA capture device and the channel of it (0 is the first)."""

    device: str = field(validator=validators.min_len(1))
    channels: int = field(default=1, validator=_within(1, 32))
    channel: int = field(default=0, validator=validators.ge(0))
    playback: str | None = field(default=None, validator=validators.optional(validators.min_len(1)))
    """An ALSA device that speaks to the line while the hook relay holds it: DTMF and prompts."""

    def __attrs_post_init__(self) -> None:
        if self.channel >= self.channels:
            raise ValueError(f"'channel' must be below 'channels' ({self.channels}), not {self.channel}")


@frozen(kw_only=True)
class VoltageInput:
    """A channel of an A/D converter that sees the line through a divider (high-impedance: 10 megohms and more)."""

    device: str = field(validator=validators.min_len(1))
    """The converter's name as the kernel has it (``ads1115``), or its folder when it has a slash in it."""
    channel: str = field(default="voltage0", validator=validators.matches_re(r"voltage\d+(-voltage\d+)?"))
    """As in the kernel's file names: ``voltage0``; ``voltage0-voltage1`` is a difference."""
    volts_per_volt: float = field(default=1.0, converter=float)
    """Volts of the line for each volt at the converter; below 0 when it is wired the wrong way round."""
    offset_v: float = field(default=0.0, converter=float)
    """Volts at the converter while the line has none: half its supply, on a board that tells polarity."""

    def __attrs_post_init__(self) -> None:
        if self.volts_per_volt == 0:
            raise ValueError("'volts_per_volt' must not be 0: it is the ratio of the divider")


@frozen(kw_only=True)
class Port:
    """One telephone socket of the board."""

    audio: Audio
    ring: InputPin
    off_hook: InputPin | None = None
    """Missing on a board that tells a lifted handset by ``voltage``."""
    voltage: VoltageInput | None = None
    """The line's voltage: tells battery, and a lifted handset and polarity where no pin does."""
    polarity: InputPin | None = None
    """Some boards cannot tell polarity: no answer supervision then."""
    hook_relay: OutputPin | None = None
    """Seizes the line. It must make ``off_hook`` active, as a lifted handset does."""
    battery: InputPin | None = None
    """Active while the exchange feeds the line (3 V and more, either way round): tells a cut line, and an open loop
    from a hook flash."""

    def __attrs_post_init__(self) -> None:
        if self.off_hook is None and self.voltage is None:
            raise ValueError("needs 'off_hook' (a loop sensor) or 'voltage' (an A/D converter) to see a lifted handset")

    def pins(self) -> Iterator[int | str]:
        """Every pin the port uses."""
        pins = (self.ring, self.off_hook, self.polarity, self.battery, self.hook_relay)
        yield from (p.pin for p in pins if p is not None)


@frozen(kw_only=True)
class Panel:
    """Status LEDs and the button of the board, as far as it has them."""

    ready: OutputPin | None = None
    recording: OutputPin | None = None
    fault: OutputPin | None = None
    button: InputPin | None = None

    def pins(self) -> Iterator[int | str]:
        """Every pin the panel uses."""
        yield from (p.pin for p in (self.ready, self.recording, self.fault, self.button) if p is not None)


@frozen(kw_only=True)
class Match:
    """By what a board shows that it is there. Any one that fits is enough; with none it is never found by itself."""

    hat_product: tuple[str, ...] = ()
    """``product`` in the board's HAT EEPROM."""
    gpio_chip_label: tuple[str, ...] = ()
    """Label of a GPIO chip that the board brings along (an I2C expander with a label of its own)."""


@frozen(kw_only=True)
class HatProfile:
    """A line board. Ports are numbered from 1 in the order of the file."""

    title: str = field(validator=validators.min_len(1))
    ports: tuple[Port, ...] = field(validator=validators.min_len(1))
    match: Match = Factory(Match)
    debounce: Debounce = Factory(Debounce)
    panel: Panel = Factory(Panel)

    def __attrs_post_init__(self) -> None:
        used = Counter([*self.panel.pins(), *(pin for port in self.ports for pin in port.pins())])
        if twice := sorted(str(pin) for pin, times in used.items() if times > 1):
            raise ValueError(f"used for more than one thing: pin {', '.join(twice)}")
        heard = Counter((port.audio.device, port.audio.channel) for port in self.ports)
        if twice := sorted(f"{device} channel {channel}" for (device, channel), n in heard.items() if n > 1):
            raise ValueError(f"more than one port hears {', '.join(twice)}")

    def port(self, number: int) -> Port:
        """Port ``number``, from 1. Raises `ConfigError` when the board has no such port."""
        if not 1 <= number <= len(self.ports):
            raise ConfigError([f"{self.title!r} has ports 1 to {len(self.ports)}, not {number}"])
        return self.ports[number - 1]


def parse_profile(text: str, name: str = "profile") -> HatProfile:
    """Reads a hat profile. Raises `ConfigError` with all its faults at once."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"hat profile {name}: is not TOML: {error}"]) from error
    try:
        return structure(document, HatProfile)
    except BaseValidationError as error:
        faults = [f"hat profile {name}: {fault.removeprefix(': ')}" for fault in faults_in(error, document)]
        raise ConfigError(faults) from error


def _shipped() -> dict[str, Traversable]:
    folder = resources.files("firmware.analog") / "profiles"
    return {f.name.removesuffix(".toml"): f for f in folder.iterdir() if f.name.endswith(".toml")}


def _own() -> dict[str, Traversable]:
    folder = Path(os.environ.get("OFFHOOK_HATS", PROFILE_FOLDER))
    return {f.stem: f for f in sorted(folder.glob("*.toml"))} if folder.is_dir() else {}


def profile_names() -> list[str]:
    """Every profile that is there, shipped and own."""
    return sorted(name for name in {**_shipped(), **_own()} if not name.startswith("template"))


def load_profile(name: str) -> HatProfile:
    """The profile called ``name``, or the one at the path ``name`` when it has a slash in it.

    Raises `ConfigError` when it is missing or wrong.
    """
    if "/" in name:
        source: Traversable | None = Path(name)
    else:
        source = {**_shipped(), **_own()}.get(name)
    if source is None:
        hint = did_you_mean(name, profile_names()) or f"; there are: {', '.join(profile_names())}"
        raise ConfigError([f"no hat profile is called {name!r}{hint}"])
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"hat profile {name} cannot be read: {error}"]) from error
    return parse_profile(text, name)
