"""The bounded queue between a line's capture thread and its file thread: a stalled card must never stall capture."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue

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
class Quiet:
    """The line carries digital silence since ``since_ns`` (boot clock); None: it carries sound again."""

    since_ns: int | None


@dataclass(frozen=True, slots=True)
class Finish:
    """Close what is open; nothing follows."""

    at: Instant


Item = Block | Dropped | SourceUp | SourceDown | Quiet | StartRecording | StopRecording | ListenFor | Finish


class LineInbox:
    """One writer of blocks, any writers of orders, one reader. Order is kept."""

    def __init__(self, *, limit_frames: int) -> None:
        """Holds at most ``limit_frames`` of sound."""
        self._limit = limit_frames
        self._wake_frames = 1
        self._items: list[Item] = []
        self._frames = 0
        self._dropped = 0
        self._woken = False
        self._lock = threading.Lock()
        # A queue of wake-ups instead of a Condition: it waits in C, which halves the cost of a wake-up.
        self._wake: SimpleQueue[None] = SimpleQueue()

    @property
    def waits(self) -> bool:
        """Whether `take` would return at once. A moment later it may be otherwise."""
        return self._woken

    def put_block(self, block: Block) -> None:
        with self._lock:
            if self._frames + block.frames > self._limit:
                self._dropped += block.frames
                return
            if self._dropped:
                self._items.append(Dropped(self._dropped))
                self._dropped = 0
            self._items.append(block)
            self._frames += block.frames
            if self._frames >= self._wake_frames:
                self._wake_reader()

    def put(self, item: Item) -> None:
        """Never dropped, wakes the reader at once."""
        with self._lock:
            self._items.append(item)
            self._wake_reader()

    def take(self, timeout_s: float, *, wake_frames: int) -> list[Item]:
        """Everything there is, at an order or when ``wake_frames`` of sound have come, else after ``timeout_s``."""
        with self._lock:
            self._wake_frames = wake_frames
            if self._frames >= wake_frames:
                self._wake_reader()
        with contextlib.suppress(Empty):
            self._wake.get(timeout=timeout_s)
        with self._lock:
            items, self._items = self._items, []
            self._frames = 0
            self._woken = False
            return items

    def _wake_reader(self) -> None:
        if not self._woken:
            self._woken = True
            self._wake.put(None)
