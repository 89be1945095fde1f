"""The storage of many receivers: tables and chunks in PostgreSQL, files in an object store. Any takes any message."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg.pq import TransactionStatus

from firmware.errors import StoreError
from sync.receiver.kept import Kept
from sync.receiver.object_store import ObjectStore
from sync.receiver.postgres_schema import STARTING, migrate
from sync.receiver.sql_transaction import FILE, SqlTransaction, file_row
from sync.receiver.storage import FileRow, FileState, StorageAwayError, StorageFullError

_CONNECT_S = 5
_STATEMENT_MS = 30_000
_COPY_CHUNKS = 8
"""Read together from the database while a file is put together: at most 8 MiB of memory."""


class PostgresRows:
    """`sync.receiver.sql.Rows` over psycopg."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(_translated(sql), values)
        return cursor.fetchall() if cursor.description else []

    def named(self, sql: str, **values: object) -> list[dict[str, Any]]:
        cursor = self._connection.execute(_translated(sql), values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@functools.lru_cache(maxsize=256)
def _translated(sql: str) -> bytes:
    """``:name`` to ``%(name)s``. Bytes, because psycopg takes them for the program's own words, which they are."""
    return re.sub(r"(?<!:):([a-z][a-z0-9_]*)", r"%(\1)s", sql.replace("%", "%%")).encode()


class PostgresStorage:
    """One connection, used by one thread. Raises `StoreError` when the database or the bucket cannot be used."""

    unfit = (
        psycopg.IntegrityError,
        psycopg.DataError,
        psycopg.ProgrammingError,
        psycopg.NotSupportedError,
    )

    def __init__(self, conninfo: str, objects: ObjectStore, *, scratch: Path, staged_bytes: int) -> None:
        self._conninfo = conninfo
        self._objects = objects
        self._scratch = scratch
        self._staged_bytes = staged_bytes
        self._connection: psycopg.Connection | None = None
        self.store_epoch = ""
        try:
            scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connected()
        except (OSError, StorageFullError) as error:
            raise StoreError(f"the receiver cannot start: {error}; check [postgres] and the disk") from error
        objects.check()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._objects.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        with _away_is_told():
            connection = self._connected()
            with contextlib.ExitStack() as opened, connection.transaction():
                yield PostgresTransaction(connection, self, opened)

    def has_unsent(self) -> bool:
        with self.transaction() as tx:
            return bool(tx.unsent())

    def new_epoch(self) -> str:
        """Asks the object store for every file that a row calls stored; those not there are received again."""
        with self.transaction() as tx:
            for row in tx.stored_files():
                if self._objects.size(row) != row.size:
                    tx.forget(row)
            epoch = _fresh(tx.cluster())
            tx.set_store_epoch(epoch)
        self.store_epoch = epoch
        return epoch

    @property
    def objects(self) -> ObjectStore:
        return self._objects

    def scratch_file(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._scratch)

    def room(self, staged_bytes: int, size: int) -> bool:
        return staged_bytes + size <= self._staged_bytes

    def _connected(self) -> psycopg.Connection:
        """The connection; a new one when the old one is broken. Raises `StorageAwayError`."""
        if self._connection is not None and not self._connection.closed:
            return self._connection
        with _away_is_told():
            connection = connect(self._conninfo)
            migrate(connection)
            with connection.transaction():
                self.store_epoch = _known_epoch(PostgresTransaction(connection, self, contextlib.ExitStack()))
        self._connection = connection
        return connection


class PostgresTransaction(SqlTransaction):
    """See `sync.receiver.storage.Transaction`."""

    def __init__(self, connection: psycopg.Connection, storage: PostgresStorage, opened: contextlib.ExitStack) -> None:
        super().__init__(PostgresRows(connection), storage.store_epoch)
        self._connection = connection
        self._storage = storage
        self._opened = opened
        self._entered: set[str] = set()
        self._whole: dict[tuple[str, str], IO[bytes]] = {}

    @property
    def alive(self) -> bool:
        return self._connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    def enter(self, dev: str) -> None:
        if dev not in self._entered:
            self._rows.run("SELECT pg_advisory_xact_lock(hashtextextended(:dev, 0))", dev=dev)
            self._entered.add(dev)

    def file(self, dev: str, fid: str) -> FileRow | None:
        """Does not wait for whoever is putting the file into its place: that may take as long as the file is large."""
        found = self._rows.run(f"{FILE} WHERE dev = :dev AND fid = :fid FOR UPDATE SKIP LOCKED", dev=dev, fid=fid)
        if found:
            return file_row(found[0])
        found = self._rows.run(f"{FILE} WHERE dev = :dev AND fid = :fid", dev=dev, fid=fid)
        return file_row(found[0], busy=found[0][5] == FileState.RECEIVING) if found else None

    def file_to_finish(self, dev: str, fid: str) -> FileRow | None:
        found = self._rows.run(f"{FILE} WHERE dev = :dev AND fid = :fid FOR UPDATE", dev=dev, fid=fid)
        return file_row(found[0]) if found else None

    def stage(self, row: FileRow, offset: int, data: bytes) -> bool:
        """Rows and chunks are of one database: what the row says is held is held."""
        self._rows.run(
            "INSERT INTO chunk (dev, fid, at, data) VALUES (:dev, :fid, :at, :data) ON CONFLICT (dev, fid, at) "
            "DO UPDATE SET data = excluded.data WHERE length(excluded.data) > length(chunk.data)",
            dev=row.dev,
            fid=row.fid,
            at=offset,
            data=data,
        )
        return True

    def assembled(self, row: FileRow) -> str | None:
        content = self._opened.enter_context(self._storage.scratch_file())
        digest, at = hashlib.sha256(), 0
        for start, data in self._chunks(row):
            if start > at:
                break
            new = data[at - start : row.size - start]
            try:
                content.write(new)
            except OSError as error:
                raise StorageFullError(f"no room to put {row.fid} together: {error}") from error
            digest.update(new)
            at += len(new)
        if at == row.size:
            self._whole[row.dev, row.fid] = content
            return digest.hexdigest()
        # Perhaps it was put into its place, and the database came back from a backup.
        found = self._storage.objects.digest(row)
        return found[0] if found is not None and found[1] == row.size else None

    def keep(self, row: FileRow) -> None:
        content = self._whole.pop((row.dev, row.fid), None)
        if content is not None:
            self._storage.objects.put(row, content)
        self.discard(row)

    def discard(self, row: FileRow) -> None:
        self._rows.run("DELETE FROM chunk WHERE dev = :dev AND fid = :fid", dev=row.dev, fid=row.fid)

    def room(self, size: int) -> bool:
        """By what boxes have announced and not yet finished. Whether PostgreSQL's disk is full, PostgreSQL says."""
        ((staged,),) = self._rows.run("SELECT coalesce(sum(size), 0) FROM file WHERE state = 'receiving'")
        return self._storage.room(int(staged), size)

    def cluster(self) -> str:
        """Another one after a dump was read back, and after a recovery to a moment in the past."""
        ((system, timeline),) = self._rows.run(
            "SELECT system_identifier, timeline_id FROM pg_control_system(), pg_control_checkpoint()"
        )
        return f"{int(system):x}.{timeline}"

    def known_epoch(self) -> str | None:
        """Receivers that start together ask one after another."""
        self._rows.run("SELECT pg_advisory_xact_lock(:which)", which=STARTING)
        found = self._rows.run("SELECT value FROM meta WHERE key = 'store'")
        return str(found[0][0]) if found else None

    def _chunks(self, row: FileRow) -> Iterator[tuple[int, bytes]]:
        with self._connection.cursor(name="chunks", binary=True) as cursor:
            cursor.itersize = _COPY_CHUNKS
            cursor.execute(
                "SELECT at, data FROM chunk WHERE dev = %s AND fid = %s ORDER BY at", (row.dev, row.fid), binary=True
            )
            for at, data in cursor:
                yield int(at), bytes(data)


def connect(conninfo: str) -> psycopg.Connection:
    """A connection in which a commit means that it is on the disk, whatever the server's own setting."""
    connection = psycopg.connect(conninfo, autocommit=True, connect_timeout=_CONNECT_S)
    connection.execute(f"SET statement_timeout = {_STATEMENT_MS}")
    setting = connection.execute("SHOW synchronous_commit").fetchone()
    if setting is not None and setting[0] in ("off", "local"):
        connection.execute("SET synchronous_commit = on")
    return connection


@contextlib.contextmanager
def open_postgres(conninfo: str, objects: ObjectStore) -> Iterator[Kept]:
    """For reading, and for the operator's wishes. Raises `StoreError` when there is nothing to read."""
    try:
        with contextlib.closing(connect(conninfo)) as connection:
            yield Kept(PostgresRows(connection), objects)
    except psycopg.Error as error:
        raise StoreError(f"the receiver's database cannot be read: {error}") from error


def _known_epoch(tx: PostgresTransaction) -> str:
    """The store's epoch; a new one when the database is new, or is not the one that this epoch was made in."""
    epoch, cluster = tx.known_epoch(), tx.cluster()
    if epoch is None or not epoch.endswith(f".{cluster}"):
        epoch = _fresh(cluster)
        tx.set_store_epoch(epoch)
    return epoch


def _fresh(cluster: str) -> str:
    return f"{uuid.uuid4().hex}.{cluster}"


@contextlib.contextmanager
def _away_is_told() -> Iterator[None]:
    """A server that restarts, fails over, or ends one of two transactions that wait for each other."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise StorageAwayError(f"the database did not take this: {error}") from error
