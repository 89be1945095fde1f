"""The sound of a voice modem as an `AudioSource`: what the modem's own port carries while it holds the line."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from firmware.errors import AudioDeviceError
from firmware.model import ChannelRole, Instant
from firmware.ports import Block

RATE_HZ: Final = 8000
_BLOCK_BYTES: Final = 1600
_LONGEST_BLOCKS: Final = 300


class VoiceSource:
    """Filled by the modem's thread, read by the recorder's; quiet between calls."""

    def __init__(self, name: str) -> None:
        self.rate_hz: int = RATE_HZ
        self.roles: tuple[ChannelRole, ...] = (ChannelRole.MIXED,)
        self._name = name
        self._changed = threading.Condition()
        self._blocks: deque[Block] = deque()
        self._lost_frames = 0
        self._there = False
        self._generation = 0
        self._opened = -1
        self._begun = bytearray()
        self._begun_at: Instant | None = None

    # --- the modem's thread -----------------------------------------------------------------------------------------

    def there(self, there: bool) -> None:
        """The modem came, or is gone."""
        with self._changed:
            self._there = there
            self._generation += 1
            self._blocks.clear()
            self._begun.clear()
            self._changed.notify_all()

    def put(self, pcm: bytes, at: Instant) -> None:
        """More s16le, the last sample of which arrived at ``at``."""
        if self._begun_at is None or not self._begun:
            self._begun_at = at.plus_s(-len(pcm) / 2 / RATE_HZ)
        self._begun += pcm
        if len(self._begun) >= _BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hands on what is there."""
        if not self._begun or self._begun_at is None:
            return
        pcm, at = bytes(self._begun), self._begun_at
        self._begun.clear()
        with self._changed:
            if len(self._blocks) >= _LONGEST_BLOCKS:
                self._lost_frames += self._blocks.popleft().frames
            self._blocks.append(Block(pcm=pcm, frames=len(pcm) // 2, at=at, lost_frames=self._lost_frames))
            self._lost_frames = 0
            self._changed.notify_all()

    # --- the recorder's thread --------------------------------------------------------------------------------------

    def open(self) -> None:
        """Raises `AudioDeviceError` while the modem is not there."""
        with self._changed:
            if not self._there:
                raise AudioDeviceError(f"the voice modem of {self._name} is not there: plug it in")
            self._opened = self._generation
            self._blocks.clear()

    def read(self) -> Block | None:
        with self._changed:
            self._changed.wait_for(lambda: self._blocks or self._opened != self._generation, 1.0)
            if self._opened != self._generation:
                raise AudioDeviceError(f"the voice modem of {self._name} is gone: plug it in again")
            return self._blocks.popleft() if self._blocks else None

    def close(self) -> None:
        with self._changed:
            self._opened = -1
