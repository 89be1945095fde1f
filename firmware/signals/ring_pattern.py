"""Tells which of a line's ring patterns rings: one line may carry several numbers (distinctive ring). No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from firmware.model import Instant
from firmware.signals.countries import Cadence, CountryProfile

NORMAL = "normal"
_NEXT_CYCLE_S = 1.0
"""Pauses within a pattern are 0.2 to 0.6 s, between two of them 1.5 s and more (ITU-T E.180 supplement 2)."""
_NEXT_CALL_S = 8.0
"""No exchange is silent for longer within a call."""
_OFF_BY_S, _OFF_BY_SHARE = 0.12, 0.2
"""A detector loses up to two cycles of 16 Hz at the ends of a burst."""


_LONG_S = 0.65
"""Bursts of 0.2 to 0.6 s are short ones, of 0.8 to 2 s long ones."""


class RingPattern:
    """Feed it every burst in order; it says what the bursts since the last long pause make.

    A country's own names for its patterns are known of few. Elsewhere a row of bursts that is not the country's
    ordinary ring, and came whole twice running, is called by what it is: ``short-short-short``.
    """

    def __init__(self, patterns: Sequence[tuple[str, Cadence]], ordinary: Cadence | None = None) -> None:
        """``ordinary``: how the line rings when there is nothing special; None: not known."""
        self._patterns = [(name, _bursts(cadence)) for name, cadence in patterns]
        self._ordinary = None if ordinary is None else _bursts(ordinary)
        self._bursts_s: list[float] = []
        self._ended: Instant | None = None
        self._cycle: str | None = None
        self._steady: str | None = None

    def burst(self, began: Instant, ended: Instant) -> str | None:
        """The name of the pattern; None: none, or not yet."""
        if self._ended is None or began.seconds_since(self._ended) >= _NEXT_CYCLE_S:
            if self._ended is None or began.seconds_since(self._ended) >= _NEXT_CALL_S:
                self._cycle = self._steady = None
            elif self._bursts_s:
                self._cycle_over()
            self._bursts_s = []
        self._bursts_s.append(ended.seconds_since(began))
        self._ended = ended
        return next((name for name, on_s in self._patterns if self._fits(on_s)), self._steady)

    def _cycle_over(self) -> None:
        shape = self._shape()
        self._steady = shape if shape == self._cycle else None
        self._cycle = shape

    def _shape(self) -> str | None:
        """What the bursts are, when they may be a pattern of their own; one burst alone where one is usual is not."""
        if self._ordinary is None or self._fits(self._ordinary) or len(self._bursts_s) == len(self._ordinary) == 1:
            return None
        return "-".join("long" if on_s >= _LONG_S else "short" for on_s in self._bursts_s)

    def _fits(self, on_s: Sequence[float]) -> bool:
        return len(on_s) == len(self._bursts_s) and all(
            abs(heard - wanted) <= max(_OFF_BY_S, _OFF_BY_SHARE * wanted)
            for heard, wanted in zip(self._bursts_s, on_s, strict=True)
        )


def _bursts(cadence: Cadence) -> list[float]:
    return [ms / 1000 for ms in cadence.ms[::2]]


def patterns_of(country: CountryProfile) -> tuple[tuple[str, Cadence], ...]:
    """A country's ring patterns; empty where only one is known, as then there is nothing to tell apart."""
    return ((NORMAL, country.ring), *country.distinctive) if country.distinctive else ()
