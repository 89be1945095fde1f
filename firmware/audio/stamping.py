"""Turns 'these frames came just now' into the moment of the first one, and notices a device whose rate is a lie."""

from __future__ import annotations

from collections import deque

from firmware.model import Instant

DRIFT_PPM = 500
"""How far a sound card's crystal may be off; cheap ones are within 200 ppm."""
_SETTLE_BLOCKS = 10
_JUMP_NS = 250_000_000
_STEADY_NS = 100_000_000


class Stamper:
    """Stamps blocks of a free-running device.

    Frames arrive late by whatever kept the reader from reading, never early: the earliest arrival is the true one, so
    stamps follow on from block to block and only move towards a later arrival as fast as a crystal can drift.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._next_ns: int | None = None
        self._late: deque[int] = deque(maxlen=_SETTLE_BLOCKS)

    def restart(self) -> int | None:
        """The device started again: the next block stands where it arrives. Returns where the last one ended."""
        expected, self._next_ns = self._next_ns, None
        self._late.clear()
        return expected

    def stamp(self, frames: int, arrived: Instant) -> tuple[Instant, int]:
        """Moment of the first of ``frames`` frames that were complete at ``arrived``, and frames lost unnoticed."""
        span_ns = frames * 1_000_000_000 // self._rate_hz
        measured_ns = arrived.boot_ns - span_ns
        lost = 0
        if self._next_ns is None:
            at_ns = measured_ns
        else:
            late_ns = measured_ns - self._next_ns
            self._late.append(late_ns)
            at_ns = self._next_ns + min(late_ns, span_ns * DRIFT_PPM // 1_000_000)
            if self._late_for_good():
                lost = round(min(self._late) * self._rate_hz / 1e9)
                at_ns = self._next_ns + min(self._late)
                self._late.clear()
        self._next_ns = at_ns + span_ns
        return Instant(at_ns, arrived.utc_ns - (arrived.boot_ns - at_ns)), lost

    def _late_for_good(self) -> bool:
        """Not while lateness falls from block to block: those are kept frames that a stalled reader fetches now."""
        late = list(self._late)
        if len(late) < _SETTLE_BLOCKS or min(late) <= _JUMP_NS:
            return False
        half = _SETTLE_BLOCKS // 2
        return min(late[half:]) > min(late[:half]) - _STEADY_NS


class RateGuard:
    """Compares the frames a device delivers with the clock.

    Frames wait in the device's buffer while the reader is kept from reading, so their count may be off by a whole
    buffer at either end; what is beyond that and `TOLERANCE`, for `PERSIST_S` without a break, is
    a lie. A device that runs at twice its rate is caught after 3 s, one that is 10 % off after about 20 s.
    """

    TOLERANCE = 0.05
    BUFFER_S = 1.0
    WINDOW_S = 60.0
    PERSIST_S = 1.5

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._since_ns: int | None = None
        self._frames = 0
        self._wrong_since_ns: int | None = None

    def restart(self) -> None:
        self._since_ns = self._wrong_since_ns = None

    def wrong_rate_hz(self, frames: int, arrived: Instant) -> int | None:
        """The rate the device really has when it is not the one it claims, else None."""
        now_ns = arrived.boot_ns
        if self._since_ns is None:
            self._since_ns = now_ns
            self._frames = 0
            return None
        self._frames += frames
        span_s = (now_ns - self._since_ns) / 1e9
        excess_s = self._frames / self._rate_hz - span_s
        if abs(excess_s) <= self.BUFFER_S + self.TOLERANCE * span_s:
            self._wrong_since_ns = None
            if span_s >= self.WINDOW_S:
                self._since_ns = now_ns
                self._frames = 0
            return None
        if self._wrong_since_ns is None:
            self._wrong_since_ns = now_ns
        wrong_for_s = (now_ns - self._wrong_since_ns) / 1e9
        return round(self._frames / span_s) if wrong_for_s >= self.PERSIST_S else None
