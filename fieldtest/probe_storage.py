"""How fast and how healthy the storage of the recordings is. Writes a few megabytes, and removes them again."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from attrs import frozen

_BLOCK = 64 * 1024
_BLOCKS = 96
_SYNC_EVERY = 8
"""Half a megabyte: what eight lines write in four seconds."""


@frozen
class Written:
    """6 MiB, each half of one made durable at once, as recordings are."""

    mb_per_s: float
    longest_ms: float


def write_rate(folder: Path) -> Written:
    """Raises OSError when the folder cannot be written to, or is full."""
    block = os.urandom(_BLOCK)
    longest_s = 0.0
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".fieldtest-") as file:
        began = time.monotonic()
        for n in range(_BLOCKS):
            file.write(block)
            if n % _SYNC_EVERY == _SYNC_EVERY - 1:
                file.flush()
                at = time.monotonic()
                os.fdatasync(file.fileno())
                longest_s = max(longest_s, time.monotonic() - at)
        took_s = time.monotonic() - began
    return Written(mb_per_s=_BLOCK * _BLOCKS / 1e6 / max(took_s, 1e-6), longest_ms=longest_s * 1000)


def free_percent(folder: Path) -> float:
    usage = shutil.disk_usage(folder)
    return 100.0 * usage.free / usage.total


def life_used_percent(folder: Path) -> float | None:
    """What an eMMC or a good card says of itself (JEDEC JESD84: life_time in tenths); None: it does not say."""
    text = _of_device(folder, "device/life_time")
    worst = max((int(part, 16) for part in (text or "").split()), default=0)
    return worst * 10.0 if 0 < worst <= 11 else None


def errors(folder: Path) -> int | None:
    """Requests that the device failed since its start; None: it does not count them."""
    text = _of_device(folder, "device/ioerr_cnt")
    return None if text is None else int(text, 0)


def _of_device(folder: Path, attribute: str) -> str | None:
    number = folder.stat().st_dev
    block = Path("/sys/dev/block") / f"{os.major(number)}:{os.minor(number)}"
    for place in (block, block.resolve().parent):
        try:
            return (place / attribute).read_text().strip()
        except OSError:
            continue
    return None
