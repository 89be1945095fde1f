"""Turns the edges of a polarity sensor into line reversals, none of them made by ringing current."""

from __future__ import annotations

from firmware.model import Instant


class PolarityDetector:
    """Sans-I/O, as its siblings. A reversal must hold ``hold_ms`` (DAHDI: 64 to 200 ms) with no ringing in that time.

    A reversal that lasts past a burst of ringing is told after the burst, with the moment of its edge.
    """

    def __init__(self, hold_ms: int = 80) -> None:
        self._hold_s = hold_ms / 1000
        self._settled: bool | None = None
        self._level: bool | None = None
        self._edge: Instant | None = None
        self._quiet_from: Instant | None = None

    def feed(self, reversed_: bool, at: Instant, *, disturbed: bool = False) -> list[Instant]:
        """The sensor's level changed (or was read again) at ``at``; returns the moments of reversals now certain."""
        reports = self.advance(at, disturbed=disturbed)
        if self._settled is None:
            self._settled = self._level = reversed_
        elif reversed_ != self._level:
            self._level = reversed_
            self._edge = self._quiet_from = at if reversed_ != self._settled else None
        return reports

    def advance(self, now: Instant, *, disturbed: bool = False) -> list[Instant]:
        """Time has passed up to ``now``; ``disturbed``: the ring detector sees something in it."""
        if self._edge is None or self._quiet_from is None:
            return []
        if disturbed:
            self._quiet_from = now
            return []
        if now.seconds_since(self._quiet_from) < self._hold_s:
            return []
        reversal = self._edge
        self._settled, self._edge, self._quiet_from = self._level, None, None
        return [reversal]

    def due(self) -> Instant | None:
        """When `advance` may have something to say; None: not before the next edge."""
        return None if self._quiet_from is None else self._quiet_from.plus_s(self._hold_s)
