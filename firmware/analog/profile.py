"""What a line board ("hat") looks like to the box: a TOML hat profile, read once into frozen types."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import cattrs
from attrs import Attribute, Factory, field, fields, frozen, validators
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError

from firmware.errors import ConfigError
from firmware.signals.hook import HookTiming
from firmware.signals.loop_watch import LoopTiming
from firmware.signals.ring import RingTiming

PROFILE_FOLDER = "/etc/offhook/hats"
"""Where an admin puts profiles of their own boards; one of the same name as a shipped one goes before it."""

PinName = int | str
"""A GPIO number of the Pi (BCM), a GPIO line's name, or ``<chip label>:<number or name>`` on another GPIO chip."""


def _within(low: int, high: int) -> Any:
    return [validators.ge(low), validators.le(high)]


@frozen(kw_only=True)
class InputPin:
    """A sensor of the board: ``active_high`` is the level at which it says yes; ``pull`` is the Pi's own resistor."""

    pin: PinName
    active_high: bool = True
    pull: str = field(default="none", validator=validators.in_(("none", "up", "down")))


@frozen(kw_only=True)
class OutputPin:
    """Something the board can be told: ``active_high`` is the level that switches it on."""

    pin: PinName
    active_high: bool = True


@frozen(kw_only=True)
class Debounce:
    """How long a level must hold, ms. The reasons for the defaults stand in `firmware.signals`."""

    ring_gap_ms: int = field(default=RingTiming().max_gap_ms, validator=_within(60, 1000))
    ring_min_ms: int = field(default=RingTiming().min_burst_ms, validator=_within(20, 1000))
    off_hook_ms: int = field(default=HookTiming().off_hook_ms, validator=_within(10, 1000))
    on_hook_ms: int = field(default=HookTiming().on_hook_ms, validator=_within(50, 2000))
    polarity_ms: int = field(default=80, validator=_within(20, 1000))

    def timing(self, on_hook_ms: int | None = None) -> LoopTiming:
        """The same for the recognisers; ``on_hook_ms`` goes before the profile's."""
        return LoopTiming(
            ring=RingTiming(max_gap_ms=self.ring_gap_ms, min_burst_ms=self.ring_min_ms),
            hook=HookTiming(off_hook_ms=self.off_hook_ms, on_hook_ms=on_hook_ms or self.on_hook_ms),
            polarity_hold_ms=self.polarity_ms,
        )


@frozen(kw_only=True)
class Audio:
    """Where a port's sound comes in: an ALSA capture device and the channel of it (0 is the first)."""

    device: str = field(validator=validators.min_len(1))
    channels: int = field(default=1, validator=_within(1, 32))
    channel: int = field(default=0, validator=validators.ge(0))

    @channel.validator
    def _one_of_the_channels(self, _: Attribute[int], value: int) -> None:
        if value >= self.channels:
            raise ValueError(f"'channel' must be below 'channels' ({self.channels}), not {value}")


@frozen(kw_only=True)
class Port:
    """One telephone socket of the board."""

    audio: Audio
    ring: InputPin
    off_hook: InputPin
    polarity: InputPin | None = None
    """Some boards cannot tell polarity: no answer supervision then."""
    hook_relay: OutputPin | None = None
    """Seizes the line. It must make ``off_hook`` active, as a lifted handset does."""

    def pins(self) -> Iterator[PinName]:
        """Every pin the port uses."""
        yield from (p.pin for p in (self.ring, self.off_hook, self.polarity, self.hook_relay) if p is not None)


@frozen(kw_only=True)
class Panel:
    """Status LEDs and the button of the board, as far as it has them."""

    ready: OutputPin | None = None
    recording: OutputPin | None = None
    fault: OutputPin | None = None
    button: InputPin | None = None

    def pins(self) -> Iterator[PinName]:
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


def _pin_name(value: object, _: object) -> PinName:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError(f"a pin is a GPIO number or a line name, not {value!r}")
    if isinstance(value, int) and value < 0:
        raise ValueError(f"a pin's number is 0 or more, not {value}")
    return value


def _strictly(kind: type) -> Any:
    def structure(value: object, _: object) -> Any:
        if type(value) is not kind:
            raise ValueError(f"must be {'true or false' if kind is bool else kind.__name__}, not {value!r}")
        return value

    return structure


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(PinName, _pin_name)
    for kind in (bool, int, str):
        converter.register_structure_hook(kind, _strictly(kind))
    return converter


_CONVERTER = _converter()


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(sorted(known))}"


def _faults(error: Exception, where: str = "") -> Iterator[str]:
    """Every fault in ``error``, each with the place it stands at."""
    if isinstance(error, ClassValidationError):
        noted, others = error.group_exceptions()
        for inner, note in noted:
            yield from _faults(inner, f"{where}.{note.name}".lstrip("."))
        for inner in others:
            yield from _faults(inner, where)
    elif isinstance(error, IterableValidationError):
        noted_items, others = error.group_exceptions()
        for inner, item in noted_items:
            yield from _faults(inner, f"{where}[{int(item.index) + 1}]")
        for inner in others:
            yield from _faults(inner, where)
    elif isinstance(error, ForbiddenExtraKeysError):
        for key in sorted(error.extra_fields):
            known = [attribute.name for attribute in fields(error.cl)]
            yield f"{where or 'the profile'}: no setting is called {key!r}{_did_you_mean(key, known)}"
    elif isinstance(error, KeyError):
        yield f"{where or 'the profile'}: {error.args[0]!r} is missing"
    else:
        yield f"{where or 'the profile'}: {error.args[0] if error.args else error}"


def parse_profile(text: str, name: str = "profile") -> HatProfile:
    """Reads a hat profile. Raises `ConfigError` with all its faults at once."""
    try:
        return _CONVERTER.structure(tomllib.loads(text), HatProfile)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"hat profile {name}: not TOML: {error}"]) from error
    except ClassValidationError as error:
        raise ConfigError([f"hat profile {name}: {fault}" for fault in _faults(error)]) from error


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
        raise ConfigError([f"no hat profile is called {name!r}{_did_you_mean(name, profile_names())}"])
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"hat profile {name} cannot be read: {error}"]) from error
    return parse_profile(text, name)
