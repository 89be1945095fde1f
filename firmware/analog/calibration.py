"""Judges how a line board is wired, and how its contacts chatter, from the raw edges of a ring and a handset. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from firmware.analog.profile import Debounce
from firmware.signals.line_voltage import VoltageProposal, proposed
from firmware.signals.loop_watch import Sensor
from firmware.signals.raw_edges import RawEdge, Seen, seen

_ROUND_MS = 10

FAULTS = {
    "swapped_ringing": "the ring and off-hook pins are swapped: while it rang the off_hook pin pulsed and the ring pin "
    "did not. Exchange the two pins in the hat profile",
    "swapped_handset": "the ring and off-hook pins are swapped: the lifted handset was seen on the ring pin. Exchange "
    "the two pins in the hat profile",
    "ring_unmoved": "it rang and the ring pin did not move: check its wiring and its number in the hat profile",
    "off_hook_unmoved": "the handset was lifted and the off_hook pin did not stay active: check its wiring and number",
    "ring_always": "the ring pin says yes while nobody uses the line: its active_high is the wrong way round, or the "
    "line has no battery",
    "off_hook_always": "the off_hook pin says yes while nobody uses the line: its active_high is the wrong way round, "
    "or the line has no battery",
    "voltage_unseen": "the handset was lifted and the line's voltage did not show it: check the converter's wiring "
    "and ratio",
}
"""What may be wrong with a board, by its word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person is told: what is wrong, and which debounce times fit."""

    faults: tuple[str, ...] = ()
    """Sentences."""
    codes: tuple[str, ...] = ()
    """The same in one word each, for whoever says it in another language; see `FAULTS`."""
    debounce: Debounce = field(default_factory=Debounce)


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
    codes: list[str] = []
    on_ring = {sensor: seen(ring, sensor, ring_until_ms) for sensor in (Sensor.RING, Sensor.OFF_HOOK)}
    on_hook = {sensor: seen(hook, sensor, hook_until_ms) for sensor in (Sensor.RING, Sensor.OFF_HOOK)}
    if on_ring[Sensor.OFF_HOOK].rang and not on_ring[Sensor.RING].rang:
        codes.append("swapped_ringing")
    elif on_hook[Sensor.RING].held and not on_hook[Sensor.OFF_HOOK].held:
        codes.append("swapped_handset")
    else:
        if on_ring[Sensor.RING].edges == 0:
            codes.append("ring_unmoved")
        if not on_hook[Sensor.OFF_HOOK].held and not idle.get(Sensor.OFF_HOOK, False):
            codes.append("off_hook_unmoved")
    codes += [f"{sensor.value}_always" for sensor in (Sensor.RING, Sensor.OFF_HOOK) if idle.get(sensor, False)]
    return _verdict(codes, now if codes else _fitted(on_ring, on_hook, now))


def with_voltage(verdict: Verdict, volts: Sequence[float]) -> tuple[Verdict, VoltageProposal | None]:
    """Adds what a converter saw; without samples there is none on this line."""
    found = proposed(list(volts)) if volts else None
    if volts and found is None:
        verdict = _verdict([*verdict.codes, "voltage_unseen"], verdict.debounce)
    return verdict, found


def _verdict(codes: Sequence[str], debounce: Debounce) -> Verdict:
    return Verdict(faults=tuple(FAULTS[code] for code in codes), codes=tuple(codes), debounce=debounce)


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


def _rounded(ms: float, low: int, high: int) -> int:
    return min(high, max(low, round(ms / _ROUND_MS) * _ROUND_MS))
