"""What a line hears now, out of the growing file that the recorder writes: nothing is decoded or asked of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firmware.errors import OffhookError
from webui.call_list import CallReader

LISTENERS_AT_MOST = 8
"""Each one holds a thread of the page."""

_BACK_S = 0.25
_LOOK_EVERY_S = 0.1
_QUIET_S = 5.0
"""A file that has not grown for so long is at its end, or its device gives no sound: the browser asks again."""
_LONGEST_S = 3600.0


class TooManyListenersError(OffhookError):
    """So many people listen already that the page would suffer."""


@dataclass(frozen=True, slots=True)
class LiveSound:
    """The recording that grows on a line: interleaved 16-bit little-endian samples."""

    recording: str
    call: str
    path: Path
    rate_hz: int
    roles: tuple[str, ...]


def find(reader: CallReader, data_dir: Path, line: str) -> LiveSound | None:
    """What is being recorded on ``line`` now; ``None`` when nothing is."""
    row = reader.connection.execute(
        "SELECT id, call_id, raw_path, rate_hz, roles FROM recording WHERE line = ? AND status = 'recording' "
        "ORDER BY boot_no DESC, started_boot_ns DESC LIMIT 1",
        (line,),
    ).fetchone()
    if row is None or row["raw_path"] is None:
        return None
    path = (data_dir / row["raw_path"]).resolve()
    if not path.is_relative_to(data_dir.resolve()) or not path.is_file():
        return None
    return LiveSound(str(row["id"]), str(row["call_id"]), path, int(row["rate_hz"]), tuple(json.loads(row["roles"])))


class Listeners:
    """Counts who listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """For the length of a stream. Raises `TooManyListenersError`."""
        with self._lock:
            if self._count >= LISTENERS_AT_MOST:
                raise TooManyListenersError("too many people listen to lines now; try again later")
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1


def follow(sound: LiveSound, still_allowed: Callable[[], bool]) -> Iterator[bytes]:
    """Samples from a quarter of a second ago on, whole frames, until the file ends or ``still_allowed`` says no."""
    frame_bytes = 2 * len(sound.roles)
    per_s = sound.rate_hz * frame_bytes
    began_s = grew_s = asked_s = time.monotonic()
    with sound.path.open("rb", buffering=0) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - round(_BACK_S * sound.rate_hz) * frame_bytes) // frame_bytes * frame_bytes)
        left = b""
        while True:
            data = left + file.read(per_s)
            whole = len(data) // frame_bytes * frame_bytes
            left = data[whole:]
            now_s = time.monotonic()
            if whole:
                grew_s = now_s
                yield data[:whole]
            elif now_s - grew_s > _QUIET_S or not sound.path.exists():
                return
            if now_s - asked_s > 2.0:
                asked_s = now_s
                if now_s - began_s > _LONGEST_S or not still_allowed():
                    return
            time.sleep(_LOOK_EVERY_S)
