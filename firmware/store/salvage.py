"""Reads what can still be read from a damaged database into a new one."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from firmware.store import outbox
from firmware.store.transaction import Row, Transaction, fetch

log = logging.getLogger("offhook.store")

TABLES = (
    "boot", "line", "call", "recording", "gap", "ledger", "alarm", "setting", "outbox_file", "quarantine",
    "call_protection", "deletion",
    "call_note", "call_tag", "call_marker", "call_review", "annotation",
)  # fmt: skip
"""In the order their references need. The outbox's records get new numbers and come by `requeue`."""


def salvage(db: Database, source: Path) -> dict[str, int]:
    """Copies every readable row of ``source`` that ``db`` does not have yet. Returns rows per table."""
    with _opened(source) as old:
        return {table: _copy(db, old, table) for table in TABLES}


def requeue(tx: Transaction, source: Path) -> int:
    """Puts the records that the cloud has not acknowledged into the new outbox, in order. Returns how many."""
    with _opened(source) as old:
        rows = [row for row in _readable_rows(old, "outbox_event") if row.get("state") in {"pending", "sent"}]
    return sum(_requeue(tx, row) for row in sorted(rows, key=lambda row: int(row["seq"])))


@contextmanager
def _opened(source: Path) -> Iterator[sqlite3.Connection]:
    """Read-write only because SQLite must be able to replay the -wal file."""
    old = sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)
    old.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        yield old
    finally:
        old.close()


def _copy(db: Database, old: sqlite3.Connection, table: str) -> int:
    known = {str(column["name"]) for column in fetch(db, f"PRAGMA table_info({table})")}
    if table == "gap" and fetch(db, "SELECT 1 FROM gap LIMIT 1"):
        return 0  # gaps have no key: those of a second source would stand twice
    copied = 0
    for row in _readable_rows(old, table):
        kept = {name: value for name, value in row.items() if name in known}
        marks = ", ".join(f":{name}" for name in kept)
        try:
            db.conn.execute(f'INSERT INTO "{table}" ({", ".join(kept)}) VALUES ({marks})', kept)  # noqa: S608
        except sqlite3.IntegrityError:
            continue  # there already, or what it refers to is lost
        copied += 1
    return copied


def _readable_rows(old: sqlite3.Connection, table: str) -> Iterator[Row]:
    """Forwards to the first damaged page, then backwards to the last one: what lies between is lost."""
    seen: set[int] = set()
    for order in ("ASC", "DESC"):
        try:
            cursor = old.execute(f'SELECT rowid AS _rowid, * FROM "{table}" NOT INDEXED ORDER BY rowid {order}')  # noqa: S608
            names = [column[0] for column in cursor.description]
            for values in cursor:
                row = dict(zip(names, values, strict=True))
                rowid = int(row["_rowid"])
                if rowid in seen:
                    return
                seen.add(rowid)
                del row["_rowid"]
                yield row
        except sqlite3.Error as error:
            log.error("a table is damaged", extra={"offhook": {"table": table, "order": order, "reason": str(error)}})
        else:
            return


def _requeue(tx: Transaction, row: Row) -> int:
    try:
        body = json.loads(row["body"])
    except (TypeError, ValueError):
        return 0
    outbox.put(tx, str(row["type"]), body)
    return 1
