"""Faults of the world outside that a field test must find: wires, contacts, sound and radio. Nothing in the box."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import numpy as np

from firmware.errors import OffhookError
from simulator.acts import SimActor
from simulator.exchange import AnalogLine
from simulator.mixer import RATE_HZ, Mixer, Playback, Sound, level
from simulator.sim_module import SimModule

HUM_DBM0 = -30.0
_DBFS_OF_DBM0 = -6.15
"""ITU-T G.100.1."""
_WEAK_CSQ = 3
"""-107 dBm (3GPP TS 27.007 8.5)."""


class FaultError(OffhookError):
    """This line cannot have this fault."""


class Fault(StrEnum):
    """The faults of docs/field-test.md; the slow card is the box's own disk and made beside the street."""

    WRONG_WIRING = "wrong_wiring"
    DEAD_MICROPHONE = "dead_microphone"
    SWAPPED_CHANNELS = "swapped_channels"
    WEAK_SIGNAL = "weak_signal"
    HUM = "hum"
    RING_BOUNCES = "ring_bounces"


class Outside(Protocol):
    """What of the street faults are made in."""

    lines: dict[str, AnalogLine]
    modules: dict[str, SimModule]
    sim_actors: dict[str, SimActor]
    mixers: dict[str, Mixer]
    """By wire: ``fxo-1``, ``sim-1-mic``."""


class SeededFaults:
    """Puts faults into a street, and takes them out again."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._humming: dict[str, Playback] = {}

    def seed(self, fault: Fault, line: str, *, on: bool) -> None:
        """Raises `FaultError`."""
        analog, module = self._outside.lines.get(line), self._outside.modules.get(line)
        if fault is Fault.WRONG_WIRING and analog is not None:
            analog.exchange_sensors(on)
        elif fault is Fault.RING_BOUNCES and analog is not None:
            analog.bounce = on
        elif fault is Fault.SWAPPED_CHANNELS and analog is not None:
            self._swap_plugs(line)
        elif fault is Fault.SWAPPED_CHANNELS and module is not None:
            self._outside.sim_actors[line].crossed = on
        elif fault is Fault.DEAD_MICROPHONE and module is not None:
            self._outside.mixers[f"{line}-mic"].muted = on
        elif fault is Fault.WEAK_SIGNAL and module is not None:
            module.quirks.csq = _WEAK_CSQ if on else type(module.quirks).csq
            module.says(f"\r\n+CSQ: {module.quirks.csq},99\r\n".encode())
        elif fault is Fault.HUM and f"{line}-mic" in self._outside.mixers:
            self._hum(f"{line}-mic", on=on)
        elif fault is Fault.HUM and analog is not None:
            self._hum(line, on=on)
        else:
            raise FaultError(f"line {line!r} cannot have the fault {fault.value!r}")

    def _swap_plugs(self, line: str) -> None:
        """The plugs of two sound cards are exchanged."""
        other = next((one for name, one in self._outside.lines.items() if name != line), None)
        if other is None:
            raise FaultError("swapped channels need a second analog line")
        mine = self._outside.lines[line]
        mine.mixer, other.mixer = other.mixer, mine.mixer

    def _hum(self, wire: str, *, on: bool) -> None:
        if (playing := self._humming.pop(wire, None)) is not None:
            playing.stop()
        if on:
            self._humming[wire] = self._outside.mixers[wire].play(hum(), loop=True)


def hum(hz: float = 50.0, dbm0: float = HUM_DBM0) -> Sound:
    """One second of mains hum; it loops without a seam."""
    t = np.arange(RATE_HZ) / RATE_HZ
    amplitude = level(dbm0 + _DBFS_OF_DBM0) * np.sqrt(2)
    sound: Sound = (np.sin(2 * np.pi * hz * t) * amplitude).astype(np.float32)
    return sound
