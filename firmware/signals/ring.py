"""Turns the edges of a ring detector into ring bursts: pulses at the ringing frequency or a clean envelope alike."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.model import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RingTiming:
    """What counts as a burst of ringing.

    A detector behind a half-wave rectifier gives one pulse per cycle of the ringing current: 16 to 25 Hz, so they are
    40 to 62 ms apart. Contacts bounce for 20 to 50 ms.
    """

    max_gap_ms: int = 150
    """A burst goes on over pauses up to this: two missed cycles at 16 Hz are not its end."""
    min_burst_ms: int = 150
    """What is shorter is bounce, or the tinkle of a parallel handset being lifted."""


@dataclass(frozen=True, slots=True)
class BurstBegan:
    at: Instant


@dataclass(frozen=True, slots=True)
class BurstEnded:
    at: Instant
    """The last moment the detector was active."""


RingReport = BurstBegan | BurstEnded


class RingDetector:
    """Sans-I/O: `feed` it every edge in order, call `advance` when `due` has come; both return what is now known."""

    def __init__(self, timing: RingTiming = RingTiming()) -> None:
        self._max_gap_s = timing.max_gap_ms / 1000
        self._min_burst_s = timing.min_burst_ms / 1000
        self._active = False
        self._began: Instant | None = None
        self._last_active: Instant | None = None
        self._told = False

    @property
    def ringing(self) -> bool:
        """A burst is on, and long enough to be one."""
        return self._told

    @property
    def disturbed(self) -> bool:
        """Something is on the detector that may turn out to be a burst."""
        return self._began is not None

    def feed(self, active: bool, at: Instant) -> list[RingReport]:
        """The detector's level changed (or was read again) at ``at``."""
        reports = self.advance(at)
        if active == self._active:
            return reports
        self._active = active
        self._last_active = at
        if self._began is None:
            self._began = at
        return reports + self._tell_if_long_enough(at)

    def advance(self, now: Instant) -> list[RingReport]:
        """Time has passed up to ``now`` without an edge."""
        if self._began is None:
            return []
        if self._active:
            self._last_active = now
            return self._tell_if_long_enough(now)
        assert self._last_active is not None
        if now.seconds_since(self._last_active) < self._max_gap_s:
            return []
        ended, told = self._last_active, self._told
        self._began, self._last_active, self._told = None, None, False
        return [BurstEnded(ended)] if told else []

    def due(self) -> Instant | None:
        """When `advance` may have something to say; None: not before the next edge."""
        if self._began is None:
            return None
        if not self._active:
            assert self._last_active is not None
            return self._last_active.plus_s(self._max_gap_s)
        return None if self._told else self._began.plus_s(self._min_burst_s)

    def _tell_if_long_enough(self, at: Instant) -> list[RingReport]:
        if self._told or self._began is None or at.seconds_since(self._began) < self._min_burst_s:
            return []
        self._told = True
        return [BurstBegan(self._began)]
