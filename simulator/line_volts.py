"""The voltage of a scripted line over time: battery, ringing on top of it, lifted handsets, reversals and breaks.

Levels: 48 V nominal on hook (measured lines have 50 to 54), 6 to 12 V with a handset up, 75 to 90 V of ringing; short
lines with telephones that limit their current stay at 40 V (docs/hardware.md). It shares nothing with what reads it.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.line_script import LineScript

_FALLS_S = 0.03
"""Time constant of the line's own capacity when a handset is lifted or put back."""


@dataclass(frozen=True)
class VoltLine:
    """What a line's voltage is in its states."""

    on_hook_v: float = 51.0
    off_hook_v: float = 9.5
    ringing_v: float = 85.0
    """RMS of the ringing current."""
    noise_v: float = 0.4


SHORT_FRENCH = VoltLine(on_hook_v=52.0, off_hook_v=40.0)
PBX = VoltLine(on_hook_v=26.0, off_hook_v=7.0, ringing_v=60.0)


def volts(
    script: LineScript, line: VoltLine = VoltLine(), *, until_s: float, every_s: float = 0.025, seed: int = 5
) -> Iterator[tuple[float, float]]:
    """(moment in seconds, volts) samples, as a converter that looks every ``every_s`` sees them."""
    dice = random.Random(seed)  # noqa: S311  # scenery, not secrets
    tracks = {
        name: _Track([(at, level) for sensor, level, at in sorted(script.edges, key=lambda e: e[2]) if sensor == name])
        for name in ("off_hook", "polarity")
    }
    bursts = _bursts([at for sensor, level, at in script.edges if sensor == "ring" and level])
    breaks = _breaks(script)
    ringing = _Track([edge for began, ended in bursts for edge in ((began, True), (ended, False))])
    open_loop = _Track([edge for began, ended in breaks for edge in ((began, True), (ended, False))])
    size = line.on_hook_v
    for n in range(round(until_s / every_s)):
        at_s = n * every_s
        wanted = line.off_hook_v if tracks["off_hook"].at(at_s) else line.on_hook_v
        size += (wanted - size) * (1 - math.exp(-every_s / _FALLS_S))
        if open_loop.at(at_s):
            size = 0.0
        value = -size if tracks["polarity"].at(at_s) else size
        if ringing.at(at_s) and not tracks["off_hook"].at(at_s):
            value += line.ringing_v * math.sqrt(2) * math.sin(2 * math.pi * script.network.ring_hz * at_s)
        yield at_s, value + dice.gauss(0, line.noise_v)


class _Track:
    def __init__(self, edges: list[tuple[float, bool]]) -> None:
        self._moments = [at for at, _ in edges]
        self._levels = [level for _, level in edges]

    def at(self, moment_s: float) -> bool:
        n = bisect_right(self._moments, moment_s)
        return bool(n) and self._levels[n - 1]


def _bursts(rises: list[float]) -> list[tuple[float, float]]:
    """From the pulses of a ring detector back to the ringing current."""
    bursts: list[tuple[float, float]] = []
    for at in sorted(rises):
        if bursts and at - bursts[-1][1] < 0.15:
            bursts[-1] = (bursts[-1][0], at + 0.05)
        else:
            bursts.append((at, at + 0.05))
    return [(began, ended) for began, ended in bursts if ended - began > 0.1]


def _breaks(script: LineScript) -> list[tuple[float, float]]:
    """When the exchange opens the loop: the only break of a loop that takes the battery away."""
    return [(call.ended_s, call.ended_s + 0.5) for call in script.log if call.how == "open_loop"]
