"""A file that only takes up room, given back to the database when the disk is full."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SIZE_BYTES = 16 * 1024 * 1024
"""Room for about 8,000 calls (2.4 KB each with their outbox rows)."""

RESTORE_WITH_FREE_BYTES = 4 * SIZE_BYTES
"""Taking the room back with less than this would fill the disk again at once."""


class Ballast:
    """``<data folder>/ballast``: real blocks, not a hole."""

    def __init__(self, data_dir: Path, *, size_bytes: int = SIZE_BYTES) -> None:
        self._path = data_dir / "ballast"
        self._size = size_bytes
        self._restore_with = size_bytes * RESTORE_WITH_FREE_BYTES // SIZE_BYTES

    @property
    def held(self) -> bool:
        return self._path.exists()

    @property
    def plenty(self) -> bool:
        """Whether there is so much room that the ballast can stay."""
        return shutil.disk_usage(self._path.parent).free >= self._restore_with

    def take(self) -> bool:
        """Takes the room (again) when there is plenty. False when it was not taken."""
        if self.held:
            return True
        if not self.plenty:
            return False
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o660)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)
        return True

    def release(self) -> bool:
        """Gives the room back. False when there was none to give."""
        if not self.held:
            return False
        self._path.unlink()
        return True
