"""What the raw edges of a line board say about its ringing and its wiring. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import mean

from attrs import frozen

from firmware.signals.countries import Cadence
from firmware.signals.loop_watch import Sensor
from firmware.signals.raw_edges import RawEdge, seen

_FULL_WAVE_HZ = 32.5
"""Nobody rings faster than at 30 Hz: what does, was rectified full-wave and pulses twice a cycle."""
_BOUNCE_MS = 4.0
"""Edges of 30 Hz, rectified full-wave, are 8 ms apart: what is closer is a contact that bounces."""
_PAUSE_MS = 150.0
_SHORTEST_BURST_MS = 60.0


@frozen(kw_only=True)
class Ringing:
    """How a line rang. ``hz`` None: the detector shows no pulses, but when it rings and when not."""

    bursts: int
    hz: float | None = None
    on_off_by: float | None = None
    """The bursts' length against the cadence's, share of it; None: no burst was whole."""
    period_off_by: float | None = None
    """The same for the time from pattern to pattern; None: there was only one."""
    bounces: int = 0
    """Edges too many, in the burst that has the fewest."""


def bursts_of(edges: Sequence[RawEdge], sensor: Sensor = Sensor.RING) -> list[list[float]]:
    """The moments (ms) of a sensor's edges, burst by burst."""
    mine = [edge.at_ms for edge in edges if edge.sensor is sensor]
    found: list[list[float]] = []
    for at in mine:
        if found and at - found[-1][-1] <= _PAUSE_MS:
            found[-1].append(at)
        else:
            found.append([at])
    return [one for one in _envelopes(found, edges, sensor) if one[-1] - one[0] >= _SHORTEST_BURST_MS]


def ringing(edges: Sequence[RawEdge], cadences: Sequence[Cadence], until_ms: float) -> Ringing:
    """What rang up to ``until_ms``, against the cadence of ``cadences`` that fits best."""
    bursts = _finished(bursts_of(edges), until_ms)
    if not bursts:
        return Ringing(bursts=0)
    hz = seen(edges, Sensor.RING, until_ms).pulses_hz
    fits = [_fit(bursts, cadence.ms) for cadence in cadences]
    on, period = min(fits, key=lambda fit: sum(part for part in fit if part is not None))
    return Ringing(
        bursts=len(bursts),
        hz=None if hz is None else hz / 2 if hz > _FULL_WAVE_HZ else hz,
        on_off_by=on,
        period_off_by=period,
        bounces=min(_bounces(burst, hz) for burst in bursts),
    )


def whole_patterns(edges: Sequence[RawEdge], cadence: Cadence, until_ms: float) -> bool:
    """Enough rang to know the period: one burst more than the cadence has, and it is over."""
    return len(_finished(bursts_of(edges), until_ms)) > len(cadence.ms) // 2


def miswired(edges: Sequence[RawEdge], until_ms: float) -> bool:
    """While it rang the off-hook sensor pulsed, and the ring sensor did not."""
    ring, hook = seen(edges, Sensor.RING, until_ms), seen(edges, Sensor.OFF_HOOK, until_ms)
    return hook.rang and not ring.rang


def _bounces(burst: list[float], hz: float | None) -> int:
    """Edges that no ringing current makes: too close to the one before, and more than there are pulses for.

    A sensor that is read late tells several edges at once, but not more of them.
    """
    close = sum(b - a < _BOUNCE_MS for a, b in pairwise(burst))
    pulses = 2 * hz * (burst[-1] - burst[0]) / 1000 if hz is not None else 1.0
    return max(0, min(close, round(len(burst) - pulses) - 2))


def _finished(bursts: list[list[float]], until_ms: float) -> list[list[float]]:
    """Without the one that may still be going on."""
    return [one for one in bursts if until_ms - one[-1] > _PAUSE_MS]


def _envelopes(found: list[list[float]], edges: Sequence[RawEdge], sensor: Sensor) -> list[list[float]]:
    """A detector without pulses has one edge at the beginning of a burst, and one at its end, long after it."""
    level = {edge.at_ms: edge.active for edge in edges if edge.sensor is sensor}
    joined: list[list[float]] = []
    for one in found:
        if joined and level[joined[-1][-1]] and not level[one[0]]:
            joined[-1] += one
        else:
            joined.append(list(one))
    return joined


def _fit(bursts: list[list[float]], ms: tuple[int, ...]) -> tuple[float | None, float | None]:
    """How far lengths and period are off, as a share of what they should be. The pattern begins with the first."""
    count = len(ms) // 2
    lengths = [burst[-1] - burst[0] for burst in bursts]
    on = mean(abs(length / ms[2 * (n % count)] - 1) for n, length in enumerate(lengths)) if ms else None
    starts = [burst[0] for burst in bursts]
    periods = [b - a for a, b in zip(starts, starts[count:], strict=False)]
    return on, (max(abs(period / sum(ms) - 1) for period in periods) if periods else None)
