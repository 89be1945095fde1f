"""How fast and how far away the cloud is, and from that how much may be on its way at once."""

from __future__ import annotations

KIB = 1024
MIN_CHUNK = 8 * KIB
MAX_WINDOW = 512 * KIB
FIRST_WINDOW = 32 * KIB

QUEUE_S = 0.7
"""So many seconds of the link may wait in buffers before a chunk: a record that comes next waits as long."""

_SMOOTH = 0.25
_SLOWLY = 0.08
"""Down: an answer that was late for another reason than the link must not make the window small for long."""
PROBE = 1.25
"""The window is so much larger than what was measured: otherwise nothing would ever show that the link takes more."""


class Link:
    """Measured by the receiver's own acknowledgements, never by PUBACK; forgets nothing between connections."""

    def __init__(self, *, max_window: int = MAX_WINDOW) -> None:
        self._max_window = max_window
        self._min_rtt_s: float | None = None
        self.srtt_s = 0.3
        self.goodput: float | None = None
        """Bytes per second; None until something was measured."""
        self._delivered = 0

    def sent(self) -> int:
        """Remember this with what was sent: how much had been delivered then."""
        return self._delivered

    def round_trip(self, seconds: float) -> None:
        """A small message and its answer."""
        self._min_rtt_s = seconds if self._min_rtt_s is None else min(self._min_rtt_s, seconds)
        self.srtt_s += _SMOOTH * (seconds - self.srtt_s)

    def delivered(self, size: int, *, took_s: float, delivered_before: int) -> None:
        """``size`` bytes are acknowledged ``took_s`` after they were sent, when `sent` said ``delivered_before``."""
        self._delivered += size
        took_s = max(took_s, 0.001)
        self.srtt_s += _SMOOTH * (took_s - self.srtt_s)
        self._min_rtt_s = took_s if self._min_rtt_s is None else min(self._min_rtt_s, took_s)
        rate = (self._delivered - delivered_before) / took_s
        if self.goodput is None:
            self.goodput = rate
        else:
            smooth = _SMOOTH if rate > self.goodput else _SLOWLY
            self.goodput += smooth * (rate - self.goodput)

    @property
    def window(self) -> int:
        """Bytes that may be unacknowledged."""
        if self.goodput is None:
            return min(FIRST_WINDOW, self._max_window)
        wanted = int(PROBE * self.goodput * ((self._min_rtt_s or 0.0) + QUEUE_S))
        # Two at least: with one, the link rests for a round trip after each.
        return max(2 * self.chunk(self._max_window), min(wanted, self._max_window))

    def chunk(self, largest: int) -> int:
        """Bytes of the next chunk: half a second of the link, a power of two, at most ``largest``."""
        wanted = MIN_CHUNK
        while wanted * 2 <= (self.goodput or 0) * 0.5:
            wanted *= 2
        return max(1, min(wanted, largest))

    def resend_after_s(self, shortest_s: float, in_flight: int) -> float:
        """How long to wait for an acknowledgement with ``in_flight`` bytes before it."""
        return max(shortest_s, 4 * self.srtt_s) + in_flight / max(self.goodput or 8 * KIB, KIB)
