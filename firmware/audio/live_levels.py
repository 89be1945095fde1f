"""How loud a line is right now, for the page's meters, and whether it carries anything at all."""

from __future__ import annotations

from firmware.audio.levels import levels_now, samples_of
from firmware.model import LineId
from firmware.ports import Block, Levels

LEVELS_S = 0.2
"""Shortest stretch that is worth a reading."""


class LiveLevels:
    """Lives on the capture thread, which is awake at each block anyway: a second thread costs more than the sums."""

    def __init__(self, line: LineId) -> None:
        self.quiet_since_ns: int | None = None
        """Since when (boot clock) the line has carried nothing but digital silence; None while it carries sound."""
        self._line = line
        self._blocks: list[Block] = []
        self._frames = 0

    def restart(self) -> None:
        """What follows may have another rate or other channels."""
        self._blocks.clear()
        self._frames = 0

    def feed(self, block: Block, *, rate_hz: int, channels: int) -> Levels | None:
        """A reading as soon as there is sound enough for one."""
        self._blocks.append(block)
        self._frames += block.frames
        if self._frames < round(LEVELS_S * rate_hz):
            return None
        pcm = block.pcm if len(self._blocks) == 1 else b"".join(each.pcm for each in self._blocks)
        first_ns = self._blocks[0].at.boot_ns
        self.restart()
        now = levels_now(samples_of(pcm, channels))
        if not now.dead:
            self.quiet_since_ns = None
        elif self.quiet_since_ns is None:
            self.quiet_since_ns = first_ns
        return Levels(line=self._line, at=block.at, rms_dbfs=now.rms_dbfs, peak_dbfs=now.peak_dbfs)
