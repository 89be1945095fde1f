"""Consistent copies of the database, and names that are safe on the disk before anybody relies on them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlite_utils import Database

from firmware.store.database import create_file


def backup(db: Database, to: Path) -> Path:
    """A consistent copy of an open database, complete on the disk before it gets its name. Raises `sqlite3.Error`."""
    partial = to.with_name(to.name + ".part")
    partial.unlink(missing_ok=True)
    create_file(partial)
    copy = sqlite3.connect(partial)
    try:
        # In steps, each a short read lock: the recorder goes on writing meanwhile.
        db.conn.backup(copy, pages=1024, sleep=0.01)
        copy.execute("PRAGMA journal_mode = DELETE")
    except BaseException:
        copy.close()
        partial.unlink(missing_ok=True)
        raise
    copy.close()
    put_in_place(partial, to)
    return to


def put_in_place(partial: Path, to: Path) -> None:
    """Gives a finished file its name, so that a power cut leaves the old one or the new one, whole."""
    sync(partial)
    partial.replace(to)
    sync(to.parent)


def sync(path: Path) -> None:
    """Makes a file or a folder safe on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
