"""A Whozz Calling line monitor on a pty: says in records what the telephone lines on its sockets do.

Formats: CallerID.com product manual (call records with 14 characters of number and 15 of name; detail mode R, F, N, H).
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from datetime import datetime
from pathlib import Path


class WhozzMonitor:
    """One monitor; ``path`` is its serial port while it is plugged in. Every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = datetime.now
        self._lock = threading.Lock()
        self._ends: tuple[int, int] | None = None

    def plug(self) -> None:
        with self._lock:
            if self._ends is not None:
                return
            far, near = os.openpty()
            tty.setraw(near)
            os.set_blocking(far, False)
            self._ends = (far, near)
            self.path.symlink_to(os.ttyname(near))

    def unplug(self) -> None:
        with self._lock:
            ends, self._ends = self._ends, None
            if ends is not None:
                self.path.unlink()
                for end in reversed(ends):
                    os.close(end)

    # --- what happens on socket ``line`` ----------------------------------------------------------------------------

    def rings(self, line: int = 1) -> None:
        """One ring burst."""
        self._detail(line, "R")

    def lifted(self, line: int = 1) -> None:
        self._detail(line, "F")

    def put_back(self, line: int = 1) -> None:
        self._detail(line, "N")

    def flashed(self, line: int = 1) -> None:
        self._detail(line, "H")

    def call_begins(
        self, number: str, name: str = "", *, line: int = 1, outgoing: bool = False, checksum_ok: bool = True
    ) -> None:
        """``number`` is what stands in the field: ``770-263-7111``, ``Private`` or ``Out-of-Area``."""
        self._call(line, number, name, kind="O" if outgoing else "I", stage="S", seconds=0, good=checksum_ok)

    def call_ends(
        self, number: str, name: str = "", *, line: int = 1, outgoing: bool = False, seconds: int = 0
    ) -> None:
        self._call(line, number, name, kind="O" if outgoing else "I", stage="E", seconds=seconds, good=True)

    def says(self, raw: bytes) -> None:
        """Anything: noise, half records."""
        with self._lock, contextlib.suppress(OSError):
            if self._ends is not None and select.select([], [self._ends[0]], [], 0)[1]:
                os.write(self._ends[0], raw)

    # ----------------------------------------------------------------------------------------------------------------

    def _detail(self, line: int, what: str) -> None:
        self.says(detail_record(line, what, self.now()))

    def _call(self, line: int, number: str, name: str, *, kind: str, stage: str, seconds: int, good: bool) -> None:
        self.says(call_record(line, number, name, kind=kind, stage=stage, seconds=seconds, good=good, at=self.now()))


def detail_record(line: int, what: str, at: datetime) -> bytes:
    """``R`` ring, ``F`` off-hook, ``N`` on-hook, ``H`` hook flash."""
    return f"{line:02d} {what}     {at:%m/%d %H:%M:%S}\r\n".encode()


def call_record(
    line: int, number: str, name: str, *, kind: str, stage: str, seconds: int, good: bool, at: datetime
) -> bytes:
    """``kind``: ``I`` or ``O``; ``stage``: ``S`` start or ``E`` end."""
    head = f"{line:02d} {kind} {stage} {seconds:04d} {'G' if good else 'B'} A0 {at:%m/%d %I:%M %p}"
    return f"{head} {number:<14.14} {name:<15.15}\r\n".encode()
