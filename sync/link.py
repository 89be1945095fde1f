"""How fast and how far away the cloud is, and from that how much may be on its way at once."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIN_CHUNK = 8 * KIB
MAX_WINDOW = 512 * KIB
FIRST_WINDOW = 32 * KIB

QUEUE_S = 0.1
"""So many seconds of the link, or less, wait in buffers when another chunk joins them: a record that comes next waits
as long, and for that chunk."""
BLIND_QUEUE_S = 0.7
"""Likewise where only the receiver's acknowledgements tell what waits."""
REPAIR_S = 1.0
"""With some round trips, how long what follows a lost packet may wait for it."""
LOOK_SOONEST_S, LOOK_LATEST_S = 0.02, 0.1
CHUNK_S = 0.5

_SMOOTH = 0.25
PROBE = 1.25
"""The window is so much larger than what was measured: otherwise nothing would ever show that the link takes more."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How much had been delivered, and when the last of it was: from one such moment to another is a fair measure."""

    delivered: int
    at_s: float


class Link:
    """Measured by the receiver's own acknowledgements, never by PUBACK; forgets nothing between connections."""

    def __init__(self, *, max_window: int = MAX_WINDOW) -> None:
        self._max_window = max_window
        self._min_rtt_s: float | None = None
        self.srtt_s = 0.3
        self.goodput: float | None = None
        """Bytes per second; None until something was measured."""
        self._delivered = 0
        self._delivered_s = 0.0
        self._bytes = self._seconds = 0.0

    def sending(self, now_s: float, *, idle: bool) -> Mark:
        """Remember this with what is sent now; ``idle``: nothing else is on its way."""
        if idle:
            self._delivered_s = now_s
        return Mark(self._delivered, self._delivered_s)

    def round_trip(self, seconds: float) -> None:
        """A small message and its answer."""
        self._min_rtt_s = seconds if self._min_rtt_s is None else min(self._min_rtt_s, seconds)
        self.srtt_s += _SMOOTH * (seconds - self.srtt_s)

    def delivered(self, size: int, now_s: float, *, took_s: float, mark: Mark) -> None:
        """``size`` bytes are acknowledged at once, ``took_s`` after the first of them was sent, when `sending` gave
        ``mark``."""
        self._delivered += size
        self._delivered_s = now_s
        self.srtt_s += _SMOOTH * (took_s - self.srtt_s)
        self._min_rtt_s = took_s if self._min_rtt_s is None else min(self._min_rtt_s, took_s)
        size = self._delivered - mark.delivered
        seconds = max(now_s - mark.at_s, took_s, 0.001)
        # Bytes and seconds apart: a mean of their quotients is too large when answers come in bursts.
        smooth = 1.0 if self.goodput is None else _SMOOTH
        self._bytes += smooth * (size - self._bytes)
        self._seconds += smooth * (seconds - self._seconds)
        self.goodput = self._bytes / self._seconds

    def window(self, *, pipe_is_seen: bool) -> int:
        """Bytes that the receiver may not have acknowledged.

        With ``pipe_is_seen`` it need not keep records from waiting (`may_join` does), so it has room for what has
        arrived and waits behind a lost packet until that has come again.
        """
        if self.goodput is None:
            return min(FIRST_WINDOW, self._max_window)
        rtt_s, chunk = self._min_rtt_s or 0.0, self.chunk(self._max_window)
        if pipe_is_seen:
            wanted = int(self.goodput * (4 * rtt_s + REPAIR_S)) + 2 * chunk
        else:
            wanted = int(PROBE * self.goodput * (rtt_s + BLIND_QUEUE_S))
        # Two at least: with one, the link rests for a round trip after each.
        return max(2 * chunk, min(wanted, self._max_window))

    def may_join(self, pipe: int) -> bool:
        """Whether another chunk may join the ``pipe`` bytes that are between this process and the other end's TCP."""
        return self._surplus_s(pipe) <= 0.0

    def look_again_s(self, pipe: int) -> float:
        """In how many seconds `may_join` may be true."""
        return max(LOOK_SOONEST_S, min(self._surplus_s(pipe), LOOK_LATEST_S))

    def _surplus_s(self, pipe: int) -> float:
        if self.goodput is None:
            return 0.0
        return pipe / max(self.goodput, KIB) - (self._min_rtt_s or 0.0) - QUEUE_S

    def chunk(self, largest: int) -> int:
        """Bytes of the next chunk: `CHUNK_S` of the link, a power of two, at most ``largest``."""
        wanted = MIN_CHUNK
        while wanted * 2 <= (self.goodput or 0) * CHUNK_S:
            wanted *= 2
        return max(1, min(wanted, largest))

    def resend_after_s(self, shortest_s: float, in_flight: int) -> float:
        """How long to wait for an acknowledgement with ``in_flight`` bytes before it."""
        return max(shortest_s, 4 * self.srtt_s) + in_flight / max(self.goodput or 8 * KIB, KIB)
