"""Opens the database the one right way: WAL, nothing lost on a power cut, readable by the box's other Unix users."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlite_utils import Database

from firmware.errors import StoreError
from firmware.store.migrations import migrations

SCHEMA_VERSION = len(migrations._migrations)
"""What `PRAGMA user_version` says of a database that this code can read and write."""

WORKS_SINCE = 10
"""The oldest schema whose software goes on working on a database of `SCHEMA_VERSION`, as it must after an update of the
box that went back: steps since then only added. Set it to a step's number when that step takes something away, or
changes what it means; do so one release after the last software that needs it (expand, then contract)."""

BUSY_TIMEOUT_S = 5.0
"""How long a statement waits for another process's short transaction."""

FILE_MODE = 0o660
"""SQLite gives the -wal and -shm files the mode of the database: the group reads through them, whatever the umask."""


def open_writer(path: Path, *, check: bool = True, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """A connection that may write. Raises `StoreError` when the file is missing, damaged or of another version."""
    if not path.exists():
        raise StoreError(f"there is no database at {path}: run `offhook migrate` (offhook-migrate.service) first")
    return _open(path, mode="rw", check=check, busy_timeout_s=busy_timeout_s)


def open_reader(path: Path, *, check: bool = True) -> Database:
    """A connection that cannot write, for the page, the sync and the command line.

    A reader makes the -shm file when it is the first to come, so the folder must be writable for the group (2770).
    Raises `StoreError` when the file is missing, damaged or of another version.
    """
    if not path.exists():
        raise StoreError(f"there is no database at {path}: the recorder has not run on this data folder yet")
    return _open(path, mode="ro", check=check, busy_timeout_s=BUSY_TIMEOUT_S)


def create_file(path: Path) -> None:
    """Makes an empty database file with the right mode, so that no umask can lock the other users out."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def schema_version(db: Database) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def works_since(db: Database) -> int:
    """The oldest schema whose software can work on this database, as its newest software wrote it down."""
    row = db.execute("SELECT value FROM meta WHERE key = 'works_since'").fetchone()
    return int(row[0]) if row else schema_version(db)


def check_schema(db: Database, path: Path) -> None:
    """Raises `StoreError` unless the database has this code's schema, or a newer one that only added to it."""
    version = schema_version(db)
    if version > SCHEMA_VERSION and works_since(db) > SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema {version}, this software knows up to {SCHEMA_VERSION}: a newer Offhook wrote it. "
            "Install that version again, or restore the backup it made before its upgrade (offhook.db.schema-N.bak)"
        )
    if version < SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema {version}, this software needs {SCHEMA_VERSION}: run `offhook migrate` "
            "(systemctl start offhook-migrate) and start again"
        )


def integrity_faults(db: Database, *, quick: bool = False) -> list[str]:
    """What `PRAGMA integrity_check` (or the faster quick_check) finds; empty when the database is sound."""
    pragma = "quick_check" if quick else "integrity_check"
    try:
        found = [str(row[0]) for row in db.execute(f"PRAGMA {pragma}(20)").fetchall()]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def is_damage(error: BaseException) -> bool:
    """Whether SQLite means: this file is not (any more) a sound database."""
    return isinstance(error, sqlite3.Error) and primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension (https://sqlite.org/rescode.html); 0 when Python raised it itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _open(path: Path, *, mode: str, check: bool, busy_timeout_s: float) -> Database:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = None
    try:
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=busy_timeout_s, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        if mode == "ro":
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 4194304")
        db = Database(connection)
        if check:
            check_schema(db, path)
        else:
            schema_version(db)
    except (sqlite3.Error, StoreError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"cannot open {path}: {error}. If it is damaged, `offhook doctor` says what can be saved"
        ) from error
    return db
