"""Reads what dm-log-writes recorded of a disk, and makes the disk as a power cut would have left it.

Format and order: Linux drivers/md/dm-log-writes.c. Writes stand in the log at the flush that made them safe, ahead of
it; a write with FUA stands where it completed; marks stand where they were made. So everything up to a mark was safe at
that moment, and the writes between the mark and the next flush may have been in the disk's cache: each of them may or
may not have survived.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = 0x6A736677736872
_FLUSH, _FUA, _DISCARD, _MARK = 1, 2, 4, 8


@dataclass(frozen=True)
class Entry:
    """One entry; ``data_at`` is where its data is in the log."""

    at: int
    """Byte on the disk."""
    length: int
    flags: int
    data_at: int
    mark: str = ""

    @property
    def writes(self) -> bool:
        return self.length > 0 and not self.flags & (_MARK | _DISCARD)

    @property
    def flush(self) -> bool:
        return bool(self.flags & _FLUSH)


@dataclass(frozen=True)
class Cut:
    """The power is cut when the log stood at ``entry``; ``keep`` is the share of the cached writes that survive."""

    entry: int
    at_utc_ms: int
    keep: float
    seed: int


class WriteLog:
    """The log of one disk. Raises ValueError when ``path`` holds none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as log:
            magic, version, count, sector = struct.unpack("<QQQI", log.read(28))
            if magic != _MAGIC or version != 1:
                raise ValueError(f"{path} is no log of dm-log-writes (magic {magic:#x}, version {version})")
            self.entries = list(_entries(log, count, sector))

    def marks(self, prefix: str) -> list[tuple[int, int]]:
        """(index, number) of each mark ``<prefix><number>``."""
        return [
            (n, int(entry.mark.removeprefix(prefix)))
            for n, entry in enumerate(self.entries)
            if entry.mark.startswith(prefix)
        ]

    def replay(self, disk: Path, start: int, end: int) -> None:
        """Applies the entries ``start`` to ``end`` (not included) to ``disk``."""
        with self._path.open("rb") as log, disk.open("r+b") as target:
            for entry in self.entries[start:end]:
                if entry.writes:
                    _apply(entry, log, target)

    def cut(self, disk: Path, cut: Cut) -> int:
        """Lets cached writes survive, or not, on ``disk``, which stands at the cut's entry. Returns how many did."""
        rng = random.Random(cut.seed)
        survived = 0
        with self._path.open("rb") as log, disk.open("r+b") as target:
            for entry in self.entries[cut.entry :]:
                if entry.writes and not entry.flags & _FUA and rng.random() < cut.keep:
                    _apply(entry, log, target)
                    survived += 1
                if entry.flush:
                    break
        return survived


def _apply(entry: Entry, log, target) -> None:  # type: ignore[no-untyped-def]
    log.seek(entry.data_at)
    target.seek(entry.at)
    target.write(log.read(entry.length))


def _entries(log, count: int, sector: int) -> Iterator[Entry]:  # type: ignore[no-untyped-def]
    position = sector
    for _ in range(count):
        log.seek(position)
        head = log.read(sector)
        first, sectors, flags, data_length = struct.unpack_from("<QQQQ", head)
        mark = head[32 : 32 + data_length].rstrip(b"\0").decode("ascii", "replace") if flags & _MARK else ""
        position += sector
        length = 0 if flags & (_DISCARD | _MARK) else sectors * sector
        yield Entry(first * sector, sectors * sector, flags, position, mark)
        position += length
