"""Raw edges of a line board's sensors, and what one sensor did during a ring or a lifted handset. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from firmware.signals.loop_watch import Sensor

RING_HZ = (14.0, 60.0)
"""16 to 30 Hz; a full-wave detector doubles it."""
LONG_MS = 800.0
"""A handset stays up for longer than this; nothing that rings holds a level for so long (in pulses or as one level)."""
_SETTLES_MS = 300.0

RING_QUIET_MS = 7000.0
"""Longer than the silence between two bursts: the caller has given up."""
HOOK_QUIET_MS = 3000.0
"""The handset lies again."""


@dataclass(frozen=True, slots=True)
class RawEdge:
    """``sensor`` became ``active`` at ``at_ms``, on any clock."""

    sensor: Sensor
    active: bool
    at_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one sensor did during one step."""

    edges: int = 0
    pulses_hz: float | None = None
    """The rate of its pulses, when they come as ringing current does."""
    longest_ms: float = 0.0
    """The longest it was active."""
    chatter_ms: float = 0.0
    """How long its contact chattered around a change that lasted."""
    gap_ms: float = 0.0
    """The longest pause between two pulses of one burst."""
    burst_ms: float = 0.0
    """The shortest burst."""

    @property
    def rang(self) -> bool:
        return self.pulses_hz is not None

    @property
    def held(self) -> bool:
        """As a lifted handset holds it."""
        return self.longest_ms >= LONG_MS


def settled(
    edges: Sequence[RawEdge], levels: Mapping[Sensor, bool], idle: Mapping[Sensor, bool], now_ms: float, quiet_ms: float
) -> bool:
    """Whether something moved, everything is back where it was before, and nothing has moved for ``quiet_ms``."""
    back = all(level == idle.get(sensor) for sensor, level in levels.items())
    return bool(edges) and back and now_ms - edges[-1].at_ms > quiet_ms


def seen(edges: Sequence[RawEdge], sensor: Sensor, until_ms: float) -> Seen:
    """What ``sensor`` did up to ``until_ms``."""
    mine = [edge for edge in edges if edge.sensor is sensor]
    if not mine:
        return Seen()
    ends = [edge.at_ms for edge in mine[1:]] + [until_ms]
    spans = [(edge.active, end - edge.at_ms) for edge, end in zip(mine, ends, strict=True)]
    rises = [edge.at_ms for edge in mine if edge.active]
    periods = [b - a for a, b in pairwise(rises)]
    pulsing = [p for p in periods if 1000 / RING_HZ[1] <= p <= 1000 / RING_HZ[0]]
    hz = 1000 * len(pulsing) / sum(pulsing) if len(pulsing) >= 8 else None
    bursts, gap_ms = _bursts(rises, hz)
    return Seen(
        edges=len(mine),
        pulses_hz=hz,
        longest_ms=max((ms for active, ms in spans if active), default=0.0),
        chatter_ms=_chatter(mine),
        gap_ms=gap_ms,
        burst_ms=min(bursts, default=0.0),
    )


def _bursts(rises: Sequence[float], hz: float | None) -> tuple[list[float], float]:
    """How long each run of pulses was, and the longest pause within one."""
    if hz is None:
        return [], 0.0
    bursts, gap_ms, began, last = [], 0.0, rises[0], rises[0]
    for at in rises[1:]:
        if at - last > 3000 / hz:
            bursts.append(last - began)
            began = at
        else:
            gap_ms = max(gap_ms, at - last)
        last = at
    return [ms for ms in (*bursts, last - began) if ms > 0], gap_ms


def _chatter(edges: Sequence[RawEdge]) -> float:
    """The longest time from the first edge of a change to the last, where edges follow each other closely."""
    longest, began, last = 0.0, edges[0].at_ms, edges[0].at_ms
    for edge in edges[1:]:
        if edge.at_ms - last > _SETTLES_MS:
            began = edge.at_ms
        longest, last = max(longest, edge.at_ms - began), edge.at_ms
    return longest
