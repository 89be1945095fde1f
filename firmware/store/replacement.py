"""Replaces a damaged database: moves it aside, and brings back what it, a backup and the recordings still tell."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from firmware.ports import Clock
from firmware.store import alarms, outbox
from firmware.store.adopt import find_orphans
from firmware.store.copies import sync
from firmware.store.creation import adopt_all, in_the_making
from firmware.store.salvage import requeue, salvage
from firmware.store.transaction import immediate

log = logging.getLogger("offhook.store")

BACKUPS = "backup"
"""Folder in the data folder; the janitor keeps the newest copies there as ``offhook-<UTC>.db``."""


def replace_damaged(path: Path, reason: str, clock: Clock) -> tuple[Path, int]:
    """Returns where the damaged file is now, and how many recordings were taken over from the disk.

    The new database has a new epoch, so its outbox starts at 1 and the cloud takes it for a continuation.
    """
    log.error("the database is damaged", extra={"offhook": {"path": str(path), "reason": reason}})
    aside = _move_aside(path)
    sources = [aside, *sorted((path.parent / BACKUPS).glob("offhook-*.db"), reverse=True)[:1]]
    with in_the_making(path) as db, immediate(db):
        counts = _bring_back(db, sources)
        orphans = find_orphans(db, path.parent)
        tx = adopt_all(db, orphans, clock)
        told = requeue(tx, aside)
        params = {"path": aside.name, "reason": reason, "adopted": str(len(orphans)), "rows": str(sum(counts.values()))}
        alarms.raise_alarm(tx, key="database_replaced", subject=path.name, at=tx.now, params=params)
        body = {"reason": reason, "rows": dict(counts), "requeued": told, "adopted": len(orphans)}
        outbox.put(tx, "database.replaced", body)
    return aside, len(orphans)


def _bring_back(db: Database, sources: list[Path]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for source in sources:
        counts.update(salvage(db, source))
    return counts


def _move_aside(path: Path) -> Path:
    """Renames the database with its -wal and -shm, which belong to it; nothing is deleted."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    sync(path.parent)
    return aside
