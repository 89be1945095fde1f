"""Looks after the data folder from time to time: room on the disk, a copy of the database, files as sealed."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from firmware.clock import SystemClock
from firmware.config_retention import CloudCopy, RetentionSettings, retention_part
from firmware.errors import StoreError
from firmware.ports import Clock
from firmware.store import alarms, settings
from firmware.store.copies import backup
from firmware.store.database import integrity_faults, open_reader
from firmware.store.replacement import BACKUPS
from firmware.store.retention import make_room
from firmware.store.scrub import scrub
from firmware.store.second_writer import SecondWriter
from firmware.store.transaction import Transaction

log = logging.getLogger("offhook.janitor")

KEEP_BACKUPS = 2
BACKUP_EVERY = timedelta(hours=20)
"""A little less than a day, so that a daily timer with some delay still makes one each day."""


def run(data_dir: Path, clock: Clock | None = None) -> int:
    """Everything once. Returns 0 when all is well, 1 when an alarm says that something is not."""
    clock = clock or SystemClock()
    writer = SecondWriter(data_dir / "offhook.db", clock)
    try:
        rules, cloud, version = rules_in_force(writer)
        room = make_room(writer, data_dir, rules=rules, cloud=cloud, settings_version=version)
        saved = back_up(writer, data_dir, clock)
        damaged = scrub(writer, data_dir)
    finally:
        writer.close()
    log.info(
        "looked after the data folder",
        extra={
            "offhook": {"deleted": room.recordings, "enough_room": room.enough, "damaged": damaged, "backup": saved}
        },
    )
    return 0 if room.enough and not room.asked and saved and not damaged else 1


def rules_in_force(writer: SecondWriter) -> tuple[RetentionSettings, CloudCopy, int]:
    """The rules, what goes to a cloud, and the version of the settings that says so; 0 before the first settings.

    Only these tables are read: parsing the whole document would load every line driver.
    """
    current = settings.newest(writer.db)
    if current is None:
        return RetentionSettings(), CloudCopy.NOTHING, 0
    rules, cloud = retention_part(current.document)
    return rules, cloud, current.version


def back_up(writer: SecondWriter, data_dir: Path, clock: Clock) -> bool:
    """A checked copy of the database, unless there is a fresh one. False when it failed; an alarm says why."""
    folder = data_dir / BACKUPS
    folder.mkdir(mode=0o770, exist_ok=True)
    copies = sorted(folder.glob("offhook-*.db"), key=lambda copy: copy.stat().st_mtime)
    now = datetime.fromtimestamp(clock.now().utc_ns / 1e9, UTC)
    if copies and abs(now.timestamp() - copies[-1].stat().st_mtime) < BACKUP_EVERY.total_seconds():
        return True
    name = f"offhook-{now.strftime('%Y%m%dT%H%M%SZ')}.db"
    try:
        _check_room(data_dir)
        made = backup(writer.db, folder / name)
        faults = _faults_of(made)
    except (OSError, sqlite3.Error, StoreError) as error:
        reason = str(error)
        writer.write(lambda tx: _failed(tx, reason))
        return False
    if faults:
        made.unlink()
        writer.write(lambda tx: _damaged(tx, faults[0]))
        return False
    for old in sorted(folder.glob("offhook-*.db"), key=lambda copy: copy.stat().st_mtime)[:-KEEP_BACKUPS]:
        old.unlink()
    writer.write(_succeeded)
    return True


def _check_room(data_dir: Path) -> None:
    needed = 2 * (data_dir / "offhook.db").stat().st_size
    free = shutil.disk_usage(data_dir).free
    if free < needed:
        raise StoreError(f"{free // 2**20} MiB are free, {needed // 2**20} MiB are needed")


def _faults_of(copy: Path) -> list[str]:
    db = open_reader(copy)
    try:
        return integrity_faults(db)
    finally:
        db.close()


def _succeeded(tx: Transaction) -> None:
    alarms.resolve_alarm(tx, key="backup_failed", subject="offhook.db", at=tx.now)
    alarms.resolve_alarm(tx, key="database_damaged", subject="offhook.db", at=tx.now)


def _failed(tx: Transaction, reason: str) -> None:
    alarms.raise_alarm(tx, key="backup_failed", subject="offhook.db", at=tx.now, params={"reason": reason})


def _damaged(tx: Transaction, reason: str) -> None:
    alarms.raise_alarm(tx, key="database_damaged", subject="offhook.db", at=tx.now, params={"reason": reason})
