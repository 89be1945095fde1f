"""One analog line as its three sensors show it: raw edges in, line events out; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from firmware.events import LineCondition, LineEvent, OffHook, OnHook, PolarityReversed, Ring, RingPaused
from firmware.model import Instant, LineId
from firmware.signals.hook import HookChanged, HookDetector, HookTiming
from firmware.signals.polarity import PolarityDetector
from firmware.signals.ring import BurstBegan, RingDetector, RingReport, RingTiming


class Sensor(StrEnum):
    """What a board tells about a line."""

    RING = "ring"
    OFF_HOOK = "off_hook"
    POLARITY = "polarity"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopTiming:
    ring: RingTiming = field(default_factory=RingTiming)
    hook: HookTiming = field(default_factory=HookTiming)
    polarity_hold_ms: int = 80


class LoopWatch:
    """`feed` it every edge in order, call `advance` when `due` has come; both return the line's events."""

    def __init__(self, line: LineId, timing: LoopTiming, *, off_hook: bool = False) -> None:
        self._line = line
        self._ring = RingDetector(timing.ring)
        self._hook = HookDetector(timing.hook, off_hook=off_hook)
        self._polarity = PolarityDetector(timing.polarity_hold_ms)

    @property
    def condition(self) -> LineCondition:
        """What the line is doing now."""
        if self._hook.off_hook:
            return LineCondition.IN_CALL
        return LineCondition.RINGING if self._ring.ringing else LineCondition.IDLE

    def feed(self, sensor: Sensor, active: bool, at: Instant) -> list[LineEvent]:
        """``sensor`` changed to ``active`` (or was read again) at ``at``."""
        events = self.advance(at)
        match sensor:
            case Sensor.RING:
                events += self._from_ring(self._ring.feed(active, at))
            case Sensor.OFF_HOOK:
                events += self._from_hook(self._hook.feed(active, at))
            case Sensor.POLARITY:
                events += self._from_polarity(self._polarity.feed(active, at, disturbed=self._ring.disturbed))
        return events

    def advance(self, now: Instant) -> list[LineEvent]:
        """Time has passed up to ``now`` without an edge."""
        disturbed = self._ring.disturbed
        return [
            *self._from_ring(self._ring.advance(now)),
            *self._from_hook(self._hook.advance(now)),
            *self._from_polarity(self._polarity.advance(now, disturbed=disturbed)),
        ]

    def due(self) -> Instant | None:
        """When `advance` may have something to say; None: not before the next edge."""
        dues = [d for d in (self._ring.due(), self._hook.due(), self._polarity.due()) if d is not None]
        return min(dues, key=lambda d: d.boot_ns, default=None)

    def _from_ring(self, reports: Iterable[RingReport]) -> list[LineEvent]:
        return [
            Ring(line=self._line, at=r.at) if isinstance(r, BurstBegan) else RingPaused(line=self._line, at=r.at)
            for r in reports
        ]

    def _from_hook(self, reports: Iterable[HookChanged]) -> list[LineEvent]:
        return [OffHook(line=self._line, at=r.at) if r.off_hook else OnHook(line=self._line, at=r.at) for r in reports]

    def _from_polarity(self, reports: Iterable[Instant]) -> list[LineEvent]:
        return [PolarityReversed(line=self._line, at=at) for at in reports]
