"""Reads a line's voltage, sample after sample: a lifted handset, the exchange's battery, which way round it lies. Pure.

A line has 40 to 54 V while all handsets lie and less than half of that when one is up, so half of the highest voltage
seen with all of them down tells one from the other on any line (Silicon Labs AN93). On short lines with telephones that
limit their current (France) it may stay at 40 V: there the drop tells (Si2400 data sheet, 5.5.1; AN93 %V2: 0.85).
What the samples say are raw edges, as a pin gives them: ringing swings through every threshold, `LoopWatch` debounces.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Final

from firmware.signals.loop_watch import Sensor

SAMPLE_S: Final = 0.025
"""Time between samples. Telephone-line chips look every 26 to 40 ms; a hook flash lasts 45 ms and more."""
USUAL_ON_HOOK_V: Final = 48.0
NO_BATTERY_V: Final = 3.0
_STEADY_SAMPLES: Final = 20
_STEADY_V: Final = 3.0
"""Half a second within this: no ringing, nobody lifts or dials."""
_FOLLOW: Final = 0.02
"""Of the difference, at each steady sample: a battery that sinks is followed within seconds, never below a call."""


class HookRule(StrEnum):
    """How the voltage tells a lifted handset."""

    HALF = "half"
    """Less than half of the on-hook voltage."""
    DROP = "drop"
    """A drop of 15 % and more: for short lines, whose telephones leave them at 40 V."""


_OFF_BELOW: Final = {HookRule.HALF: 0.5, HookRule.DROP: 0.85}
_ON_ABOVE: Final = {HookRule.HALF: 0.6, HookRule.DROP: 0.92}


@dataclass(frozen=True, slots=True)
class VoltageEdge:
    sensor: Sensor
    active: bool


class VoltageSense:
    """Feed it a sample every `SAMPLE_S`; it says which of its sensors changed."""

    def __init__(self, rule: HookRule = HookRule.HALF, on_hook_v: float | None = None) -> None:
        """``on_hook_v``: the highest voltage seen before with all handsets down; None: that of most lines."""
        self._off_below, self._on_above = _OFF_BELOW[rule], _ON_ABOVE[rule]
        self._reference_v = on_hook_v or USUAL_ON_HOOK_V
        self._recent: deque[float] = deque(maxlen=_STEADY_SAMPLES)
        self._levels: dict[Sensor, bool] = {}

    @property
    def on_hook_v(self) -> float:
        """The voltage with all handsets down, as far as it is known."""
        return self._reference_v

    @property
    def off_hook(self) -> bool:
        return self._levels.get(Sensor.OFF_HOOK, False)

    def feed(self, volts: float) -> list[VoltageEdge]:
        """``volts``: signed where the board tells which way round the line lies."""
        size = abs(volts)
        self._recent.append(size)
        self._learn()
        edges = self._to(Sensor.BATTERY, size >= NO_BATTERY_V)
        if size < NO_BATTERY_V:
            # No current can flow: an open loop of the exchange, or a cut line.
            return [*edges, *self._to(Sensor.OFF_HOOK, False)]
        edges += self._to(Sensor.POLARITY, volts < 0)
        if size < self._off_below * self._reference_v:
            edges += self._to(Sensor.OFF_HOOK, True)
        elif size > self._on_above * self._reference_v or Sensor.OFF_HOOK not in self._levels:
            edges += self._to(Sensor.OFF_HOOK, False)
        return edges

    def _learn(self) -> None:
        recent = self._recent
        if self.off_hook or len(recent) < _STEADY_SAMPLES or max(recent) - min(recent) > _STEADY_V:
            return
        level = median(recent)
        if level > self._on_above * self._reference_v:
            self._reference_v += _FOLLOW * (level - self._reference_v)

    def _to(self, sensor: Sensor, active: bool) -> list[VoltageEdge]:
        if self._levels.get(sensor) == active:
            return []
        self._levels[sensor] = active
        return [VoltageEdge(sensor, active)]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageProposal:
    """What fits a line on which a ring and a lifted handset were watched."""

    on_hook_v: float
    off_hook_v: float
    rule: HookRule


def proposed(samples: list[float]) -> VoltageProposal | None:
    """From all samples of a calibration; None when the voltage did not show a handset.

    ``samples`` must be of a handset that lay, was up for seconds, and lay again. Of ringing nothing is believed: only
    stretches in which the voltage stood still count.
    """
    steady = [
        median(window)
        for start in range(0, len(samples) - _STEADY_SAMPLES + 1, _STEADY_SAMPLES // 2)
        if max(window := [abs(v) for v in samples[start : start + _STEADY_SAMPLES]]) - min(window) <= _STEADY_V
    ]
    fed = [volts for volts in steady if volts >= NO_BATTERY_V]
    if not fed:
        return None
    on_hook_v, off_hook_v = max(fed), min(fed)
    if off_hook_v > _OFF_BELOW[HookRule.DROP] * on_hook_v:
        return None
    # Half way between the two rules' thresholds: a telephone that draws less still shows.
    rule = HookRule.HALF if off_hook_v < 0.4 * on_hook_v else HookRule.DROP
    return VoltageProposal(on_hook_v=round(on_hook_v, 1), off_hook_v=round(off_hook_v, 1), rule=rule)
