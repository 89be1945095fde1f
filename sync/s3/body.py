"""A piece of a file as the body of a request: never faster than allowed, and countable."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import BinaryIO

from sync.pacing import Bucket

CHUNK = 64 * 1024


class Pace:
    """Shared by all bodies of a job; ``counting`` is off while a request is only being signed."""

    def __init__(self, bytes_per_s: float | None, sent: Callable[[int], None]) -> None:
        self._bucket = Bucket(bytes_per_s)
        self._sent = sent
        self.counting = True

    def read(self, size: int) -> None:
        if not self.counting:
            return
        while (wait_s := self._bucket.wait_s(time.monotonic())) > 0:
            time.sleep(wait_s)
        self._bucket.take(size)
        self._sent(size)


class Body(io.RawIOBase):
    """Bytes ``[start, start + size)`` of ``file``; may be read again from its beginning."""

    def __init__(self, file: BinaryIO, start: int, size: int, pace: Pace) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._pace = pace
        self._at = 0

    def __len__(self) -> int:
        return self._size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, min(base + offset, self._size))
        return self._at

    def read(self, size: int = -1) -> bytes:
        size = self._size - self._at if size < 0 else min(size, self._size - self._at)
        if size <= 0:
            return b""
        self._file.seek(self._start + self._at)
        data = self._file.read(min(size, CHUNK))
        self._at += len(data)
        self._pace.read(len(data))
        return data
