"""Tells 8 kHz from 16 kHz sound by counting bytes: a module's own word about its rate can be wrong (pure)."""

from __future__ import annotations

from typing import Final

NARROW_BYTES_PER_S: Final = 16000
WIDE_LIMIT_BYTES_PER_S: Final = 24000
FIRST_WINDOW_S: Final = 0.5
WINDOW_S: Final = 2.0
CALM_BYTES: Final = 1280
CALM_GAP_S: Final = 0.004
"""A read of at most two frames of 16 kHz sound, some time after the one before: nothing had piled up."""
READ_BYTES: Final = 4096
"""Most that one read takes: a read of fewer has emptied what had piled up."""
PATIENCE_S: Final = 1.5
"""A busy box may have no calm read for long: after so much more time one that emptied the pile will do."""
SURE_AFTER: Final = 2
"""A module does not change its rate in mid-call: so many windows in a row must say so before it is believed."""


class ByteRate:
    """Counts what comes. `known` is False until the first half second was measured; `wide` means 16 kHz.

    A window opens and closes between calm reads: bytes that had piled up while the box or the module was busy belong to
    time that the window did not see.
    """

    def __init__(self) -> None:
        self.known = False
        self.wide = False
        self._first_s: float | None = None
        self._last_s: float | None = None
        self._since_s: float | None = None
        self._bytes = 0
        self._doubts = 0

    def pause(self) -> None:
        """The sound stopped: the next bytes open a new window."""
        self._first_s = self._last_s = self._since_s = None

    def count(self, size: int, now_s: float) -> None:
        """``size`` bytes came at ``now_s`` (seconds on a steady clock)."""
        calm = size <= CALM_BYTES and (self._last_s is None or now_s - self._last_s >= CALM_GAP_S)
        emptied = size < READ_BYTES
        self._last_s = now_s
        if self._first_s is None:
            self._first_s = now_s
        if self._since_s is None:
            if calm or (emptied and now_s - self._first_s > PATIENCE_S):
                self._since_s, self._bytes = now_s, 0
            return
        self._bytes += size
        elapsed_s = now_s - self._since_s
        window_s = WINDOW_S if self.known else FIRST_WINDOW_S
        if elapsed_s < window_s or not (calm or (emptied and elapsed_s >= window_s + PATIENCE_S)):
            return
        self._judge(self._bytes / elapsed_s > WIDE_LIMIT_BYTES_PER_S)
        self._since_s, self._bytes = now_s, 0

    def _judge(self, wide: bool) -> None:
        if not self.known:
            self.known, self.wide = True, wide
            return
        self._doubts = self._doubts + 1 if wide != self.wide else 0
        if self._doubts >= SURE_AFTER:
            self.wide, self._doubts = wide, 0
