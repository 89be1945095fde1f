"""Tells which of a line's ring patterns rings: one line may carry several numbers (distinctive ring). No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from firmware.model import Instant
from firmware.signals.countries import Cadence, CountryProfile

NORMAL = "normal"
_NEXT_CYCLE_S = 1.0
"""Pauses within a pattern are 0.2 to 0.6 s, between two of them 1.5 s and more (ITU-T E.180 supplement 2)."""
_OFF_BY_S, _OFF_BY_SHARE = 0.12, 0.2
"""A detector loses up to two cycles of 16 Hz at the ends of a burst."""


class RingPattern:
    """Feed it every burst in order; it says what the bursts since the last long pause make."""

    def __init__(self, patterns: Sequence[tuple[str, Cadence]]) -> None:
        self._patterns = [(name, [ms / 1000 for ms in cadence.ms[::2]]) for name, cadence in patterns]
        self._bursts_s: list[float] = []
        self._ended: Instant | None = None

    def burst(self, began: Instant, ended: Instant) -> str | None:
        """The name of the pattern; None: none, or not yet."""
        if self._ended is None or began.seconds_since(self._ended) >= _NEXT_CYCLE_S:
            self._bursts_s = []
        self._bursts_s.append(ended.seconds_since(began))
        self._ended = ended
        return next((name for name, on_s in self._patterns if self._fits(on_s)), None)

    def _fits(self, on_s: Sequence[float]) -> bool:
        return len(on_s) == len(self._bursts_s) and all(
            abs(heard - wanted) <= max(_OFF_BY_S, _OFF_BY_SHARE * wanted)
            for heard, wanted in zip(self._bursts_s, on_s, strict=True)
        )


def patterns_of(country: CountryProfile) -> tuple[tuple[str, Cadence], ...]:
    """A country's ring patterns; empty where only one is known, as then there is nothing to tell apart."""
    return ((NORMAL, country.ring), *country.distinctive) if country.distinctive else ()
