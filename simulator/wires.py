"""What the street's wires are made of: processes on any laptop, or a real kernel with simulated hardware."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from simulator.manuals import MANUALS
from simulator.mixer import Mixer
from simulator.module_codec import CodecPorts
from simulator.pins import PinBank
from simulator.sim_module import SimModule
from simulator.sound import SoundStreet, device_name


class Pins(Protocol):
    """The box's pins as the street drives and sees them."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def take_away(self) -> None: ...
    def drive(self, pin: int, level: bool | None) -> int: ...
    def on_output(self, pin: int, listener: Callable[[bool, int], None]) -> None: ...


class Wire(Protocol):
    """One sound device of the box."""

    mixer: Mixer

    def plug(self) -> None: ...
    def unplug(self) -> None: ...


class Wires(Protocol):
    """Everything between the street and the box."""

    bank: Pins
    sound: dict[str, Wire]
    modules: dict[str, SimModule]

    def start_sound(self) -> None: ...
    def stop_sound(self) -> None: ...

    def sound_device(self, wire: str) -> str:
        """The ALSA device the box captures a wire from."""
        ...

    def module_options(self, name: str) -> dict[str, Any]:
        """The ports of a module that is plugged in, as line options."""
        ...

    def environment(self) -> dict[str, str]:
        """What the box's processes need in their environment."""
        ...


class LaptopWires:
    """Sockets, PulseAudio and ptys: needs no hardware and no kernel of its own."""

    def __init__(
        self, folder: Path, *, analog: tuple[str, ...], sim: tuple[str, ...], models: Mapping[str, str] | None = None
    ) -> None:
        """``models``: what the modules are (`simulator.manuals.MANUALS`); a SIM7600 where nothing is said."""
        known = {name: (models or {}).get(name, "sim7600") for name in sim}
        self._with_card = frozenset(name for name, model in known.items() if MANUALS[model].analog)
        devices = folder / "dev"
        devices.mkdir(exist_ok=True)
        self._pins = folder / "pins.sock"
        self._analog = analog
        self.bank: Pins = PinBank(self._pins)
        cards = (f"{name}-{way}" for name in sim if name in self._with_card for way in ("line", "up"))
        self._street = SoundStreet(folder / "sound", (*analog, *(f"{name}-mic" for name in sim), *cards))
        self.sound: dict[str, Wire] = dict(self._street.wires)
        self.modules = {
            name: SimModule(
                name,
                devices,
                model=model,
                ports=partial(
                    CodecPorts,
                    devices / f"{name}-at",
                    to_box=f"{device_name(f'{name}-line')}_feed",
                    from_box=device_name(f"{name}-up"),
                )
                if name in self._with_card
                else None,
            )
            for name, model in known.items()
        }

    def start_sound(self) -> None:
        self._street.start()

    def stop_sound(self) -> None:
        self._street.stop()

    def sound_device(self, wire: str) -> str:
        return device_name(wire)

    def module_options(self, name: str) -> dict[str, Any]:
        module = self.modules[name]
        if name in self._with_card:
            return {
                "at_port": str(module.at_path),
                "audio_device": device_name(f"{name}-line"),
                "audio_playback": f"{device_name(f'{name}-up')}_feed",
            }
        return {"at_port": str(module.at_path), "audio_port": str(module.pcm_path)}

    def environment(self) -> dict[str, str]:
        found = {"ALSA_CONFIG_PATH": str(self._street.alsa_config)}
        if self._analog:
            found |= {"OFFHOOK_STREET_PINS": str(self._pins), "GPIOZERO_PIN_FACTORY": "offhook-street"}
        return found
