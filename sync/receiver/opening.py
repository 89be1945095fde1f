"""Opens the storage that the settings speak of: the embedded one, or PostgreSQL and an object store."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from firmware.errors import StoreError
from sync.receiver.file_store import FileStore
from sync.receiver.kept import Kept
from sync.receiver.settings import Settings
from sync.receiver.sql import SqliteRows
from sync.receiver.sqlite_storage import DATABASE, SqliteStorage
from sync.receiver.storage import Storage

# psycopg and boto3 are imported only where the settings want them: the embedded form needs neither.


def open_storage(settings: Settings, *, worker: int = 0) -> Storage:
    """For one writing thread. Raises `StoreError` when it cannot be used."""
    if settings.postgres.conninfo is None:
        return SqliteStorage(settings.storage.data, reserve_bytes=settings.storage.reserve_mb * 1_000_000)
    from sync.receiver.object_store import ObjectStore  # noqa: PLC0415
    from sync.receiver.postgres_storage import PostgresStorage  # noqa: PLC0415

    return PostgresStorage(
        settings.postgres.conninfo,
        ObjectStore(settings.s3),
        scratch=settings.storage.data / f"scratch-{worker}",
        staged_bytes=settings.postgres.staged_mb * 1_000_000,
    )


Opener = Callable[[], AbstractContextManager[Kept]]
"""Opens what is kept for as long as one look at it takes. Raises `StoreError` when there is nothing to look at."""


def opener(settings: Settings) -> Opener:
    """For reading, and for the operator's wishes; any thread may use it."""
    if settings.postgres.conninfo is None:
        return lambda: open_folder(settings.storage.data)
    from sync.receiver.object_store import ObjectStore  # noqa: PLC0415
    from sync.receiver.postgres_storage import open_postgres  # noqa: PLC0415

    conninfo, objects = settings.postgres.conninfo, ObjectStore(settings.s3)
    return lambda: open_postgres(conninfo, objects)


@contextlib.contextmanager
def open_folder(folder: Path) -> Iterator[Kept]:
    """The embedded storage in ``folder``. Raises `StoreError` when there is none."""
    if not (folder / DATABASE).exists():
        raise StoreError(f"there is no receiver's database in {folder}: has the receiver run once?")
    try:
        with contextlib.closing(sqlite3.connect(folder / DATABASE, timeout=10.0, isolation_level=None)) as connection:
            yield Kept(SqliteRows(connection), FileStore(folder, reserve_bytes=0))
    except sqlite3.Error as error:
        raise StoreError(f"the receiver's database in {folder} cannot be read: {error}") from error
