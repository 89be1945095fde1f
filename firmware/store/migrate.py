"""Brings the database to this code's schema: makes it, upgrades it with a backup first, or replaces a damaged one."""

from __future__ import annotations

import logging
import os
import sqlite3
import uuid
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from firmware.errors import StoreError
from firmware.store.database import (
    SCHEMA_VERSION,
    check_schema,
    create_file,
    integrity_faults,
    is_damage,
    open_writer,
    schema_version,
)
from firmware.store.migrations import migrations

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


def migrate(path: Path) -> Migrated:
    """Makes or upgrades the database at ``path``. Run it before the other services (offhook-migrate.service).

    Raises `StoreError` when the database is of a newer Offhook, or locked by a process that is still running.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    created = not path.exists() or path.stat().st_size == 0
    if created:
        return _build(path)
    try:
        db = open_writer(path, check=False)
    except StoreError as error:
        if error.__cause__ is not None and is_damage(error.__cause__):
            return _replace(path, str(error.__cause__))
        raise
    try:
        faults = integrity_faults(db, quick=True)
        if faults:
            db.close()
            return _replace(path, faults[0])
        version = schema_version(db)
        if version > SCHEMA_VERSION:
            check_schema(db, path)
        if version == SCHEMA_VERSION:
            return Migrated(created=False, from_version=version)
        saved = backup(db, path.with_name(f"{path.name}.schema-{version}.bak"))
        _upgrade(db)
    except sqlite3.OperationalError as error:
        raise StoreError(f"cannot upgrade {path}: {error}. Stop the other Offhook services and try again") from error
    finally:
        db.close()
    log.info("upgraded the database", extra={"offhook": {"from": version, "to": SCHEMA_VERSION, "backup": str(saved)}})
    return Migrated(created=False, from_version=version, backup=saved)


def backup(db: Database, to: Path) -> Path:
    """A consistent copy of an open database, complete on the disk before it gets its name."""
    partial = to.with_name(to.name + ".part")
    partial.unlink(missing_ok=True)
    create_file(partial)
    copy = sqlite3.connect(partial)
    try:
        db.conn.backup(copy, pages=1024, sleep=0.01)
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()
    _sync(partial)
    partial.replace(to)
    _sync(to.parent)
    return to


def _build(path: Path) -> Migrated:
    """A new database gets its name only when it is complete."""
    partial = path.with_name(path.name + ".new")
    for leftover in (partial, partial.with_name(partial.name + "-wal"), partial.with_name(partial.name + "-shm")):
        leftover.unlink(missing_ok=True)
    create_file(partial)
    db = open_writer(partial, check=False)
    try:
        _upgrade(db)
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()
    _sync(partial)
    partial.replace(path)
    _sync(path.parent)
    return Migrated(created=True, from_version=0)


def _upgrade(db: Database) -> None:
    migrations.apply(db)
    with db.atomic():
        db.conn.execute("INSERT INTO meta (key, value) VALUES ('epoch', ?) ON CONFLICT DO NOTHING", (uuid.uuid4().hex,))
        db.conn.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _replace(path: Path, reason: str) -> Migrated:
    from firmware.store.adopt import adopt_all  # noqa: PLC0415

    raise NotImplementedError(reason, path, adopt_all)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
