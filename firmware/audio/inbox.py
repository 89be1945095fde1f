"""The bounded queue between a line's capture thread and its file thread: a stalled card must never stall capture."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from firmware.effects import ListenFor, StartRecording, StopRecording
from firmware.model import ChannelRole, Instant
from firmware.ports import Block


@dataclass(frozen=True, slots=True)
class Dropped:
    """The queue was full for ``frames`` frames, between the block before and the block after this."""

    frames: int


@dataclass(frozen=True, slots=True)
class SourceUp:
    """The source delivers (again); the blocks that follow have this rate and these channels."""

    at: Instant
    rate_hz: int
    roles: tuple[ChannelRole, ...]


@dataclass(frozen=True, slots=True)
class SourceDown:
    at: Instant
    reason: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Close what is open; nothing follows."""

    at: Instant


Item = Block | Dropped | SourceUp | SourceDown | StartRecording | StopRecording | ListenFor | Finish


class LineInbox:
    """One writer of blocks, any writers of orders, one reader. Order is kept."""

    def __init__(self, *, limit_frames: int, wake_frames: int) -> None:
        """Holds at most ``limit_frames`` of sound; wakes its reader when ``wake_frames`` have come, or at an order."""
        self._limit = limit_frames
        self._wake_frames = wake_frames
        self._items: deque[Item] = deque()
        self._frames = 0
        self._dropped = 0
        self._urgent = False
        self._ready = threading.Condition(threading.Lock())

    def put_block(self, block: Block) -> None:
        with self._ready:
            if self._frames + block.frames > self._limit:
                self._dropped += block.frames
                return
            if self._dropped:
                self._items.append(Dropped(self._dropped))
                self._dropped = 0
            self._items.append(block)
            self._frames += block.frames
            if self._frames >= self._wake_frames:
                self._ready.notify()

    def put(self, item: Item) -> None:
        """Never dropped, wakes the reader at once."""
        with self._ready:
            self._items.append(item)
            self._urgent = True
            self._ready.notify()

    def take(self, timeout_s: float) -> list[Item]:
        """Everything there is, as soon as it is worth waking up for; what there is after ``timeout_s``."""
        with self._ready:
            if not self._urgent and self._frames < self._wake_frames:
                self._ready.wait(timeout_s)
            items = list(self._items)
            self._items.clear()
            self._frames = 0
            self._urgent = False
            return items
