"""The street's wires on a real kernel: gpio-sim, snd-aloop, and modules on its USB bus."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from simulator.kernel.module_ports import AT_INTERFACE, PCM_INTERFACE, UsbModulePorts, port_names
from simulator.kernel.pins import SimulatedChip
from simulator.kernel.sound import LoopbackStreet
from simulator.sim_module import SimModule
from simulator.wires import Pins, Wire


class KernelWires:
    """Needs root and a kernel of its own: the test kernel, never a machine that somebody works on."""

    def __init__(self, folder: Path, *, analog: tuple[str, ...], sim: tuple[str, ...]) -> None:
        self.bank: Pins = SimulatedChip()
        self._street = LoopbackStreet((*analog, *(f"{name}-mic" for name in sim)))
        self.sound: dict[str, Wire] = dict(self._street.wires)
        self.modules = {
            name: SimModule(name, folder, ports=partial(UsbModulePorts, n, _serial(name))) for n, name in enumerate(sim)
        }

    def start_sound(self) -> None:
        self._street.start()

    def stop_sound(self) -> None:
        self._street.stop()

    def sound_device(self, wire: str) -> str:
        return self._street.device(wire)

    def module_options(self, name: str) -> dict[str, Any]:
        ports = port_names(_serial(name))
        return {"at_port": ports[AT_INTERFACE], "audio_port": ports[PCM_INTERFACE]}

    def environment(self) -> dict[str, str]:
        """Nothing: the box finds its hardware as it does on a Pi."""
        return {}


def _serial(name: str) -> str:
    return f"STREET{name.replace('-', '').upper()}"
