"""Turns the breaks of the loop into the digits of a dial: 10 and 20 pulses a second; no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.model import Instant

_BOUNCE_S = 0.008
"""Contacts of a dial chatter for a few ms at each edge."""
_SHORTEST_BREAK_S, _LONGEST_BREAK_S = 0.015, 0.085
"""Of a pulse: 60 to 67 ms at 10 a second, 30 at 20 a second (ITU-T Q.552 takes 50 to 80; a timed-break recall is 90 and
more). DAHDI counts 15 to 200 ms."""
_DIGIT_OVER_S = 0.15
"""Longer than any make between two pulses (50 ms), shorter than any pause between two digits (200 ms and more)."""
_ARMED_S = 0.1
"""The loop must have been closed so long before the first pulse: a handset that is lifted bounces."""


@dataclass(frozen=True, slots=True)
class PulsedDigit:
    digit: str
    at: Instant
    """The beginning of its first pulse."""


class PulseDialDetector:
    """`feed` it every edge of the loop in order, call `advance` when `due` has come; both return digits now certain."""

    def __init__(self, *, closed: bool = False) -> None:
        self._closed = closed
        self._closed_at: Instant | None = None
        self._opened_at: Instant | None = None
        self._pulses = 0
        self._counted = False
        """The last break is one of the pulses."""
        self._first: Instant | None = None

    def feed(self, closed: bool, at: Instant) -> list[PulsedDigit]:
        digits = self.advance(at)
        if closed == self._closed:
            return digits
        self._closed = closed
        if not closed:
            self._opens(at)
        else:
            self._closes(at)
        return digits

    def advance(self, now: Instant) -> list[PulsedDigit]:
        """Time has passed up to ``now`` without an edge."""
        due = self.due()
        if due is None or now.boot_ns < due.boot_ns:
            return []
        pulses, first = self._pulses, self._first
        self._pulses, self._first = 0, None
        if first is None or pulses > 10:
            return []
        return [PulsedDigit(str(pulses % 10), first)]

    def due(self) -> Instant | None:
        """When the digit that is being dialled is over; None: none is."""
        if self._pulses == 0 or not self._closed or self._closed_at is None:
            return None
        return self._closed_at.plus_s(_DIGIT_OVER_S)

    def _opens(self, at: Instant) -> None:
        made_s = 0.0 if self._closed_at is None else at.seconds_since(self._closed_at)
        if self._counted and made_s < _BOUNCE_S:
            self._pulses -= 1  # the contact chatters: the break before goes on
            self._counted = False
            return
        self._counted = False
        self._opened_at = at if self._pulses > 0 or made_s >= _ARMED_S else None

    def _closes(self, at: Instant) -> None:
        if self._opened_at is None:
            self._closed_at = at
            return
        broken_s = at.seconds_since(self._opened_at)
        if broken_s < _BOUNCE_S:
            return  # as if the loop had never opened
        self._closed_at = at
        if not _SHORTEST_BREAK_S <= broken_s <= _LONGEST_BREAK_S:
            self._pulses, self._first = 0, None
            return
        if self._pulses == 0:
            self._first = self._opened_at
        self._pulses += 1
        self._counted = True
