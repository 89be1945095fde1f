"""Waiting for the next thing in an inbox: the one place where a line's thread spends time."""

from __future__ import annotations

import queue
from typing import Protocol, TypeVar

T = TypeVar("T")


class Take(Protocol):
    """Takes the oldest item of ``inbox``; None when none came within ``wait_s`` seconds of the line's own clock.

    Given to a driver beside its clock: whoever gives it a clock that does not run by itself gives it this too.
    """

    def __call__(self, inbox: queue.SimpleQueue[T], wait_s: float, /) -> T | None: ...


def take_within(inbox: queue.SimpleQueue[T], wait_s: float, /) -> T | None:
    """`Take` in the machine's time."""
    try:
        return inbox.get(timeout=wait_s)
    except queue.Empty:
        return None
