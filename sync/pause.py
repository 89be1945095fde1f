"""A pause that somebody asked for: it holds across restarts, and "now" or "resume" ends it."""

from __future__ import annotations

import math

from sync import outbox
from sync.outbox import Outbox
from sync.pacing import Pacing

_NOTE = "paused_until_ms"
_FOR_EVER_MS = 2**53


class Pause:
    def __init__(self, box: Outbox, pacing: Pacing, *, now_s: float, utc_ms: int) -> None:
        """One from before a restart goes on."""
        self._outbox = box
        self._pacing = pacing
        until_ms = int(box.note(_NOTE) or 0)
        if until_ms > utc_ms:
            pacing.paused_until_s = now_s + (until_ms - utc_ms) / 1000

    def begin(self, seconds: float, *, now_s: float, utc_ms: int) -> None:
        """``seconds`` 0: until it is ended."""
        self._pacing.paused_until_s = now_s + seconds if seconds else math.inf
        self._pacing.hurry = False
        until_ms = utc_ms + round(seconds * 1000) if seconds else _FOR_EVER_MS
        self._outbox.write([outbox.note(_NOTE, str(until_ms))])

    def end(self) -> None:
        self._pacing.paused_until_s = 0.0
        self._outbox.write([outbox.note(_NOTE, "0")])
