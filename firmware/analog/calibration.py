"""Judges how a line board is wired, and how its contacts chatter, from the raw edges of a ring and a handset. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from firmware.analog.profile import Debounce
from firmware.signals.loop_watch import Sensor

_RING_HZ = (14.0, 60.0)
"""16 to 30 Hz; a full-wave detector doubles it."""
_LONG_MS = 800.0
"""A handset stays up for longer than this; nothing that rings holds a level for so long (in pulses or as one level)."""
_SETTLES_MS = 300.0
_ROUND_MS = 10


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person is told: what is wrong, and which debounce times fit."""

    faults: tuple[str, ...] = ()
    debounce: Debounce = field(default_factory=Debounce)


def seen(edges: Sequence[RawEdge], sensor: Sensor, until_ms: float) -> Seen:
    """What ``sensor`` did up to ``until_ms``."""
    mine = [edge for edge in edges if edge.sensor is sensor]
    if not mine:
        return Seen()
    ends = [edge.at_ms for edge in mine[1:]] + [until_ms]
    spans = [(edge.active, end - edge.at_ms) for edge, end in zip(mine, ends, strict=True)]
    rises = [edge.at_ms for edge in mine if edge.active]
    periods = [b - a for a, b in pairwise(rises)]
    pulsing = [p for p in periods if 1000 / _RING_HZ[1] <= p <= 1000 / _RING_HZ[0]]
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


def judge(
    ring: Sequence[RawEdge],
    ring_until_ms: float,
    hook: Sequence[RawEdge],
    hook_until_ms: float,
    *,
    idle: dict[Sensor, bool],
    now: Debounce,
) -> Verdict:
    """``ring``: edges while it rang and nobody answered; ``hook``: while the handset was lifted and put back.

    ``idle``: each sensor's level before either, with nobody on the line. ``now``: the times in use.
    """
    faults: list[str] = []
    on_ring = {sensor: seen(ring, sensor, ring_until_ms) for sensor in (Sensor.RING, Sensor.OFF_HOOK)}
    on_hook = {sensor: seen(hook, sensor, hook_until_ms) for sensor in (Sensor.RING, Sensor.OFF_HOOK)}
    if _rang(on_ring[Sensor.OFF_HOOK]) and not _rang(on_ring[Sensor.RING]):
        faults.append(
            "the ring and off-hook pins are swapped: while it rang the off_hook pin pulsed and the ring pin did not. "
            "Exchange the two pins in the hat profile"
        )
    elif _held(on_hook[Sensor.RING]) and not _held(on_hook[Sensor.OFF_HOOK]):
        faults.append(
            "the ring and off-hook pins are swapped: the lifted handset was seen on the ring pin. "
            "Exchange the two pins in the hat profile"
        )
    else:
        if on_ring[Sensor.RING].edges == 0:
            faults.append("it rang and the ring pin did not move: check its wiring and its number in the hat profile")
        if not _held(on_hook[Sensor.OFF_HOOK]) and not idle.get(Sensor.OFF_HOOK, False):
            faults.append(
                "the handset was lifted and the off_hook pin did not stay active: check its wiring and number"
            )
    faults += [
        f"the {sensor.value} pin says yes while nobody uses the line: its active_high is the wrong way round, or the "
        "line has no battery"
        for sensor in (Sensor.RING, Sensor.OFF_HOOK)
        if idle.get(sensor, False)
    ]
    return Verdict(faults=tuple(faults), debounce=now if faults else _fitted(on_ring, on_hook, now))


def _fitted(on_ring: dict[Sensor, Seen], on_hook: dict[Sensor, Seen], now: Debounce) -> Debounce:
    ring, hook = on_ring[Sensor.RING], on_hook[Sensor.OFF_HOOK]
    swing_ms = on_ring[Sensor.OFF_HOOK].longest_ms  # ringing current that the loop sensor sees too
    gap_ms = 2.5 * ring.gap_ms if ring.pulses_hz is not None else now.ring_gap_ms
    return Debounce(
        ring_gap_ms=_rounded(max(gap_ms, 100.0), 60, 1000),
        ring_min_ms=_rounded(min(max(ring.burst_ms / 3, 80.0), 200.0) if ring.burst_ms else now.ring_min_ms, 20, 1000),
        off_hook_ms=_rounded(max(2 * hook.chatter_ms, 1.5 * swing_ms, 60.0), 10, 1000),
        on_hook_ms=now.on_hook_ms,
        polarity_ms=now.polarity_ms,
    )


def _rang(what: Seen) -> bool:
    return what.pulses_hz is not None


def _held(what: Seen) -> bool:
    return what.longest_ms >= _LONG_MS


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


def _rounded(ms: float, low: int, high: int) -> int:
    return min(high, max(low, round(ms / _ROUND_MS) * _ROUND_MS))
