"""One write transaction: the connection, the boot it happens in, and what it tells the others once it is committed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from firmware.model import Instant

Row = dict[str, Any]
Parameters = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Boot:
    """One start of the machine, as the database knows it."""

    boot_no: int
    boot_id: str
    first_utc_ms: int
    first_boot_ns: int
    offset_ms: int | None = None
    """Add this to what the wall clock said at first; None while it has never jumped."""

    def utc_ms_at(self, boot_ns: int) -> int:
        """What the wall clock should have said at ``boot_ns`` of this boot."""
        return self.first_utc_ms + (self.offset_ms or 0) + (boot_ns - self.first_boot_ns) // 1_000_000


@dataclass(frozen=True, slots=True)
class Committed:
    """Something the database now holds: the same type and body as its row for the cloud."""

    type: str
    body: Row


@dataclass(slots=True)
class Transaction:
    """Passed to everything that writes; nobody else may begin or commit."""

    db: Database
    boot: Boot
    now: Instant
    committed: list[Committed] = field(default_factory=list)

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        return self.db.conn.execute(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return fetch(self.db, sql, parameters)

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        found = self.rows(sql, parameters)
        return found[0] if found else None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What happens inside is undone when it raises, and only that."""
        told = len(self.committed)
        try:
            with self.db.atomic():
                yield
        except BaseException:
            del self.committed[told:]
            raise


@contextmanager
def immediate(db: Database) -> Iterator[None]:
    """A write transaction that takes the lock at its start, so that it never has to give up halfway."""
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.conn.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        raise


def fetch(db: Database, sql: str, parameters: Parameters = ()) -> list[Row]:
    """All rows of a query, each a dict."""
    cursor = db.conn.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
