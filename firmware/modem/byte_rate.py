"""Tells 8 kHz from 16 kHz sound by counting bytes: a module's own word about its rate can be wrong (pure)."""

from __future__ import annotations

from typing import Final

NARROW_BYTES_PER_S: Final = 16000
WIDE_LIMIT_BYTES_PER_S: Final = 24000
FIRST_WINDOW_S: Final = 0.5
WINDOW_S: Final = 2.0


class ByteRate:
    """Counts what comes. `known` is False until the first half second was measured; `wide` means 16 kHz.

    The bytes that open a window are not counted: they may have waited in a buffer.
    """

    def __init__(self) -> None:
        self.known = False
        self.wide = False
        self._since_s: float | None = None
        self._bytes = 0

    def pause(self) -> None:
        """The sound stopped: the next bytes open a new window."""
        self._since_s = None

    def count(self, size: int, now_s: float) -> None:
        """``size`` bytes came at ``now_s`` (seconds on a steady clock)."""
        if self._since_s is None:
            self._since_s, self._bytes = now_s, 0
            return
        self._bytes += size
        elapsed_s = now_s - self._since_s
        if elapsed_s < (WINDOW_S if self.known else FIRST_WINDOW_S):
            return
        self.wide = self._bytes / elapsed_s > WIDE_LIMIT_BYTES_PER_S
        self.known = True
        self._since_s, self._bytes = now_s, 0
