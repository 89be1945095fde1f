"""Slows down guessing: after a few wrong answers from one source, each next one has to wait longer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_KEYS_KEPT = 4096


@dataclass(slots=True)
class _Record:
    failures: int
    blocked_until_s: float
    last_s: float


class Throttle:
    """Counts failures by key (an address, a user name). Nobody is shut out for ever, so nobody can shut others out.

    Lives in memory on the clock that never jumps: the page has one process, and a Pi's wall clock may jump by years.
    """

    def __init__(
        self,
        *,
        free_failures: int,
        first_wait_s: float,
        longest_wait_s: float,
        forget_after_s: float = 3600.0,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free_failures = free_failures
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._forget_after_s = forget_after_s
        self._now_s = now_s
        self._lock = threading.Lock()
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """Seconds until ``key`` may try again; 0 when it may now."""
        with self._lock:
            record = self._records.get(key)
            return 0.0 if record is None else max(0.0, record.blocked_until_s - self._now_s())

    def failed(self, key: str) -> None:
        """Counts one wrong answer of ``key``; when the free ones are used up, each doubles the wait."""
        now_s = self._now_s()
        with self._lock:
            record = self._records.get(key)
            if record is None or now_s - record.last_s > self._forget_after_s:
                record = _Record(failures=0, blocked_until_s=0.0, last_s=now_s)
            record.failures += 1
            record.last_s = now_s
            beyond = record.failures - self._free_failures
            if beyond >= 0:
                wait_s = min(self._longest_wait_s, self._first_wait_s * 2.0 ** min(beyond, 30))
                record.blocked_until_s = now_s + wait_s
            self._records[key] = record
            self._records.move_to_end(key)
            while len(self._records) > _KEYS_KEPT:
                self._records.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forgets the failures of ``key``."""
        with self._lock:
            self._records.pop(key, None)
