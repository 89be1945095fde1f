"""Brings the database to this code's schema: makes it, upgrades it with a backup first, or replaces a damaged one."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from firmware.clock import SystemClock
from firmware.errors import StoreError
from firmware.ports import Clock
from firmware.store.adopt import find_orphans
from firmware.store.copies import backup
from firmware.store.creation import adopt_all, in_the_making, upgrade
from firmware.store.database import (
    SCHEMA_VERSION,
    check_schema,
    integrity_faults,
    is_damage,
    open_writer,
    schema_version,
)
from firmware.store.replacement import replace_damaged
from firmware.store.transaction import immediate

log = logging.getLogger("offhook.store")


@dataclass(frozen=True, slots=True)
class Migrated:
    """What `migrate` did."""

    created: bool
    from_version: int
    backup: Path | None = None
    damaged: Path | None = None
    """Where the damaged database was moved to; a new one took its place."""
    adopted: int = 0
    """Recordings that were taken over from the disk into the new database."""


def migrate(path: Path, clock: Clock | None = None) -> Migrated:
    """Makes or upgrades the database at ``path``. Run it before the other services (offhook-migrate.service).

    Raises `StoreError` when the database is of a newer Offhook, or locked by a process that is still running.
    """
    clock = clock or SystemClock()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.stat().st_size == 0:
        return _create(path, clock)
    try:
        db = open_writer(path, check=False)
    except StoreError as error:
        if error.__cause__ is not None and is_damage(error.__cause__):
            return _replace(path, str(error.__cause__), clock)
        raise
    try:
        faults = integrity_faults(db, quick=True)
        version = schema_version(db)
        if version > SCHEMA_VERSION:
            check_schema(db, path)
        if not faults and version >= SCHEMA_VERSION:
            return Migrated(created=False, from_version=version)
        if not faults:
            saved = backup(db, path.with_name(f"{path.name}.schema-{version}.bak"))
            upgrade(db)
            log.info("upgraded the database", extra={"offhook": {"from": version, "to": SCHEMA_VERSION}})
            return Migrated(created=False, from_version=version, backup=saved)
    except sqlite3.OperationalError as error:
        raise StoreError(f"cannot upgrade {path}: {error}. Stop the other Offhook services and try again") from error
    finally:
        db.close()
    return _replace(path, faults[0], clock)


def _create(path: Path, clock: Clock) -> Migrated:
    """Recordings without a database (a new card, a deleted file) are taken over."""
    with in_the_making(path) as db, immediate(db):
        orphans = find_orphans(db, path.parent)
        if orphans:
            adopt_all(db, orphans, clock)
    return Migrated(created=True, from_version=0, adopted=len(orphans))


def _replace(path: Path, reason: str, clock: Clock) -> Migrated:
    aside, adopted = replace_damaged(path, reason, clock)
    return Migrated(created=True, from_version=0, damaged=aside, adopted=adopted)
