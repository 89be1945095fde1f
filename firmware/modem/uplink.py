"""What waits to be sent to a module's PCM port: written without blocking; the oldest is dropped if it takes none."""

from __future__ import annotations

import os
from collections import deque
from typing import Final

LONGEST_BYTES: Final = 960
"""60 ms at 8 kHz. A starved port takes nothing for up to a second; what waited so long would delay all that follows."""


class Uplink:
    """A queue in front of a non-blocking file descriptor."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._bytes = 0
        self.dropped_bytes = 0
        """Sound that the module did not take in time, since the start."""

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def put(self, pcm: bytes) -> None:
        self._pieces.append(pcm)
        self._bytes += len(pcm)
        while self._bytes > LONGEST_BYTES and len(self._pieces) > 1:
            dropped = len(self._pieces.popleft())
            self._bytes -= dropped
            self.dropped_bytes += dropped

    def clear(self) -> None:
        self._pieces.clear()
        self._bytes = 0

    def write_to(self, fd: int) -> None:
        """Writes what ``fd`` takes now. Raises `OSError` when it is gone."""
        while self._pieces:
            pcm = self._pieces[0]
            try:
                sent = os.write(fd, pcm)
            except BlockingIOError:
                return
            self._bytes -= sent
            if sent < len(pcm):
                self._pieces[0] = pcm[sent:]
                return
            self._pieces.popleft()
