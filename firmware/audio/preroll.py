"""The last seconds of a line's sound, so that a recording can begin before the moment somebody knew of the call."""

from __future__ import annotations

from collections import deque

from firmware.ports import Block

LATE_ORDER_S = 5.0
"""How late a start order may come and still find its first word."""


def end_ns(block: Block, rate_hz: int) -> int:
    """The moment (boot clock) just after the last frame of ``block``."""
    return block.at.boot_ns + block.frames * 1_000_000_000 // rate_hz


class Preroll:
    """A ring of blocks that covers ``keep_s`` seconds and the lateness of an order."""

    def __init__(self, keep_s: float) -> None:
        self._keep_ns = round((keep_s + LATE_ORDER_S) * 1e9)
        self._blocks: deque[Block] = deque()

    def push(self, block: Block) -> None:
        self._blocks.append(block)
        oldest = block.at.boot_ns - self._keep_ns
        while self._blocks[0].at.boot_ns < oldest:
            self._blocks.popleft()

    def since(self, boot_ns: int, rate_hz: int) -> list[Block]:
        """The blocks that hold sound after ``boot_ns``, oldest first."""
        return [block for block in self._blocks if end_ns(block, rate_hz) > boot_ns]

    def clear(self) -> None:
        self._blocks.clear()
