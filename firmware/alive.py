"""The last moment the box watched its lines: what lies between it and the next start is a hole that must be named."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from firmware.model import Instant

_EVERY_S = 0.5
_ON_CARD_EVERY_S = 30.0
"""The run folder is in RAM; the copy on the card serves after a power cut and must not wear the card out."""


@dataclass(frozen=True, slots=True)
class LastSeen:
    at: Instant
    boot_id: str
    clean: bool
    """The recorder stopped on purpose."""


class AliveMark:
    """Writes the present moment to ``run_dir/alive`` twice a second and, rarely, beside the database."""

    def __init__(self, run_dir: Path, data_dir: Path, boot_id: str) -> None:
        self._paths = (run_dir / "alive", data_dir / "alive")
        self._boot_id = boot_id
        self._next_ns = 0
        self._next_card_ns = 0

    def last_seen(self) -> LastSeen | None:
        """The newest mark of the process before this one; None when there never was one. Read it before `touch`."""
        marks = [mark for path in self._paths if (mark := _read(path)) is not None]
        return max(marks, key=lambda mark: mark.at.utc_ns, default=None)

    def touch(self, now: Instant) -> None:
        """Marks ``now``, unless a mark is fresh."""
        if now.boot_ns < self._next_ns:
            return
        self._next_ns = now.boot_ns + int(_EVERY_S * 1e9)
        self._write(self._paths[0], now, clean=False)
        if now.boot_ns >= self._next_card_ns:
            self._next_card_ns = now.boot_ns + int(_ON_CARD_EVERY_S * 1e9)
            self._write(self._paths[1], now, clean=False)

    def leave(self, now: Instant) -> None:
        """Marks the end of watching on purpose."""
        for path in self._paths:
            self._write(path, now, clean=True)

    def _write(self, path: Path, now: Instant, *, clean: bool) -> None:
        mark = {"boot_ns": now.boot_ns, "utc_ns": now.utc_ns, "boot_id": self._boot_id, "clean": clean}
        fresh = path.with_suffix(".new")
        # A full disk must not stop the box from watching; an older mark only makes the named hole longer.
        with contextlib.suppress(OSError):
            fresh.write_text(json.dumps(mark))
            fresh.replace(path)


def _read(path: Path) -> LastSeen | None:
    try:
        mark = json.loads(path.read_text())
        return LastSeen(
            at=Instant(int(mark["boot_ns"]), int(mark["utc_ns"])),
            boot_id=str(mark["boot_id"]),
            clean=bool(mark["clean"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def in_this_boot(seen: LastSeen, boot_id: str, now: Instant) -> Instant:
    """When that was on this boot's clock; a moment of an earlier boot is placed by the wall clock."""
    if seen.boot_id == boot_id:
        return seen.at
    return Instant(now.boot_ns - max(0, now.utc_ns - seen.at.utc_ns), seen.at.utc_ns)
