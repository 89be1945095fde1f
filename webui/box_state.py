"""The strip above the lines: for how long there is room, and how far the cloud is. Read when the page opens."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from firmware.config_retention import retention_part
from firmware.errors import StoreError
from firmware.store import settings
from firmware.store.database import open_reader
from firmware.store.retention_forecast import WEEK_DAYS
from firmware.store.retention_plan import DAY_MS

_FRESH_MS = 120_000


def days_of_room(data_dir: Path) -> int | None:
    """Days until the oldest sound has to go, at this week's rate; ``None``: nothing is known of it yet."""
    try:
        db = open_reader(data_dir / "offhook.db")
        try:
            stored = settings.newest(db)
            rules, _cloud = retention_part(stored.document if stored else "")
            now_ms = time.time_ns() // 1_000_000
            lately, first = db.conn.execute(
                "SELECT coalesce(sum(coalesce(flac_size, 0) + coalesce(opus_size, 0)), 0), min(started_utc_ms) "
                "FROM recording WHERE status = 'sealed' AND started_utc_ms >= ?",
                (now_ms - WEEK_DAYS * DAY_MS,),
            ).fetchone()
        finally:
            db.close()
        usage = shutil.disk_usage(data_dir)
    except (StoreError, OSError):
        return None
    if not lately or first is None:
        return None
    days = min(float(WEEK_DAYS), max(1.0, (now_ms - int(first)) / DAY_MS))
    room = usage.free - usage.total * rules.min_free_percent / 100
    return max(0, int(room / (int(lately) / days)))


def cloud(run_dir: Path) -> tuple[str, int] | None:
    """``ok``, ``behind`` or ``away``, and how many calls wait; ``None``: no cloud is connected."""
    try:
        status = json.loads((run_dir / "sync" / "status.json").read_text())
        if not status.get("enabled"):
            return None
        waiting = int(status.get("records", 0)) + int(status.get("files", 0))
        fresh = time.time_ns() // 1_000_000 - int(status.get("at_ms", 0)) < _FRESH_MS
        away = not fresh or status.get("phase") in ("offline", "away")
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return ("away" if away else "behind" if waiting else "ok"), waiting
