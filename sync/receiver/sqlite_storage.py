"""The embedded storage: one SQLite database and a folder of files. One process, one writing thread."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from firmware.errors import StoreError
from sync import wire
from sync.receiver import views
from sync.receiver.file_store import FileStore
from sync.receiver.inbound import MAX_SEQ
from sync.receiver.messages import Poison, RecordIn, RefusedIn
from sync.receiver.schema import migrations
from sync.receiver.storage import Added, FileRow, FileState, PendingCommand, Progress, StorageFullError

DATABASE = "receiver.db"
_HIGH_WATER = "commits"
"""Beside the database: how many commits it has had. A database that knows of fewer was restored from a backup."""

RESERVE_BYTES = 256 * 1024 * 1024
GAPS_TOLD = 64
_POISON_BYTES_KEPT = 4096
_OPEN = "('waiting', 'accepted', 'running')"


class SqliteStorage:
    """Raises `StoreError` when the folder or the database cannot be used."""

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
        """Whether the operator has something new for a box."""
        found = self._connection.execute(
            "SELECT 1 FROM command WHERE sent = 0 UNION ALL SELECT 1 FROM desired WHERE sent = 0 LIMIT 1"
        ).fetchone()
        return found is not None

    def new_epoch(self) -> str:
        """For a store that went back in time: boxes will ask again for everything that they believe stored.

        Files that a row calls stored and that are not there are received again.
        """
        epoch = uuid.uuid4().hex
        with self.transaction() as tx:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('store', ?)", (epoch,))
            for row in tx.stored_files():
                path = self.files.path(row)
                if not path.exists() or path.stat().st_size != row.size:
                    tx.forget(row)
        self.store_epoch = epoch
        return epoch

    def _known_epoch(self) -> str:
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()
        text = os.pread(self._high_water, 32, 0)
        commits = self._commits()
        went_back = text.isdigit() and int(text) > commits
        if row is None or went_back:
            self.store_epoch = ""
            return self.new_epoch()
        return str(row[0])

    def _commits(self) -> int:
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'commits'").fetchone()
        return int(row[0]) if row else 0

    def _count_commit(self) -> int:
        commits = self._commits() + 1
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('commits', ?)", (str(commits),))
        return commits


class SqliteTransaction:
    """See `sync.receiver.storage.Transaction`."""

    def __init__(self, connection: sqlite3.Connection, files: FileStore, store_epoch: str) -> None:
        self._connection = connection
        self._files = files
        self._store_epoch = store_epoch

    @property
    def store_epoch(self) -> str:
        return self._store_epoch

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        self._connection.execute("SAVEPOINT message")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO message")
                self._connection.execute("RELEASE message")
            raise
        self._connection.execute("RELEASE message")

    def seen(self, dev: str, *, at_ms: int, status: str | None = None, hello: str | None = None) -> None:
        self._connection.execute(
            "INSERT INTO device (dev, first_ms, last_ms) VALUES (:dev, :at, :at) "
            "ON CONFLICT (dev) DO UPDATE SET last_ms = max(last_ms, :at)",
            {"dev": dev, "at": at_ms},
        )
        for column, text in (("status", status), ("hello", hello)):
            if text is not None:
                self._connection.execute(
                    f"UPDATE device SET {column} = ?, {column}_ms = ? WHERE dev = ?",  # noqa: S608
                    (text, at_ms, dev),
                )

    # --- records ----------------------------------------------------------------------------------------------------

    def add_record(self, dev: str, record: RecordIn, *, at_ms: int) -> Added:
        event = record.record
        known = self._connection.execute(
            "SELECT seq, type, body FROM record WHERE dev = ? AND epoch = ? AND id = ?", (dev, event.epoch, event.id)
        ).fetchone()
        if known is not None:
            # The wall clock of a record may have been corrected between two sendings; what it tells may not change.
            same = (known[0], known[1]) == (event.seq, event.type) and json.loads(known[2])["data"] == event.data
            if same:
                return Added.KNOWN
            refused = RefusedIn(epoch=event.epoch, seq=event.seq, reason="another record has this id", text=record.text)
            self.set_aside_record(dev, refused, at_ms=at_ms)
            return Added.CONFLICT
        shared_seq = self._connection.execute(
            "SELECT 1 FROM record WHERE dev = ? AND epoch = ? AND seq = ?", (dev, event.epoch, event.seq)
        ).fetchone()
        self._connection.execute(
            "INSERT INTO record (dev, epoch, id, seq, type, body, received_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (dev, event.epoch, event.id, event.seq, event.type, record.text, at_ms),
        )
        views.project(self._connection, dev, event)
        self._count(dev, event.epoch, event.seq, at_ms)
        return Added.CONFLICT if shared_seq else Added.NEW

    def claimed(self, dev: str, epoch: str, max_seq: int) -> None:
        self._connection.execute(
            "INSERT INTO epoch (dev, epoch, first_ms, claimed) VALUES (?, ?, 0, ?) "
            "ON CONFLICT (dev, epoch) DO UPDATE SET claimed = max(claimed, excluded.claimed)",
            (dev, epoch, min(max_seq, MAX_SEQ)),
        )

    def dense_upto(self, dev: str, epoch: str) -> int:
        row = self._connection.execute(
            "SELECT dense_upto FROM epoch WHERE dev = ? AND epoch = ?", (dev, epoch)
        ).fetchone()
        return int(row[0]) if row else 0

    def progress(self, dev: str, epoch: str) -> Progress:
        return progress(self._connection, dev, epoch)

    def _count(self, dev: str, epoch: str, seq: int, at_ms: int) -> None:
        self._connection.execute(
            "INSERT INTO epoch (dev, epoch, first_ms, max_seq) VALUES (:dev, :epoch, :at, :seq) "
            "ON CONFLICT (dev, epoch) DO UPDATE SET max_seq = max(max_seq, :seq)",
            {"dev": dev, "epoch": epoch, "at": at_ms, "seq": seq},
        )
        dense = self.dense_upto(dev, epoch)
        if seq != dense + 1:
            return
        for (following,) in self._connection.execute(
            "SELECT seq FROM record WHERE dev = ? AND epoch = ? AND seq > ? ORDER BY seq", (dev, epoch, dense)
        ):
            if following > dense + 1:
                break
            dense = following
        self._connection.execute("UPDATE epoch SET dense_upto = ? WHERE dev = ? AND epoch = ?", (dense, dev, epoch))

    # --- files ------------------------------------------------------------------------------------------------------

    def file(self, dev: str, fid: str) -> FileRow | None:
        found = self._connection.execute(f"{_FILE} WHERE dev = ? AND fid = ?", (dev, fid)).fetchone()
        return None if found is None else file_row(found)

    def save_file(self, row: FileRow, *, at_ms: int) -> None:
        self._connection.execute(
            "INSERT INTO file (dev, fid, name, size, sha256, state, held, init, first_ms, last_ms) "
            "VALUES (:dev, :fid, :name, :size, :sha256, :state, :held, :init, :at, :at) "
            "ON CONFLICT (dev, fid) DO UPDATE SET name = excluded.name, size = excluded.size, "
            "sha256 = excluded.sha256, state = excluded.state, held = excluded.held, init = excluded.init, "
            "last_ms = excluded.last_ms",
            {
                "dev": row.dev,
                "fid": row.fid,
                "name": row.name,
                "size": row.size,
                "sha256": row.sha256,
                "state": row.state.value,
                "held": json.dumps(row.held),
                "init": row.init,
                "at": at_ms,
            },
        )
        if row.state is FileState.STORED:
            self._connection.execute(
                "UPDATE file SET stored_ms = coalesce(stored_ms, ?), stored_times = stored_times + 1 "
                "WHERE dev = ? AND fid = ?",
                (at_ms, row.dev, row.fid),
            )

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

    def stored_files(self) -> list[FileRow]:
        return [file_row(found) for found in self._connection.execute(f"{_FILE} WHERE state = 'stored'")]

    def forget(self, row: FileRow) -> None:
        """Its file is gone: it is to be received again."""
        self._connection.execute(
            "UPDATE file SET state = 'receiving', held = '[]', stored_ms = NULL WHERE dev = ? AND fid = ?",
            (row.dev, row.fid),
        )

    # --- the rest ---------------------------------------------------------------------------------------------------

    def set_aside(self, poison: Poison, *, at_ms: int) -> None:
        self._connection.execute(
            "INSERT INTO poison (dev, topic, reason, sha256, size, payload, first_ms, last_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (topic, sha256, reason) DO UPDATE SET count = count + 1, last_ms = excluded.last_ms",
            (
                poison.dev,
                views.storable(poison.topic[:300]),
                views.storable(poison.reason[:500]),
                hashlib.sha256(poison.payload).hexdigest(),
                len(poison.payload),
                poison.payload[:_POISON_BYTES_KEPT],
                at_ms,
                at_ms,
            ),
        )

    def set_aside_record(self, dev: str, refused: RefusedIn, *, at_ms: int) -> None:
        payload = refused.text.encode("utf-8", "replace")
        self.set_aside(Poison(topic=f"{dev}/up/ev", reason=refused.reason, payload=payload, dev=dev), at_ms=at_ms)

    def reported(self, dev: str, text: str, *, version: int, at_ms: int) -> None:
        self.seen(dev, at_ms=at_ms)
        self._connection.execute(
            "UPDATE device SET reported = ?, reported_version = ?, reported_ms = ? WHERE dev = ?",
            (text, min(version, 2**53), at_ms, dev),
        )

    def result(self, dev: str, command: str, *, state: str, text: str, at_ms: int) -> None:
        self.seen(dev, at_ms=at_ms)
        self._connection.execute(
            f"UPDATE command SET state = ?, result = ?, result_ms = ? WHERE dev = ? AND id = ? AND state IN {_OPEN}",  # noqa: S608
            (state, text, at_ms, dev, command),
        )

    def desired(self, dev: str) -> tuple[int, str] | None:
        row = self._connection.execute("SELECT version, document FROM desired WHERE dev = ?", (dev,)).fetchone()
        if row is None:
            return None
        self._connection.execute("UPDATE desired SET sent = 1 WHERE dev = ?", (dev,))
        return int(row[0]), str(row[1])

    def commands(self, dev: str, *, at_ms: int) -> Sequence[PendingCommand]:
        rows = self._connection.execute(
            f"SELECT id, dev, op, args, not_after_ms FROM command WHERE dev = ? AND state IN {_OPEN} "  # noqa: S608
            "AND not_after_ms > ? ORDER BY made_ms",
            (dev, at_ms),
        ).fetchall()
        self._connection.execute("UPDATE command SET sent = 1 WHERE dev = ? AND sent = 0", (dev,))
        return [pending(row) for row in rows]

    def unsent(self) -> Sequence[str]:
        """Boxes for which the operator has something new."""
        rows = self._connection.execute(
            "SELECT dev FROM command WHERE sent = 0 UNION SELECT dev FROM desired WHERE sent = 0"
        ).fetchall()
        return [str(row[0]) for row in rows]


_FILE = "SELECT dev, fid, name, size, sha256, state, held, init FROM file"


def file_row(row: Sequence[Any]) -> FileRow:
    """A row of `_FILE`."""
    dev, fid, name, size, sha256, state, held, init = row
    ranges = tuple((int(start), int(end)) for start, end in json.loads(held))
    return FileRow(
        dev=dev, fid=fid, name=name, size=size, sha256=sha256, state=FileState(state), held=ranges, init=init
    )


def pending(row: Sequence[Any]) -> PendingCommand:
    command, dev, op, args, not_after_ms = row
    message = wire.Command(id=command, op=op, args=json.loads(args), not_after_ms=not_after_ms)
    return PendingCommand(dev=dev, payload=wire.build(message), not_after_ms=not_after_ms)


def progress(connection: sqlite3.Connection, dev: str, epoch: str) -> Progress:
    """What is held of a sequence; with very many gaps only of its beginning."""
    row = connection.execute(
        "SELECT dense_upto, max_seq FROM epoch WHERE dev = ? AND epoch = ?", (dev, epoch)
    ).fetchone()
    if row is None:
        return Progress()
    gaps = connection.execute(
        "SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq, 1, :dense) OVER (ORDER BY seq) AS before FROM record "
        "WHERE dev = :dev AND epoch = :epoch AND seq > :dense) WHERE seq > before + 1 LIMIT :most",
        {"dev": dev, "epoch": epoch, "dense": row[0], "most": GAPS_TOLD + 1},
    ).fetchall()
    told = tuple((int(first), int(last)) for first, last in gaps[:GAPS_TOLD])
    upto = gaps[GAPS_TOLD][0] - 1 if len(gaps) > GAPS_TOLD else row[1]
    return Progress(upto=int(upto), gaps=told)


@contextlib.contextmanager
def _full_is_told() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise StorageFullError(f"the receiver's disk is full: {error}") from error
        raise
