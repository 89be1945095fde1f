"""The embedded storage: one SQLite database and a folder of files. One process, one writing thread."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

from sqlite_utils import Database

from firmware.errors import StoreError
from sync.receiver.file_store import FileStore
from sync.receiver.schema import migrations
from sync.receiver.sql import SqliteRows
from sync.receiver.sql_transaction import SqlTransaction
from sync.receiver.storage import FileRow, StorageFullError

DATABASE = "receiver.db"
_HIGH_WATER = "commits"
"""Beside the database: how many commits it has had. A database that knows of fewer was restored from a backup."""

RESERVE_BYTES = 256 * 1024 * 1024


class SqliteStorage:
    """Raises `StoreError` when the folder or the database cannot be used."""

    unfit = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)

    def __init__(self, folder: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.files = FileStore(folder, reserve_bytes=reserve_bytes)
            self._connection = sqlite3.connect(
                folder / DATABASE, isolation_level=None, timeout=10.0, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA journal_size_limit = 16777216")
            migrations.apply(Database(self._connection))
            if self._connection.in_transaction:
                self._connection.commit()
            self._high_water = os.open(folder / _HIGH_WATER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (OSError, sqlite3.Error, StorageFullError) as error:
            raise StoreError(
                f"cannot use {folder} as the receiver's store: {error}; check the disk and the rights"
            ) from error
        self._rows = SqliteRows(self._connection)
        self.store_epoch = self._known_epoch()

    def close(self) -> None:
        self._connection.close()
        os.close(self._high_water)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[SqliteTransaction]:
        committed = False
        try:
            with _full_is_told():
                self._connection.execute("BEGIN IMMEDIATE")
                yield SqliteTransaction(self._connection, self.files, self.store_epoch)
                commits = self._count_commit()
                self.files.flush()
                self._connection.execute("COMMIT")
            committed = True
            os.pwrite(self._high_water, f"{commits:020}".encode(), 0)
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self.files.end(committed=committed)

    def has_unsent(self) -> bool:
        return bool(
            self._rows.run(
                "SELECT 1 FROM command WHERE sent = 0 UNION ALL SELECT 1 FROM desired WHERE sent = 0 LIMIT 1"
            )
        )

    def new_epoch(self) -> str:
        """For a store that went back in time: boxes will ask again for everything that they believe stored.

        Files that a row calls stored and that are not there are received again.
        """
        epoch = uuid.uuid4().hex
        with self.transaction() as tx:
            tx.set_store_epoch(epoch)
            for row in tx.stored_files():
                path = self.files.path(row)
                if not path.exists() or path.stat().st_size != row.size:
                    tx.forget(row)
        self.store_epoch = epoch
        return epoch

    def _known_epoch(self) -> str:
        row = self._rows.run("SELECT value FROM meta WHERE key = 'store'")
        text = os.pread(self._high_water, 32, 0)
        went_back = text.isdigit() and int(text) > self._commits()
        if not row or went_back:
            self.store_epoch = ""
            return self.new_epoch()
        return str(row[0][0])

    def _commits(self) -> int:
        row = self._rows.run("SELECT value FROM meta WHERE key = 'commits'")
        return int(row[0][0]) if row else 0

    def _count_commit(self) -> int:
        commits = self._commits() + 1
        self._rows.run("INSERT OR REPLACE INTO meta VALUES ('commits', :commits)", commits=str(commits))
        return commits


class SqliteTransaction(SqlTransaction):
    """See `sync.receiver.storage.Transaction`. Only one writes at a time, so nobody has to wait for a lock."""

    def __init__(self, connection: sqlite3.Connection, files: FileStore, store_epoch: str) -> None:
        super().__init__(SqliteRows(connection), store_epoch)
        self._connection = connection
        self._files = files

    @property
    def alive(self) -> bool:
        return self._connection.in_transaction

    def enter(self, dev: str) -> None:
        pass

    def stage(self, row: FileRow, offset: int, data: bytes) -> bool:
        return self._files.write(row, offset, data)

    def assembled(self, row: FileRow) -> str | None:
        return self._files.digest(row)

    def keep(self, row: FileRow) -> None:
        self._files.keep(row)

    def discard(self, row: FileRow) -> None:
        self._files.doom(row)

    def room(self, size: int) -> bool:
        return self._files.room(size)

    def file_to_finish(self, dev: str, fid: str) -> FileRow | None:
        return self.file(dev, fid)


@contextlib.contextmanager
def _full_is_told() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise StorageFullError(f"the receiver's disk is full: {error}") from error
        raise
