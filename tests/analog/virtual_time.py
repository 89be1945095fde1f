"""A clock that runs only when the test says so, and threads that wait in its time."""

from __future__ import annotations

import queue
import threading
from typing import TypeVar

from firmware.model import Instant

T = TypeVar("T")

START = Instant(10**12, 1_795_348_800_000_000_000)
_REAL_DEADLINE_S = 60.0
"""A thread that does not come back within this has hung, however busy the machine."""


class VirtualTime:
    """`now` is a `Clock`, `take` a `firmware.analog.inbox.Take`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._now = START
        self._let_go = False
        self._threads: set[int] = set()
        self._waiting: dict[int, tuple[queue.SimpleQueue[object], int]] = {}

    def now(self) -> Instant:
        return self._now

    def ticks(self) -> float:
        """Seconds on the clock of the edges."""
        return self._now.boot_ns / 1e9

    def take(self, inbox: queue.SimpleQueue[T], wait_s: float) -> T | None:
        """On a driver's thread: the next item, or None once so much of this time has passed."""
        me = threading.get_ident()
        with self._changed:
            self._threads.add(me)
            due_ns = self._now.plus_s(wait_s).boot_ns
            while True:
                # A thread that was woken for nothing stays in `_waiting`: whoever looks at it holds the lock.
                try:
                    item: T | None = inbox.get_nowait()
                    break
                except queue.Empty:
                    item = None
                if self._let_go:
                    self._changed.wait(0.001)
                    break
                if self._now.boot_ns >= due_ns:
                    break
                if me not in self._waiting:
                    self._waiting[me] = (inbox, due_ns)  # type: ignore[assignment]
                    self._changed.notify_all()
                self._changed.wait()
            self._waiting.pop(me, None)
            return item

    def settle(self, threads: int | None = None) -> None:
        """Returns when every thread waits for time to pass; ``threads``: so many must have come at least once."""
        with self._changed:
            self._settled(threads)

    def _settled(self, threads: int | None = None) -> None:
        """`settle`, with the lock held from then on."""
        self._changed.notify_all()
        done = self._changed.wait_for(lambda: self._idle(threads), _REAL_DEADLINE_S)
        assert done, "a thread of the box does not come to rest"

    def advance(self, to: Instant) -> None:
        """Time passes up to ``to``; every thread wakes when it wanted to."""
        while True:
            with self._changed:
                self._settled()
                due_ns = min((due for _, due in self._waiting.values()), default=to.boot_ns + 1)
            if due_ns > to.boot_ns:
                break
            self._set(START.plus_s((due_ns - START.boot_ns) / 1e9))
        self._set(to)
        self.settle()

    def let_go(self) -> None:
        """Time stands still from now on, and nobody waits for it any more: what runs can be stopped."""
        with self._changed:
            self._let_go = True
            self._changed.notify_all()

    def _set(self, now: Instant) -> None:
        with self._changed:
            if now.boot_ns > self._now.boot_ns:
                self._now = now

    def _idle(self, threads: int | None) -> bool:
        known = len(self._threads) if threads is None else max(threads, len(self._threads))
        return len(self._waiting) == known and all(
            inbox.empty() and due_ns > self._now.boot_ns for inbox, due_ns in self._waiting.values()
        )
